package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

func TestABundleHasWhatWasAskedForAndWhatThatRefersTo(t *testing.T) {
	s := newScene(t)
	approved := func(e audit.Entry) bool { return e.Resource == "ticket/"+ticketID && e.Op == "approve" }
	for _, c := range []struct {
		name  string
		query evidence.Query
	}{
		{"by ticket", evidence.Query{Ticket: ticketID}},
		{"by run", evidence.Query{Run: runID}},
		{"by both", evidence.Query{Ticket: ticketID, Run: runID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.collect(t, c.query)
			got := entries(t, b)
			var run, approval bool
			for _, e := range got {
				run = run || e.Type == audit.TypeRun
				approval = approval || approved(e)
				if e.Ticket != "" && e.Ticket != ticketID || e.Resource == "pool/other" {
					t.Errorf("entry %d is of something else: %+v", e.Seq, e)
				}
			}
			if tickets := contentOf(t, zipped(t, b), "tickets.json"); !strings.Contains(tickets, `"by": "anton"`) {
				t.Errorf("the tickets do not say who approved: %s", tickets)
			}
			if !run || !approval || got[s.applied].Plan != s.planned || got[s.planned].Type != audit.TypePlan {
				t.Errorf("run %v, approval %v, applied %+v, planned %+v", run, approval, got[s.applied], got[s.planned])
			}
			r := holds(t, zipped(t, b), nil, s.key())
			if says(r.Proved, whole) || !says(r.NotProved, "no further entries about "+c.query.String()) {
				t.Errorf("proved %q, not proved %q", r.Proved, r.NotProved)
			}
		})
	}
	t.Run("a plan that was made elsewhere", func(t *testing.T) {
		at := lb.Address{Kind: lb.KindPool, Name: "planned-elsewhere"}
		encoded, err := lb.Encode(controltest.Numbered(1))
		must(t, err)
		plan, err := s.Client(t, client.Config{}).Plan(t.Context(), api.PlanRequest{Kind: at.Kind, Name: at.Name, Op: lb.OpCreate, Object: encoded})
		must(t, err)
		s.OpenTicket(t, api.TicketRequest{ID: "CHG-7"})
		o, err := s.Client(t, client.Config{Ticket: "CHG-7"}).Put(t.Context(), at, controltest.Numbered(1), client.IfAbsent())
		must(t, err)
		got := entries(t, s.collect(t, evidence.Query{Ticket: "CHG-7"}))
		if got[o.Revision].Plan != plan.Seq || got[plan.Seq].Type != audit.TypePlan {
			t.Errorf("applied %+v, planned %+v", got[o.Revision], got[plan.Seq])
		}
	})
	for name, q := range map[string]evidence.Query{
		"a ticket that is not there":     {Ticket: "CHG-404"},
		"a ticket with a run of others":  {Ticket: ticketID, Run: "run-404"},
		"a ticket at a time without any": {Ticket: ticketID, Since: time.Now().Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.Collect(t.Context(), s.client, q, "test", nil)
			if !errors.Is(err, evidence.ErrNothing) || !strings.Contains(err.Error(), q.String()) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestABundleOfATimeIsWholeAndSaysHowFar(t *testing.T) {
	s := newScene(t)
	all := s.collect(t, evidence.Query{Since: time.Unix(0, 0)})
	r := holds(t, zipped(t, all), nil, s.key())
	if !says(r.Proved, fmt.Sprintf("nothing is missing between the entries 0 and %d", r.Size-1)) || says(r.NotProved, "no entry before") || int64(r.Entries) != r.Size {
		t.Errorf("proved %q, not proved %q", r.Proved, r.NotProved)
	}
	at := entries(t, all)
	part := evidence.Query{Since: at[3].Time, Until: at[7].Time}
	r = holds(t, zipped(t, s.collect(t, part)), nil, s.key())
	if r.First != 3 || r.Last != 6 || !says(r.Proved, "nothing is missing between the entries 3 and 6") || !says(r.NotProved, "no entry before 3 or after 6 is of the time "+part.String()) {
		t.Errorf("%d to %d: proved %q, not proved %q", r.First, r.Last, r.Proved, r.NotProved)
	}
}

func TestTheSameBundleMakesTheSameBytes(t *testing.T) {
	s := newScene(t)
	b := s.collect(t, evidence.Query{Ticket: ticketID})
	first := zipped(t, b)
	if !bytes.Equal(first, zipped(t, b)) {
		t.Error("written twice, they differ")
	}
	back, _, err := evidence.Read(bytes.NewReader(first), int64(len(first)))
	must(t, err)
	if !bytes.Equal(first, zipped(t, back)) {
		t.Error("read and written again, they differ")
	}
}

// TestALogThatGrowsMeanwhileDoesNotSpoilABundle adds an entry before every page and tile.
func TestALogThatGrowsMeanwhileDoesNotSpoilABundle(t *testing.T) {
	s, n := newScene(t), 0
	c := s.relay(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/log" {
			n++
			s.Token(t, fmt.Sprintf("someone-%d", n), "viewer")
		}
		return false
	})
	b, err := evidence.Collect(t.Context(), c, evidence.Query{Since: time.Unix(0, 0)}, "test", nil)
	must(t, err)
	r := holds(t, zipped(t, b), nil, s.key())
	if n < 2 || !says(r.Proved, whole) || r.Last != r.Size-1 {
		t.Errorf("after %d entries more: %d to %d of %d: %q", n, r.First, r.Last, r.Size, r.Proved)
	}
}

func TestAfterAChangeOfKeyABundleVerifiesWithTheFirstAlone(t *testing.T) {
	s := newScene(t)
	first := s.key()
	for range 2 {
		s.Restart(t, func(t testing.TB, r *runtimetest.Runtime) {
			_, err := daemon.RotateLogKey(t.Context(), daemon.Config{DataDir: r.Dir, Log: &daemon.Log{MinFreeBytes: -1}}, "yearly")
			must(t, err)
		})
	}
	text := zipped(t, s.collect(t, evidence.Query{Ticket: ticketID}))
	r := holds(t, text, nil, first)
	if len(r.Keys) != 2 || r.Keys[1] != s.key() || !says(r.Proved, "over 2 changes") {
		t.Errorf("keys %q, proved %q", r.Keys, r.Proved)
	}
	if r := holds(t, text, nil, s.key()); len(r.Keys) != 0 {
		t.Errorf("with the last key others were come to: %q", r.Keys)
	}
	_, stranger, err := audit.GenerateKey(s.Daemon.Controller.Origin())
	must(t, err)
	if r, err := check(t, text, nil, stranger); err != nil || r.OK() || len(r.Proved) > 0 {
		t.Errorf("with a stranger's key: %v %+v", err, r)
	}
}

// TestAServerThatMakesNoHeadwayIsNotAskedForEver answers each page with another to come.
func TestAServerThatMakesNoHeadwayIsNotAskedForEver(t *testing.T) {
	s := newScene(t)
	const item = `{"items":[{"v":1,"seq":%d,"time":"2026-01-01T00:00:00Z","type":"apply","actor":{"name":"x"},"outcome":"ok","leaf_hash":""}],"next":"4"}`
	for name, page := range map[string]string{
		"the same again":  fmt.Sprintf(item, 3),
		"nothing":         `{"items":[],"next":"4"}`,
		"below the first": fmt.Sprintf(item, -3),
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := s.relay(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v1/entries" {
					return false
				}
				if asked++; asked > 5 {
					w.WriteHeader(http.StatusTeapot)
					return true
				}
				fmt.Fprint(w, page)
				return true
			})
			_, err := evidence.Collect(t.Context(), c, evidence.Query{Ticket: ticketID}, "test", nil)
			if err == nil || !strings.Contains(err.Error(), "newest to oldest") {
				t.Errorf("asked %d times: %v", asked, err)
			}
		})
	}
}
