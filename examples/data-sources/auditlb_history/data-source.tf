# The last ten changes of a pool: who made them, under which ticket, in which run.
data "auditlb_history" "web" {
  resource = "pool/web"
  types    = ["apply"]
  limit    = 10
}

output "changes" {
  value = [for e in data.auditlb_history.web.entries : "${e.time} ${e.actor} ${e.ticket}: ${e.op}"]
}

# Everything that was refused of what a team owns.
data "auditlb_history" "refused" {
  owner = "team-web"
  types = ["reject"]
  since = "2026-11-01T00:00:00Z"
}
