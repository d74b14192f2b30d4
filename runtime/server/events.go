package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Bounds of streams of events.
const (
	maxStreams     = 64
	maxOwnStreams  = 8 // of one actor
	eventsAtOnce   = 100
	heartbeatEvery = 15 * time.Second
	// streamFor ends a stream, so that a credential that was revoked does not go on
	// reading. Its reader comes back with Last-Event-ID.
	streamFor = 15 * time.Minute
	// eventTimeout bounds the wait for a reader who does not read.
	eventTimeout = 30 * time.Second
)

// Feed tells streams of events that the log has grown. The zero value is ready.
type Feed struct {
	mu    sync.Mutex // guards what follows
	grown chan struct{}
	ended bool
}

// Notify wakes whoever waits. It does not wait itself.
func (f *Feed) Notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.grown != nil && !f.ended {
		close(f.grown)
		f.grown = nil
	}
}

// Close ends all streams.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.grown != nil && !f.ended {
		close(f.grown)
	}
	f.ended = true
}

// wait returns a channel that is closed once the log has grown; ok is false once
// streams have to end.
func (f *Feed) wait() (grown <-chan struct{}, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.grown == nil {
		f.grown = make(chan struct{})
	}
	return f.grown, !f.ended
}

// streams counts those that are read, by actor.
type streams struct {
	mu  sync.Mutex // guards by and all
	by  map[string]int
	all int
}

func (s *streams) begin(actor string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.by[actor] >= maxOwnStreams {
		return false
	}
	s.all++
	s.by[actor]++
	return true
}

func (s *streams) end(actor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.by[actor]--; s.by[actor] == 0 {
		delete(s.by, actor)
	}
}

// stream is an answer that is written bit by bit.
type stream func(ctx context.Context, w http.ResponseWriter)

// streamEvents follows the log: server-sent events, an entry's header each.
func (s *server) streamEvents(c *call) (*answer, error) {
	values := c.URL.Query()
	kind := audit.Type(values.Get("type"))
	if kind != "" && !slices.Contains(audit.Types, kind) {
		return nil, badParameter("type", fmt.Sprintf("must be one of %v", api.EntryTypes))
	}
	for _, name := range []string{"emergency", "follow"} {
		if text := values.Get(name); text != "" && text != "true" && text != "false" {
			return nil, badParameter(name, "must be true or false")
		}
	}
	from, err := s.beginning(c)
	if err != nil {
		return nil, err
	}
	if !s.streams.begin(c.actor.Name) {
		return nil, api.NewProblem(api.CodeTooManyStreams, fmt.Sprintf("%d streams of events are being read already, or %d of yours; end one or try again", maxStreams, maxOwnStreams))
	}
	name := c.actor.Name
	wanted := func(e *audit.Entry) bool {
		return (kind == "" || e.Type == kind) && (values.Get("emergency") != "true" || e.Emergency)
	}
	return &answer{status: http.StatusOK, stream: func(ctx context.Context, w http.ResponseWriter) {
		defer s.streams.end(name)
		ctx, cancel := context.WithTimeout(ctx, streamFor)
		defer cancel()
		s.follow(ctx, w, from, values.Get("follow") != "false", wanted)
	}}, nil
}

// beginning is the seq from which events are wanted: after the one that was seen
// last, or from now on.
func (s *server) beginning(c *call) (int64, error) {
	text := c.Header.Get(api.HeaderLastEventID)
	if text == "" {
		text = c.URL.Query().Get("after")
	}
	if text == "" {
		extent, err := s.Log.Extent(c.Context())
		return extent.Size, err
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, badParameter("after", "and Last-Event-ID must be an entry's seq")
	}
	return seq + 1, nil
}

// follow writes entries as they come, until the reader goes away.
func (s *server) follow(ctx context.Context, w http.ResponseWriter, from int64, on bool, wanted func(*audit.Entry) bool) {
	out := http.NewResponseController(w)
	for {
		// Asked for before reading: what is written in between wakes us.
		grown, open := s.Feed.wait()
		rows, err := s.Log.Rows(ctx, from, eventsAtOnce)
		if err != nil {
			return
		}
		_ = out.SetWriteDeadline(time.Now().Add(eventTimeout))
		for i := range rows {
			from = rows[i].Seq + 1
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil || !wanted(&e) {
				continue
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, rows[i].Leaf); err != nil {
				return
			}
		}
		if err := out.Flush(); err != nil {
			return
		}
		if len(rows) == eventsAtOnce {
			continue
		}
		if !on || !open {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		case <-time.After(heartbeatEvery):
			_ = out.SetWriteDeadline(time.Now().Add(eventTimeout))
			if _, err := fmt.Fprint(w, ": nothing new\n\n"); err != nil {
				return
			}
		}
	}
}
