resource "auditlb_pool" "web" {
  name      = "web"
  owner     = "team-shop"
  algorithm = "least_requests"

  members = {
    a = { address = "10.0.0.11:8080" }
    b = { address = "10.0.0.12:8080", weight = 2 }
    # Finishes what it has and gets nothing new.
    c = { address = "10.0.0.13:8080", state = "drain" }
    # Serves only when no other member can.
    standby = { address = "10.0.1.11:8080", backup = true }
  }

  health_check = {
    path     = "/healthz"
    interval = "5s"
    timeout  = "1s"
  }

  # Five failures in a row take a member out for a while, whatever probes say.
  outlier_detection = {}

  # Requests that may be repeated are tried once more, on another member.
  retries = {
    attempts = 1
    on       = ["connect_failure", "reset", "503"]
  }

  timeouts = {
    response = "30s"
  }

  # Who has a cart stays where it is.
  affinity = {
    type = "cookie"
    name = "shop"
    ttl  = "1h"
  }
}

# A gRPC service, over TLS that both sides prove themselves in.
resource "auditlb_pool" "carts" {
  name         = "carts"
  owner        = "team-shop"
  http_version = "2"
  algorithm    = "maglev"
  hash_key     = { source = "header", name = "x-cart" }
  slow_start   = "30s"

  members = {
    a = { address = "10.0.2.11:8443" }
    b = { address = "10.0.2.12:8443" }
  }

  health_check = {
    type    = "grpc"
    service = "shop.Carts"
  }

  upstream_tls = {
    ca_pem             = file("${path.module}/internal-ca.pem")
    server_name        = "carts.internal"
    client_certificate = auditlb_certificate.edge.name
  }
}

# Connections instead of requests; members learn who the client is.
resource "auditlb_pool" "postgres" {
  name           = "postgres"
  owner          = "team-data"
  protocol       = "tcp"
  proxy_protocol = "v2"

  members = {
    a = { address = "10.0.3.11:5432" }
  }

  health_check = { type = "tcp" }
}
