resource "auditlb_policy" "changes" {
  name  = "changes"
  owner = "team-security"

  rules = {
    # What faces the internet is looked at twice.
    two-people = {
      when    = "change.kind in ['listener', 'certificate'] || ('exposure' in change.labels && change.labels['exposure'] == 'public')"
      require = "ticket.approvals.size() >= 2"
      message = "What faces the internet needs the approval of two people."
    }

    # In an emergency too.
    no-deletion-of-certificates = {
      when         = "change.kind == 'certificate' && change.op == 'delete'"
      require      = "actor.role == 'admin'"
      message      = "Certificates are deleted by team-security. Ask in #security."
      on_emergency = true
    }

    planned = {
      require = "!change.unplanned && run.verified"
      message = "Changes are made by the pipeline, from a plan that was reviewed."
    }
  }
}

# While the system that holds the tickets can't be reached, its last good answer
# about a ticket counts for a quarter of an hour.
resource "auditlb_policy" "tickets" {
  name            = "tickets"
  owner           = "team-sre"
  authority_grace = "15m"
}
