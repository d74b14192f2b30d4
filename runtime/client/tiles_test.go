package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func TestTilesThatAreNotTheCheckpointsAreNeverBelieved(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(300, "entry")
	later := start.grow(400, "entry")
	status := func(code int) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, _ []byte) { w.WriteHeader(code) }
	}
	for _, c := range []struct {
		name string
		tile func(w http.ResponseWriter, content []byte)
		want client.HistoryKind // "" is an error of another kind
	}{
		{"edited", func(w http.ResponseWriter, b []byte) { b[len(b)/2] ^= 1; _, _ = w.Write(b) }, client.Contradictory},
		{"truncated", func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b[:len(b)-32]) }, client.Contradictory},
		{"too long", func(w http.ResponseWriter, b []byte) { _, _ = w.Write(append(b, b...)) }, client.Contradictory},
		{"empty", func(http.ResponseWriter, []byte) {}, client.Contradictory},
		{"zeros", func(w http.ResponseWriter, b []byte) { _, _ = w.Write(make([]byte, len(b))) }, client.Contradictory},
		{"not there", status(http.StatusNotFound), ""},
		{"failed", status(http.StatusInternalServerError), ""},
		{"forbidden", status(http.StatusForbidden), ""},
		{"without end", func(w http.ResponseWriter, _ []byte) {
			for block := bytes.Repeat([]byte("x"), 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, ""},
		{"broken off", func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			_, _ = w.Write(b[:10])
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLiar(t, later)
			l.tile = c.tile
			h, _ := l.history(t, "", nil)
			err := h.Check(t.Context(), start.seen(t))
			if c.want != "" {
				is(t, err, c.want)
				return
			}
			var wrong *client.HistoryError
			if err == nil || errors.As(err, &wrong) {
				t.Errorf("%v", err)
			}
			// What could not be found out is asked for again.
			l.shows(func(l *liar) { l.tile = nil })
			is(t, h.Check(t.Context(), start.seen(t)), "")
		})
	}
	t.Run("slow", func(t *testing.T) {
		l, release := newLiar(t, later), make(chan struct{})
		l.tile = func(http.ResponseWriter, []byte) { <-release }
		defer close(release)
		h, _ := l.history(t, "", func(c *client.Config) { c.Timeout = 50 * time.Millisecond })
		err := h.Check(t.Context(), start.seen(t))
		var wrong *client.HistoryError
		if err == nil || errors.As(err, &wrong) || !client.IsUnreachable(err) {
			t.Errorf("%v", err)
		}
	})
}

// TestManyObjectsCostFewCalls: a thousand objects saw the log at as many sizes.
func TestManyObjectsCostFewCalls(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(1000, "entry")
	var seen []client.Seen
	g := start
	for range 1000 {
		seen = append(seen, g.seen(t))
		g = g.grow(1, "entry")
	}
	l := newLiar(t, g)
	h, _ := l.history(t, "", nil)
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			for i := part; i < len(seen); i += 8 {
				if err := h.Check(context.Background(), seen[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// The log, its 8 tiles of hashes, and the one above them.
	if calls := l.calls.Load(); calls > 12 {
		t.Errorf("%d calls", calls)
	}
}
