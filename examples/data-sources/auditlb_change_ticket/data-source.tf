data "auditlb_change_ticket" "current" {
  id = var.change_ticket
}

# Warns in the plan when an apply would be refused.
check "change_ticket" {
  assert {
    condition     = data.auditlb_change_ticket.current.valid
    error_message = "Ticket ${var.change_ticket} is ${data.auditlb_change_ticket.current.state}; applying needs an approved one, within its window."
  }
}

# Or waits for somebody to approve it: for a pipeline that opens its own ticket.
data "auditlb_change_ticket" "approved" {
  id       = var.change_ticket
  wait_for = "approved"
  timeout  = "1h"
}
