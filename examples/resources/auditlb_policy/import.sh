# By name; the address policy/changes works too.
terraform import auditlb_policy.changes changes
