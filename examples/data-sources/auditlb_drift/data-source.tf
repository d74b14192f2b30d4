# What something else changed since this workspace last applied, and who did it.
data "auditlb_drift" "ours" {}

output "drift" {
  value = [
    for d in data.auditlb_drift.ours.items :
    "${d.address} was ${d.kind} by ${try(d.changes[0].actor, "nobody")} under ${try(d.changes[0].ticket, "no ticket")}"
  ]
}

# Nobody else may touch the public listener.
check "public_listener" {
  data "auditlb_drift" "public" {
    resource = "listener/public"
  }

  assert {
    condition     = length(data.auditlb_drift.public.items) == 0
    error_message = "listener/public is not as we left it."
  }
}
