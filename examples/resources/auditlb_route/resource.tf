resource "auditlb_route" "shop" {
  name     = "shop"
  owner    = "team-shop"
  listener = auditlb_listener.https.name

  match = {
    hosts       = ["shop.example.com"]
    path_prefix = "/"
  }

  # One request in ten goes to the new version.
  action = {
    forward = {
      (auditlb_pool.web.name)      = { weight = 9 }
      (auditlb_pool.web_next.name) = { weight = 1 }
    }
  }

  response_headers = {
    set    = { strict-transport-security = "max-age=31536000" }
    remove = ["server"]
  }
}

# Testers always get the new version, under a path of its own there.
resource "auditlb_route" "shop_testers" {
  name     = "shop-testers"
  owner    = "team-shop"
  listener = auditlb_listener.https.name

  match = {
    hosts      = ["shop.example.com"]
    path_regex = "/v(?P<version>[0-9]+)/(.*)"
    headers    = { x-tester = { type = "present" } }
  }

  action = {
    forward = {
      (auditlb_pool.web_next.name) = {}
    }
    # Terraform reads $${ as ${.
    rewrite = { path = "/next/$${version}/$2" }
  }

  timeouts = {
    request = "10s"
  }
}

# A copy of a twentieth of the searches tries the new index; its answers are dropped.
resource "auditlb_route" "search" {
  name     = "search"
  owner    = "team-search"
  listener = auditlb_listener.https.name

  match = {
    hosts       = ["shop.example.com"]
    path_prefix = "/search"
    methods     = ["GET"]
  }

  action = {
    forward = {
      (auditlb_pool.search.name) = {}
    }
    rewrite = { path_prefix = "/" }
    mirror  = { pool = auditlb_pool.search_next.name, percent = 5 }
  }
}

resource "auditlb_route" "to_https" {
  name     = "to-https"
  owner    = "team-edge"
  listener = auditlb_listener.http.name

  action = {
    redirect = {
      status = 308
      scheme = "https"
    }
  }
}

resource "auditlb_route" "maintenance" {
  name     = "maintenance"
  owner    = "team-blog"
  listener = auditlb_listener.https.name
  priority = 100

  match = {
    hosts = ["blog.example.com"]
  }

  action = {
    fixed_response = {
      status = 503
      body   = "Back at noon.\n"
    }
  }
}

# On a tls_passthrough listener a route has names and pools, and nothing else.
resource "auditlb_route" "vault" {
  name     = "vault"
  owner    = "team-security"
  listener = auditlb_listener.sealed.name

  match = {
    hosts = ["vault.example.com"]
  }

  action = {
    forward = {
      (auditlb_pool.vault.name) = {}
    }
  }
}
