# By name; the address certificate/shop works too. The private key stays where it is.
terraform import auditlb_certificate.shop shop
