# What became of what a run planned.
data "auditlb_run" "rollout" {
  id = "github/acme/infra/123/1"
}

output "not_as_planned" {
  value = [
    for e in data.auditlb_run.rollout.effects :
    "${e.op} ${e.address}: ${e.status}" if e.status != "applied"
  ]
}

# Nothing goes on before all of it is applied, by a run that proved who it is.
check "rollout" {
  assert {
    condition     = data.auditlb_run.rollout.overall == "applied" && data.auditlb_run.rollout.verified
    error_message = "The run is ${data.auditlb_run.rollout.overall}."
  }
}
