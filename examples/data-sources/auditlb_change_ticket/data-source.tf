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
