package daemon

import "github.com/auditlb/terraform-provider-auditlb/runtime/witness"

// WitnessStatus is how the collector's work stands; false without a witness policy.
func (d *Daemon) WitnessStatus() (witness.Status, bool) {
	if d.witnesses == nil {
		return witness.Status{}, false
	}
	return d.witnesses.Status(), true
}
