package evidence_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// What the changes are made under.
const (
	ticketID = "CHG-1042"
	runID    = "run-7"
)

// scene is a runtime with a planned change under a ticket, in a run, and others beside it.
type scene struct {
	*runtimetest.Runtime
	client *client.Client
	// planned and applied are the entries of the change.
	planned, applied int64
}

var web = lb.Address{Kind: lb.KindPool, Name: "web"}

func newScene(t testing.TB, opts ...runtimetest.Option) *scene {
	t.Helper()
	s := &scene{Runtime: runtimetest.Start(t, opts...)}
	s.OpenTicket(t, api.TicketRequest{ID: ticketID, Title: "Canary", Reason: "Shift traffic"})
	s.client = s.Client(t, client.Config{Ticket: ticketID, Run: runID})
	_, err := s.client.RegisterRun(t.Context(), runID, api.RunClaims{System: "test"})
	must(t, err)
	encoded, err := lb.Encode(controltest.Numbered(1))
	must(t, err)
	plan, err := s.client.Plan(t.Context(), api.PlanRequest{Kind: web.Kind, Name: web.Name, Op: lb.OpCreate, Object: encoded})
	must(t, err)
	s.planned = plan.Seq
	o, err := s.client.Put(t.Context(), web, controltest.Numbered(1), client.IfAbsent())
	must(t, err)
	s.applied = o.Revision
	s.change(t, "other", 1)
	return s
}

// change makes a pool under the ticket that everything else is made under.
func (s *scene) change(t testing.TB, name string, n int) {
	t.Helper()
	_, err := s.Client(t, client.Config{Ticket: s.Ticket}).Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: name}, controltest.Numbered(n), client.IfAbsent())
	must(t, err)
}

func (s *scene) key() string { return s.Daemon.Controller.PublicKey() }

// collect makes a bundle as an auditor.
func (s *scene) collect(t testing.TB, q evidence.Query) *evidence.Bundle {
	t.Helper()
	b, err := evidence.Collect(t.Context(), s.Client(t, client.Config{Token: api.Secret(s.Tokens[identity.Auditor])}), q, "test", nil)
	must(t, err)
	return b
}

// relay is a client of the runtime behind a proxy, where a request may be answered
// before it gets there.
func (s *scene) relay(t testing.TB, before func(http.ResponseWriter, *http.Request) (answered bool)) *client.Client {
	t.Helper()
	to, err := url.Parse(s.Endpoint)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !before(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Endpoint: srv.URL, Token: api.Secret(s.Operator), Attempts: 1})
	must(t, err)
	return c
}

func zipped(t testing.TB, b *evidence.Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, b.Write(&out))
	return out.Bytes()
}

// check reads and checks a bundle.
func check(t testing.TB, text []byte, policy *witness.Policy, keys ...string) (evidence.Result, error) {
	t.Helper()
	trust, err := audit.NewTrust(keys...)
	must(t, err)
	b, derived, err := evidence.Read(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return evidence.Result{}, err
	}
	return evidence.Check(b, derived, trust, policy), nil
}

// holds is check of what must be right.
func holds(t testing.TB, text []byte, policy *witness.Policy, keys ...string) evidence.Result {
	t.Helper()
	r, err := check(t, text, policy, keys...)
	must(t, err)
	if !r.OK() || len(r.Proved) == 0 {
		t.Fatalf("found: %v; proved: %q", r.Findings, r.Proved)
	}
	return r
}

// says reports whether one of the lines has a text.
func says(lines []string, text string) bool { return strings.Contains(strings.Join(lines, "\n"), text) }

// whole is the claim of a bundle of all entries between two.
const whole = "nothing is missing"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entries are those of a bundle, by seq.
func entries(t testing.TB, b *evidence.Bundle) map[int64]audit.Entry {
	t.Helper()
	out := map[int64]audit.Entry{}
	for i := range b.Proofs {
		r, err := b.Proofs[i].Record()
		must(t, err)
		out[r.Entry.Seq] = r.Entry
	}
	return out
}
