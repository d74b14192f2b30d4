# A variable that isn't ephemeral would be written into saved plans.
variable "shop_private_key" {
  description = "The private key of the shop's certificate, in PEM."
  type        = string
  ephemeral   = true
  sensitive   = true
}

resource "auditlb_certificate" "shop" {
  name           = "shop"
  owner          = "team-shop"
  chain_pem      = file("${path.module}/shop.pem")
  private_key_wo = var.shop_private_key
}
