# By name; the address pool/web works too.
terraform import auditlb_pool.web web
