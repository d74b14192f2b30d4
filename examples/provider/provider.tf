terraform {
  required_providers {
    auditlb = {
      source = "auditlb/auditlb"
    }
  }
}

# The token comes from AUDITLB_TOKEN, so that it stands in no file.
provider "auditlb" {
  endpoint      = "https://lb.example.com:9443"
  change_ticket = var.change_ticket
}

variable "change_ticket" {
  description = "The approved ticket under which this run changes things. Planning needs none."
  type        = string
  default     = null
}
