package runtimetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

// Filled begins with a log that has n entries or some more: refusals, which
// change nothing.
func Filled(n int) Option {
	return func(t testing.TB, r *Runtime) {
		t.Helper()
		controller, done, err := daemon.OpenLog(context.Background(), r.config)
		if err != nil {
			t.Fatalf("fill the log: %v", err)
		}
		const writers = 256
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := w; i < n; i += writers {
					call := control.Call{Actor: control.System("filler"), Ticket: fmt.Sprintf("CHG-%d", i%50)}
					subject := control.Subject{Resource: fmt.Sprintf("pool/p%d", i%1000), Op: "update"}
					if _, err := controller.Refuse(context.Background(), call, subject, audit.Refusal{Code: "filler", Detail: "fills the log"}, nil); err != nil {
						t.Errorf("fill the log: %v", err)
						return
					}
				}
			})
		}
		all.Wait()
		if err := done(); err != nil {
			t.Fatalf("fill the log: %v", err)
		}
	}
}
