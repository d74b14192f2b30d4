# By name; the address route/shop works too.
terraform import auditlb_route.shop shop
