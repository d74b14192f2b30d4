package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// site is a runtime that serves traffic on a port.
type site struct {
	*runtimetest.Runtime
	url string
}

// newSite serves a listener with a pool and a route that asks its members for /NAME.
func newSite(t *testing.T) *site {
	t.Helper()
	r := runtimetest.Start(t)
	port := runtimetest.FreePort(t)
	s := &site{r, fmt.Sprintf("http://127.0.0.1:%d/", port)}
	t.Setenv("AUDITLB_ENDPOINT", r.Endpoint)
	t.Setenv("AUDITLB_TOKEN", r.Operator)
	t.Setenv("AUDITLB_CHANGE_TICKET", "")
	s.pool(t, member(t, "one"))
	s.put(t, "listener/front", fmt.Sprintf(`{"owner":"team-web","address":"127.0.0.1","port":%d,"default_pool":"web"}`, port))
	s.route(t, "one")
	s.serves(t, http.StatusOK)
	return s
}

// member is a backend that knows nothing but /NAME.
func member(t *testing.T, name string) string {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/"+name {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(backend.Close)
	return backend.Listener.Addr().String()
}

func (s *site) put(t *testing.T, address, object string) {
	t.Helper()
	at, err := lb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := lb.Decode(at.Kind, []byte(object))
	if err != nil {
		t.Fatal(err)
	}
	cl := s.Client(t, client.Config{Ticket: s.Ticket})
	pre := client.IfAbsent()
	if _, err := cl.Get(t.Context(), at); err == nil {
		pre = client.IfPresent()
	}
	if _, err := cl.Put(t.Context(), at, obj, pre); err != nil {
		t.Fatal(err)
	}
}

func (s *site) pool(t *testing.T, address string) {
	t.Helper()
	s.put(t, "pool/web", fmt.Sprintf(`{"owner":"team-web","members":{"a":{"address":%q}}}`, address))
}

func (s *site) route(t *testing.T, name string) {
	t.Helper()
	s.put(t, "route/web", fmt.Sprintf(`{"owner":"team-web","listener":"front","action":{"forward":{"web":{}},"rewrite":{"path":"/%s"}}}`, name))
}

// serves fails the test unless a request is answered with a status, at once.
func (s *site) serves(t *testing.T, status int) {
	t.Helper()
	resp, err := http.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != status {
		t.Fatalf("served %d %q, %v; want %d", resp.StatusCode, body, err, status)
	}
}

// calls makes a call of the command line in this process, and returns what it prints.
func calls(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("auditlb %s: %v\n%s", strings.Join(args, " "), err, &out)
	}
	return out.String()
}

// TestFromAlertToTrafficRestoredIsOneCommand: when it returns, the next request is served.
func TestFromAlertToTrafficRestoredIsOneCommand(t *testing.T) {
	s := newSite(t)
	s.pool(t, fmt.Sprintf("127.0.0.1:%d", runtimetest.FreePort(t)))
	s.serves(t, http.StatusBadGateway)
	out := calls(t, "rollback", "pool/web", "--apply", "--emergency", "web answers with 502")
	s.serves(t, http.StatusOK)
	entries := s.Entries(t, api.EntryQuery{Resource: "pool/web", Type: "apply"})
	if last := entries[len(entries)-1]; last.Rollback == nil || !last.Emergency || last.Unplanned || !strings.Contains(out, fmt.Sprintf("revision %d, under ticket %s", last.Seq, last.Ticket)) {
		t.Errorf("%+v\n%s", last.Entry, out)
	}
}

// TestNoRequestSeesHalfARollback: pool and route go back and forth together, and what one of
// them would make of the other's past is an error that no request may meet.
func TestNoRequestSeesHalfARollback(t *testing.T) {
	s := newSite(t)
	cl := s.Client(t, client.Config{})
	revision := func() string {
		log, err := cl.Log(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(log.Size - 1)
	}
	one := revision()
	s.pool(t, member(t, "two"))
	s.route(t, "two")
	two := revision()
	var served, failed atomic.Int64
	var first atomic.Value
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := http.Get(s.url)
				if err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed.Add(1)
					first.CompareAndSwap(nil, resp.Status)
				}
				served.Add(1)
			}
		})
	}
	for i := range 12 {
		to := []string{one, two}[i%2]
		calls(t, "rollback", "--all", "--to", to, "--apply", "--emergency", "back and forth", "--override-conflicts")
		for enough := served.Load() + 20; served.Load() < enough; {
			time.Sleep(time.Millisecond)
		}
	}
	close(done)
	clients.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed; the first: %v", failed.Load(), served.Load(), first.Load())
	}
}
