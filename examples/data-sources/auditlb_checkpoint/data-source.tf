# The newest checkpoint of the change log, kept in the open: as an output, and
# from there in a repository or a ticket.
data "auditlb_checkpoint" "now" {}

output "checkpoint" {
  value = data.auditlb_checkpoint.now.checkpoint
}
