# Who set each attribute of a pool.
data "auditlb_blame" "web" {
  resource = "pool/web"
}

output "who_set_what" {
  value = {
    for a in data.auditlb_blame.web.attributes :
    a.path => "${a.changed_by} under ${a.ticket} at ${a.changed_at}"
  }
}
