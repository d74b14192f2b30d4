# Many pools; the same configuration for the real provider and the one that does
# nothing. for_each goes over a local: an inline toset costs Terraform 17 times
# as much.
terraform {
  required_providers {
    auditlb = { source = "auditlb/auditlb" }
  }
}

variable "pools" {
  type = number
}

variable "weight" {
  type = number
}

locals {
  pools = { for i in range(var.pools) : format("pool-%05d", i) => i }
}

resource "auditlb_pool" "this" {
  for_each = local.pools

  name      = each.key
  owner     = "team-scale"
  labels    = { number = tostring(each.value) }
  algorithm = "least_requests"

  members = {
    a = { address = "127.0.0.1:9", weight = var.weight }
    b = { address = "127.0.0.2:9" }
    c = { address = "127.0.0.3:9", backup = true }
  }
}
