# By name; the address freeze/weekends works too.
terraform import auditlb_freeze_window.weekends weekends
