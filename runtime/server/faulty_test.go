package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// innards is the text of an injected error, which nobody outside may see.
const innards = "disk I/O error at /var/lib/secret-place: page 17"

// faultyStore fails as it is told to.
type faultyStore struct {
	control.Store
	write, read, extent atomic.Pointer[error]
	// leaves, if not nil, is called by whoever reads leaves, before they do.
	leaves atomic.Pointer[func()]
	// keyless has lost every private key.
	keyless atomic.Bool
}

func (s *faultyStore) Secret(ctx context.Context, id string) ([]byte, error) {
	if s.keyless.Load() && strings.HasPrefix(id, "key/") {
		return nil, nil
	}
	return s.Store.Secret(ctx, id)
}

func failing(err error) *error { return &err }

func (s *faultyStore) Begin(ctx context.Context) (control.Tx, error) {
	if err := s.write.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Begin(ctx)
}

func (s *faultyStore) Entries(ctx context.Context, q control.Query) ([]audit.Row, error) {
	if err := s.read.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Entries(ctx, q)
}

func (s *faultyStore) Entry(ctx context.Context, seq int64) (*audit.Row, error) {
	if s.read.Load() != nil {
		panic(innards)
	}
	return s.Store.Entry(ctx, seq)
}

func (s *faultyStore) Leaves(ctx context.Context, from int64, limit int) ([][]byte, error) {
	if f := s.leaves.Load(); f != nil {
		(*f)()
	}
	return s.Store.Leaves(ctx, from, limit)
}

func (s *faultyStore) Extent(ctx context.Context) (audit.Extent, error) {
	if err := s.extent.Load(); err != nil {
		return audit.Extent{}, *err
	}
	return s.Store.Extent(ctx)
}

// startFaulty serves a log over a store that can fail, without a data plane, to
// callers who send their calls within a second.
func startFaulty(t *testing.T) (*rig, *faultyStore) {
	t.Helper()
	store := &faultyStore{Store: openStore(t, t.TempDir())}
	return startOver(t, control.Options{Store: store}, server.Options{
		DataPlane: func() (int64, []string) {
			return 7, []string{"listener/edge is not bound: bind 127.0.0.1:80: permission denied"}
		},
	}), store
}

func openStore(t *testing.T, dir string) control.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// startOver serves a log over a store without a daemon around it, so that clocks
// and faults can be had.
func startOver(t *testing.T, with control.Options, opts server.Options) *rig {
	t.Helper()
	logs := &runtimetest.Buffer{}
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	with.Logger = logger
	log := controltest.Open(t, with)
	opts.Controller, opts.Log, opts.Logger, opts.Registry = log.Controller, with.Store, logger, prometheus.NewRegistry()
	if opts.DataPlane == nil {
		opts.DataPlane = func() (int64, []string) { return log.Config().Revision(), nil }
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = server.HTTPServer(server.New(opts), logger)
	s.Config.ReadTimeout = time.Second // to wait less than users do
	s.Start()
	t.Cleanup(s.Close)
	r := &rig{Runtime: &runtimetest.Runtime{Endpoint: s.URL, Logs: logs, Tokens: map[identity.Role]string{}}}
	for _, role := range identity.Roles {
		_, secret, err := log.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: runtimetest.People[role], Role: role})
		if err != nil {
			t.Fatal(err)
		}
		r.Tokens[role] = secret
	}
	r.Operator, r.Ticket = r.Tokens[identity.Operator], log.Ticket(t, "CHG-1")
	r.contract = newContract(t, s.URL, "")
	return r
}

func TestInternalErrorsStayInside(t *testing.T) {
	r, store := startFaulty(t)
	r.create(t, "pool/web", pool())
	cause := errors.New(innards)
	tests := []struct {
		name         string
		inject       func()
		method, path string
		code         api.Code
		says         string
	}{
		{"reading fails", func() { store.read.Store(&cause) }, http.MethodGet, "/v1/entries", api.CodeInternal, "something went wrong"},
		{"reading panics", func() { store.read.Store(&cause) }, http.MethodGet, "/v1/entries/1", api.CodeInternal, "something went wrong"},
		{"reading takes too long", func() { store.read.Store(failing(context.DeadlineExceeded)) }, http.MethodGet, "/v1/entries", api.CodeLogUnavailable, "in time"},
		{"writing fails", func() { store.write.Store(&cause) }, http.MethodPut, "/v1/pools/web", api.CodeLogUnavailable, "same idempotency key"},
		{"log is full", func() { store.write.Store(failing(errors.Join(control.ErrLogFull, cause))) }, http.MethodPut, "/v1/pools/web", api.CodeLogFull, "no space left"},
		{"checkpoint can't be read", func() { store.extent.Store(&cause) }, http.MethodGet, "/tlog/checkpoint", api.CodeInternal, "something went wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.inject()
			defer func() { store.read.Store(nil); store.write.Store(nil); store.extent.Store(nil) }()
			var body any
			if tt.method == http.MethodPut {
				body = pool("10.0.0.1:80")
			}
			a := r.do(t, tt.method, tt.path, body, updating)
			if a.problem.Code != tt.code || a.status != api.Statuses[tt.code] || !strings.Contains(a.problem.Detail, tt.says) {
				t.Fatalf("%s, want %s: … %s …", a, tt.code, tt.says)
			}
			for _, word := range []string{"I/O", "/var", "page", "deadline", "goroutine", "sql"} {
				if strings.Contains(string(a.body), word) {
					t.Errorf("the answer tells %q: %s", word, a)
				}
			}
			if !strings.Contains(r.Logs.String(), "request_id="+a.problem.RequestID) {
				t.Errorf("the log does not have request %s", a.problem.RequestID)
			}
			if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
	if !strings.Contains(r.Logs.String(), "secret-place") {
		t.Error("the operator's log does not have the cause")
	}
	var shown api.Object
	r.must(t, &shown, http.MethodGet, "/v1/pools/web", nil)
	if strings.Contains(string(shown.Object), "10.0.0.1") {
		t.Error("a change that was answered with a failure happened")
	}
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating)
}

func TestReadinessTellsWhatIsMissing(t *testing.T) {
	r, store := startFaulty(t)
	cause := errors.New(innards)
	store.extent.Store(&cause)
	a := r.do(t, http.MethodGet, "/readyz", nil)
	if want := `{"ready":false,"revision":7,"problems":["the log can't be read","listener/edge is not bound: bind 127.0.0.1:80: permission denied"]}`; a.status != http.StatusServiceUnavailable || string(a.body) != want {
		t.Errorf("readyz: %s\nwant %s", a, want)
	}
}
