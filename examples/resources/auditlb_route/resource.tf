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
}
