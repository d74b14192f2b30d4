package sqlite_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// TestALiveLogVerifies verifies a log over and over, as another process would,
// while it is written to.
func TestALiveLogVerifies(t *testing.T) {
	dir := t.TempDir()
	log := controltest.Open(t, control.Options{Store: open(t, dir)})
	log.Ticket(t, "CHG-1")
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		address := controltest.Address(t, fmt.Sprintf("pool/p%d", w))
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				// An object that is made, changed and deleted in turn, and one
				// that is new each time, beyond what a verification has read.
				for _, change := range []func() (control.Outcome, error){
					func() (control.Outcome, error) {
						return log.Put(context.Background(), controltest.By("CHG-1"), control.Put{Address: address, Object: controltest.Numbered(n), Precondition: control.Precondition{Absent: true}})
					},
					func() (control.Outcome, error) {
						return log.Put(context.Background(), controltest.By("CHG-1"), control.Put{Address: address, Object: controltest.Numbered(n + 1), Precondition: control.Precondition{Exists: true}})
					},
					func() (control.Outcome, error) {
						return log.Delete(context.Background(), controltest.By("CHG-1"), address, control.Precondition{})
					},
					func() (control.Outcome, error) {
						return log.RegisterRun(context.Background(), controltest.By("CHG-1"), fmt.Sprintf("run-%d-%d", w, n), map[string]string{})
					},
				} {
					if o, err := change(); err != nil || o.Refusal() != nil {
						t.Errorf("writer %d: %v %+v", w, err, o.Refusal())
						return
					}
				}
			}
		})
	}
	reader := openReader(t, dir)
	first, last := int64(0), int64(0)
	for round := 0; round < 10 || last < first+150; round++ {
		report, err := audit.Verify(t.Context(), reader, controltest.Signer(t).Verifier(), nil)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if !report.OK() {
			t.Fatalf("round %d, at %d entries: %v", round, report.Size, report.Findings)
		}
		if last = report.Size; round == 0 {
			first = last
		}
	}
	cancel()
	writers.Wait()
	controltest.Verified(t, reader)
}
