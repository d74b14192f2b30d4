package upstream

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// http2Member starts a member over HTTP/2 that answers in two halves, the second once
// it may proceed. Open is how many connections it has.
func http2Member(t *testing.T, proceed <-chan struct{}) (address string, open *atomic.Int64) {
	t.Helper()
	open = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "first ")
		http.NewResponseController(w).Flush()
		<-proceed
		io.WriteString(w, "second")
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), open
}

func TestHTTP2ConnectionsOfAGoneMemberAreClosedAfterTheirUse(t *testing.T) {
	for _, tc := range []struct {
		name       string
		closeFirst bool // the request is sent after Close
	}{
		{"in use when the member goes", false},
		{"opened by a request that began before", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			proceed := make(chan struct{})
			address, open := http2Member(t, proceed)
			h := NewHTTP2(Settings{Address: address, Connect: time.Minute, Write: time.Minute, Idle: time.Hour})
			if tc.closeFirst {
				h.Close()
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := h.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if !tc.closeFirst {
				h.Close()
			}
			close(proceed)
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "first second" || err != nil {
				t.Errorf("a request under way got %q, %v", body, err)
			}
			for end := time.Now().Add(20 * time.Second); open.Load() > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the connection stays open, unused")
				}
			}
		})
	}
}
