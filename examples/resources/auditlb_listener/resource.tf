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
}

# A tcp listener has no routes: everything goes to its pool.
resource "auditlb_listener" "postgres" {
  name         = "postgres"
  owner        = "team-data"
  port         = 5432
  protocol     = "tcp"
  default_pool = auditlb_pool.postgres.name
}
