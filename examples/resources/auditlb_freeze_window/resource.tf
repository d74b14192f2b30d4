# Once, for everything.
resource "auditlb_freeze_window" "holidays" {
  name   = "holidays"
  owner  = "team-sre"
  reason = "Nobody is there to look at it. In an emergency: +49 30 555 0100."
  begin  = "2026-12-23T18:00:00+01:00"
  end    = "2027-01-04T08:00:00+01:00"
}

# Every weekend from Friday evening on, at the time that clocks in Berlin show.
resource "auditlb_freeze_window" "weekends" {
  name       = "weekends"
  owner      = "team-sre"
  reason     = "The shop is busiest on weekends."
  addresses  = ["route/shop-*", "pool/shop-*"]
  begin      = "2026-01-02T18:00:00+01:00"
  end        = "2026-01-05T06:00:00+01:00"
  recurrence = "FREQ=WEEKLY;BYDAY=FR"
  time_zone  = "Europe/Berlin"
}

# The last working day of each month, until the books of the year are closed.
resource "auditlb_freeze_window" "month_end" {
  name       = "month-end"
  owner      = "team-finance"
  reason     = "Invoices are sent."
  addresses  = ["*/billing"]
  begin      = "2026-01-30T08:00:00-05:00"
  end        = "2026-01-30T20:00:00-05:00"
  recurrence = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;UNTIL=20261231T235959Z"
  time_zone  = "America/New_York"
}
