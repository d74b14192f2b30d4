# The pools as they were on the last day of January.
data "auditlb_state_at" "january" {
  at       = "2026-01-31T23:59:59Z"
  resource = "pool"
}

output "weights" {
  value = {
    for address, o in data.auditlb_state_at.january.objects :
    address => { for name, m in jsondecode(o.object).members : name => m.weight }
  }
}
