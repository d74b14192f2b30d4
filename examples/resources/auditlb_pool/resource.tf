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

  timeouts = {
    response = "30s"
  }
}
