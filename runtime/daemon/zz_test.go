package daemon_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

func TestZZ(t *testing.T) {
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	var shift atomic.Int64
	l, err := controltest.TryOpen(t, control.Options{Store: store, Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	id := l.Ticket(t, "CHG-1")
	for n := range 50 {
		l.Create(t, id, fmt.Sprintf("pool/p%d", n), controltest.Numbered(1))
	}
	writers := func(d time.Duration, id string) (lat []time.Duration) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		end := time.Now().Add(d)
		for n := range 50 {
			wg.Go(func() {
				for i := 0; time.Now().Before(end); i++ {
					b := time.Now()
					p := controltest.BigPool(15000)
					p.Labels = map[string]string{"i": fmt.Sprintf("v%d", time.Now().UnixNano())}
					o, err := l.Put(context.Background(), controltest.By(id), controltest.PutOf(t, fmt.Sprintf("pool/p%d", n), p, control.Precondition{Exists: true}))
					if err != nil || o.Refusal() != nil {
						t.Errorf("%v %+v", err, o.Refusal())
						return
					}
					mu.Lock()
					lat = append(lat, time.Since(b))
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(lat)
		return lat
	}
	say := func(what string, lat []time.Duration) {
		t.Log(what, len(lat), "p50", lat[len(lat)/2], "p99", lat[len(lat)*99/100], "max", lat[len(lat)-1])
	}
	say("before", writers(6*time.Second, id))
	shift.Store(int64(30 * 24 * time.Hour))
	id = l.Ticket(t, "CHG-2")
	dir, _ := bucket.OpenDir(t.TempDir())
	a := archive.New(dir)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			b := time.Now()
			done, err := l.Erase(t.Context(), control.Retention{Period: control.MinRetention, Setting: "x", Archive: a})
			if err != nil {
				t.Error(err)
				return
			}
			t.Log("erased", done.Bodies, done.Next, done.More, time.Since(b))
			select {
			case <-stop:
				return
			case <-time.After(250 * time.Millisecond):
			}
			if !done.More && done.Bodies == 0 {
				return
			}
		}
	})
	wg.Go(func() {
		for {
			b := time.Now()
			report, err := audit.Verification{Jobs: 2}.Run(t.Context(), store, controltest.Signer(t).Verifier())
			if err != nil || !report.OK() {
				t.Error(err, report.Findings)
			}
			time.Sleep(time.Second)
			t.Log("verified", report.Size, report.Erased, time.Since(b))
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	say("during", writers(8*time.Second, id))
	close(stop)
	wg.Wait()
	ext, _ := store.Extent(t.Context())
	f, n, err := a.Verify(t.Context(), store, ext.Size)
	t.Log(f, n, err)
	l.Close()
	store.Close()
}
