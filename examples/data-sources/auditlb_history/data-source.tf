# The last ten changes of a pool: who made them, under which ticket, in which run.
data "auditlb_history" "web" {
  resource = "pool/web"
  type     = "apply"
  limit    = 10
}

output "changes" {
  value = [for e in data.auditlb_history.web.entries : "${e.time} ${e.actor} ${e.ticket}: ${e.op}"]
}
