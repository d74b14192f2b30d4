resource "auditlb_listener" "http" {
  name  = "http"
  owner = "team-edge"
  port  = 80
}

resource "auditlb_listener" "https" {
  name                = "https"
  owner               = "team-edge"
  port                = 443
  protocol            = "https"
  certificates        = [auditlb_certificate.shop.name, auditlb_certificate.blog.name]
  default_certificate = auditlb_certificate.shop.name

  tls = {
    min_version = "1.3"
  }

  limits = {
    max_body_bytes             = 10485760
    max_connections_per_client = 100
    request_rate               = 50
    request_burst              = 100
  }

  # The proxy in front says who the client is.
  trusted_proxies = ["10.0.0.0/24"]
  access_records  = "all"
}

# Only our own partners, by network and by certificate.
resource "auditlb_listener" "partners" {
  name         = "partners"
  owner        = "team-edge"
  port         = 8443
  protocol     = "https"
  certificates = [auditlb_certificate.shop.name]

  tls = {
    client_auth   = "required"
    client_ca_pem = file("${path.module}/partners-ca.pem")
  }

  allowed_cidrs = ["192.0.2.0/24", "2001:db8:7::/48"]
}

# A tcp listener has no routes: everything goes to its pool.
resource "auditlb_listener" "postgres" {
  name         = "postgres"
  owner        = "team-data"
  port         = 5432
  protocol     = "tcp"
  default_pool = auditlb_pool.postgres.name
}

# Routed by the name that clients ask for; TLS goes on to the members as it is.
resource "auditlb_listener" "sealed" {
  name     = "sealed"
  owner    = "team-edge"
  port     = 9443
  protocol = "tls_passthrough"
}
