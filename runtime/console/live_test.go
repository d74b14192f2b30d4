package console_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

// TestAStreamEndsWithItsSession: an entry that comes after a session has ended is not
// written, though no page is asked for in between.
func TestAStreamEndsWithItsSession(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pass  time.Duration
		known bool
		want  string
	}{
		{"goes on", console.IdleTimeout - time.Second, true, "data: second"},
		{"nobody used it", console.IdleTimeout, true, ""},
		{"its credential was revoked", console.CheckEvery, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
			var unknown atomic.Bool
			more := make(chan struct{})
			r.stub.mu.Lock()
			r.answer = func(w http.ResponseWriter, in *http.Request) {
				switch {
				case in.URL.Path == "/v1/events":
					for _, what := range []string{"first", "second"} {
						if _, err := fmt.Fprintf(w, "data: %s\n\n", what); err != nil || http.NewResponseController(w).Flush() != nil {
							return
						}
						<-more
					}
				case unknown.Load():
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(http.StatusUnauthorized)
					fmt.Fprint(w, `{"code":"unauthenticated","status":401,"detail":"revoked"}`)
				default:
					fmt.Fprint(w, `{"name":"vera","permissions":[]}`)
				}
			}
			r.stub.mu.Unlock()
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/console/live", nil)
			resp, err := b.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			next := func() string {
				for lines.Scan() {
					if lines.Text() != "" {
						return lines.Text()
					}
				}
				return ""
			}
			if got := next(); got != "data: first" {
				t.Fatalf("the stream begins with %q", got)
			}
			r.pass(tt.pass)
			unknown.Store(!tt.known)
			more <- struct{}{}
			if got := next(); got != tt.want {
				t.Errorf("the stream goes on with %q, want %q", got, tt.want)
			}
			close(more)
			if n := strings.Count(r.logs.String(), "Bearer"); n > 0 {
				t.Error("the log holds a credential")
			}
		})
	}
}

func TestSigningOutEndsTheSessionAndItsStreams(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	cookie := b.cookie()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/console/live", nil)
	resp, err := b.client.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("no stream: %v %v", resp, err)
	}
	defer resp.Body.Close()
	stream := bufio.NewReader(resp.Body)
	if line, err := stream.ReadString('\n'); err != nil || line == "" {
		t.Fatalf("nothing comes: %q %v", line, err)
	}
	b.post("/console/sign-out")
	for {
		if _, err := stream.ReadString('\n'); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the stream goes on: %v", err)
		}
	}
	if b.cookie() == cookie {
		t.Error("the browser keeps the cookie")
	}
	if b.signedIn() {
		t.Error("still signed in")
	}
	u, _ := url.Parse(r.URL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "auditlb-console", Value: cookie, Path: "/"}})
	if b.signedIn() {
		t.Error("the cookie is still good")
	}
}

func TestTheStreamsOfASessionAreBounded(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	begin := func() *http.Response {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/console/live", nil)
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	var first *http.Response
	for i := range console.MaxSessionStreams {
		resp := begin()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("stream %d: %d", i, resp.StatusCode)
		}
		if i == 0 {
			first = resp
		}
	}
	if got := begin().StatusCode; got != http.StatusTooManyRequests {
		t.Errorf("one more: %d", got)
	}
	first.Body.Close()
	for deadline := time.Now().Add(20 * time.Second); begin().StatusCode != http.StatusOK; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a stream that ended makes no room")
		}
	}
}
