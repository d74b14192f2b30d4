package daemon_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// trackerToken is what the runtime shows at the tracker.
const trackerToken = "s3cret-of-the-runtime"

// tracker is a system that change tickets live in.
type tracker struct {
	url string

	mu           sync.Mutex // guards what follows
	states       map[string]string
	comments     map[string][]string
	down, closed bool // down answers nothing, closed takes no comments
}

func newTracker(t *testing.T) *tracker {
	t.Helper()
	tr := &tracker{states: map[string]string{}, comments: map[string][]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tickets/{id}", tr.show)
	mux.HandleFunc("POST /tickets/{id}/comments", tr.comment)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	tr.url = s.URL
	return tr
}

func (tr *tracker) show(w http.ResponseWriter, r *http.Request) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	id := r.PathValue("id")
	switch state, ok := tr.states[id]; {
	case r.Header.Get("Authorization") != "Bearer "+trackerToken:
		w.WriteHeader(http.StatusUnauthorized)
	case tr.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, map[string]any{"ref": id, "status": state, "by": "rita", "approved": []string{"bob"}})
	}
}

func (tr *tracker) comment(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var said struct {
		Text string `json:"text"`
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err := json.Unmarshal(body, &said); err != nil || tr.down || tr.closed {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	tr.comments[r.PathValue("id")] = append(tr.comments[r.PathValue("id")], said.Text)
}

// set makes a change at the tracker.
func (tr *tracker) set(change func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	change()
}

// said are the comments on a ticket.
func (tr *tracker) said(id string) []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]string(nil), tr.comments[id]...)
}

// governedBy is the configuration of a runtime whose tickets EXT-… live there. Their
// answers are not kept for longer than it takes to ask again.
func governedBy(t *testing.T, tr *tracker) daemon.Config {
	t.Helper()
	t.Setenv("TRACKER_TOKEN", trackerToken)
	c := config(t.TempDir(), -1)
	c.WriteBackAfter = "200ms"
	c.Authorities = []daemon.Authority{{
		Type: "http", Name: "tracker", URL: tr.url + "/tickets/{id}", CommentURL: tr.url + "/tickets/{id}/comments",
		Pattern: "EXT-[0-9]+", Scope: []string{"pool/*"}, TokenEnv: "TRACKER_TOKEN", Cache: "1ms",
		Fields: map[string]string{"id": "/ref", "state": "/status", "requester": "/by", "approvers": "/approved"},
	}}
	return c
}

// governed is a runtime whose tickets live at a tracker, and an operator of it.
type governed struct {
	*daemon.Daemon
	config daemon.Config
	token  api.Secret
	n      int
}

// startGoverned starts a runtime. The caller stops it.
func startGoverned(t *testing.T, c daemon.Config) *governed {
	t.Helper()
	g := &governed{Daemon: start(t, c), config: c}
	g.token = tokenOf(t, g.Daemon, "olivia", identity.Operator)
	return g
}

// again starts the runtime again that was stopped.
func (g *governed) again(t *testing.T) {
	t.Helper()
	g.Daemon = start(t, g.config)
}

func (g *governed) client(t *testing.T, id string) *client.Client {
	t.Helper()
	return newClient(t, g.Daemon, g.token, id)
}

// clientOf makes a token for somebody, and returns their client.
func clientOf(t *testing.T, d *daemon.Daemon, name string, role identity.Role, id string) *client.Client {
	t.Helper()
	return newClient(t, d, tokenOf(t, d, name, role), id)
}

func tokenOf(t *testing.T, d *daemon.Daemon, name string, role identity.Role) api.Secret {
	t.Helper()
	o, secret, err := d.Controller.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: name, Role: role})
	accepted(t, o, err)
	return api.Secret(secret)
}

func newClient(t *testing.T, d *daemon.Daemon, token api.Secret, id string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: d.Endpoint(), Token: token, Ticket: id, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// change makes a change under a ticket, each time another, and returns its entry.
func (g *governed) change(t *testing.T, id string) (int64, error) {
	t.Helper()
	p := pool("127.0.0.1:9")
	at := lb.Address{Kind: lb.KindPool, Name: fmt.Sprintf("p%d", g.n)}
	g.n++
	o, err := g.client(t, id).Put(t.Context(), at, p, client.IfAbsent())
	if err != nil {
		return 0, err
	}
	return o.Revision, nil
}

// written is up to which entry the ticket's authority was told.
func (g *governed) written(t *testing.T, id string) int64 {
	t.Helper()
	held, err := g.Controller.Ticket(t.Context(), id)
	if err != nil || held == nil {
		t.Fatalf("%+v, %v", held, err)
	}
	return held.Written
}

// refusedWith fails the test unless an error is a refusal with a code that says something.
func refusedWith(t *testing.T, err error, code api.Code, says string) {
	t.Helper()
	var problem *api.Problem
	if !errors.As(err, &problem) || problem.Code != code || !strings.Contains(problem.Detail, says) {
		t.Fatalf("%v; want it refused with %s: … %s …", err, code, says)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}
