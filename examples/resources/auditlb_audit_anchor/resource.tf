# What this state has seen of the change log. Later runs fail if the log lacks it.
resource "auditlb_audit_anchor" "log" {
  # Moves up to the newest checkpoint with every release.
  keepers = {
    release = "2026-11"
  }

  lifecycle {
    prevent_destroy = true
  }
}
