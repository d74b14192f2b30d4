# By name; the address listener/https works too.
terraform import auditlb_listener.https https
