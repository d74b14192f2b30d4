package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

func TestTrafficIsToldByListenerAndPoolWithTheRevision(t *testing.T) {
	r := start(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(backend.Close)
	port := runtimetest.FreePort(t)
	r.create(t, "pool/app", pool(backend.Listener.Addr().String()))
	revision := r.create(t, "listener/web", listener(port, `,"default_pool":"app"`))
	for _, path := range []string{"/", "/", "/broken"} {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	// A request is counted just after its response is sent.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if c := r.Daemon.Engine.Traffic().Listeners["web"].Pools["app"].Requests; c[1] == 2 && c[4] == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not counted")
		}
	}
	r.Daemon.Traffic.Sample()

	var all api.Traffic
	r.must(t, &all, http.MethodGet, "/v1/traffic?since="+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), nil)
	if len(all.Items) != 2 || all.Items[0].Name() != "listener/web" || all.Items[1].Name() != "pool/app" || all.StepSeconds != 10 {
		t.Fatalf("%+v", all)
	}
	for _, s := range all.Items {
		last := s.Points[len(s.Points)-1]
		if s.Total.Requests != 3 || s.Total.Errors != 1 || s.Total.LatencyP99 <= 0 || s.Protocol != api.TrafficHTTP || last.Revision != revision {
			t.Errorf("%s: %+v", s.Name(), s)
		}
	}
	for query, want := range map[string]string{
		"listener=web":               "listener/web",
		"pool=app":                   "pool/app",
		"listener=web&pool=app":      "listener/web to pool/app",
		"pool=app&step=5m":           "pool/app",
		"limit=1":                    "listener/web",
		"cursor=listener/web":        "pool/app",
		"cursor=pool/app":            "",
		"until=2020-01-01T00:00:00Z": "listener/web", // known, and nothing counted
	} {
		var got api.Traffic
		r.must(t, &got, http.MethodGet, "/v1/traffic?"+query, nil)
		name := ""
		if len(got.Items) > 0 {
			name = got.Items[0].Name()
		}
		if name != want {
			t.Errorf("%s: %s, want %s", query, name, want)
		}
	}
	for query, want := range map[string]api.Code{
		"listener=none":              api.CodeNotFound,
		"pool=web":                   api.CodeNotFound,
		"step=0s":                    api.CodeMalformed,
		"step=25h":                   api.CodeMalformed,
		"step=5":                     api.CodeMalformed,
		"since=yesterday":            api.CodeMalformed,
		"until=1":                    api.CodeMalformed,
		"limit=0":                    api.CodeMalformed,
		"since=2100-01-01T00:00:00Z": api.CodeMalformed,
	} {
		if a := r.do(t, http.MethodGet, "/v1/traffic?"+query, nil); a.problem.Code != want {
			t.Errorf("%s: %s, want %s", query, a, want)
		}
	}
	if a := r.do(t, http.MethodGet, "/v1/traffic?listener="+strings.Repeat("x", 5000), nil); len(a.problem.Detail) > 500 {
		t.Errorf("an answer repeats %d bytes of the question", len(a.problem.Detail))
	}
}
