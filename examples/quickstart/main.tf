# A pool of two members behind an http and an https listener. Endpoint, token
# and change ticket come from AUDITLB_ENDPOINT, AUDITLB_TOKEN and
# AUDITLB_CHANGE_TICKET, as `auditlb dev` prints them.

terraform {
  required_version = ">= 1.11"

  required_providers {
    auditlb = {
      source = "auditlb/auditlb"
    }
  }
}

provider "auditlb" {}

resource "auditlb_pool" "web" {
  name  = "web"
  owner = var.owner

  members = {
    a = { address = var.backend_a, weight = var.weight_a }
    b = { address = var.backend_b, weight = var.weight_b }
  }

  health_check = {
    interval          = "1s"
    timeout           = "500ms"
    healthy_threshold = 1
  }
}

resource "auditlb_listener" "http" {
  name    = "http"
  owner   = var.owner
  address = var.listen_address
  port    = var.http_port
}

resource "auditlb_route" "web" {
  name     = "web"
  owner    = var.owner
  listener = auditlb_listener.http.name

  match = {
    path_prefix = "/"
  }

  action = {
    forward = {
      (auditlb_pool.web.name) = {}
    }
  }
}

resource "auditlb_certificate" "web" {
  name           = "web"
  owner          = var.owner
  chain_pem      = var.certificate_chain
  private_key_wo = var.private_key
}

resource "auditlb_listener" "https" {
  name         = "https"
  owner        = var.owner
  address      = var.listen_address
  port         = var.https_port
  protocol     = "https"
  certificates = [auditlb_certificate.web.name]
  # Without routes, every request goes here.
  default_pool = auditlb_pool.web.name
}
