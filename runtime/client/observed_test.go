package client_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// TestALogThatChangesWhileItIsReadIsHeldToWhatWasRead: what one process read before
// stays what the log is held to, until it is a continuation of that.
func TestALogThatChangesWhileItIsReadIsHeldToWhatWasRead(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(300, "entry")
	read := start.grow(100, "entry")
	for _, c := range []struct {
		name string
		then grown
		want client.HistoryKind
	}{
		{"it grew", read.grow(1, "entry"), ""},
		{"it went back", start, client.RolledBack},
		{"it went another way", start.grow(500, "other"), client.Rewritten},
		{"it has another root", start.grow(100, "other"), client.Rewritten},
		{"it has another key", read.grow(1, "entry").by(logKey(t, logOrigin)), client.Unsigned},
		{"it changed its key", read.rotated(t), ""},
		{"it was restarted", start.restarted(t, "example.com/log-2"), client.Restarted},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLiar(t, read)
			h, _ := l.history(t, "", nil)
			if _, err := h.Log(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.shows(func(l *liar) { l.g = c.then })
			for range 2 { // it does not get used to it
				_, err := h.Log(t.Context())
				wrong := is(t, err, c.want)
				if wrong != nil && (wrong.SeenSize != 400 || wrong.NowSize != c.then.tree.Size() || wrong.Now.Checkpoint == "") {
					t.Errorf("%d were seen, and %d are there: %v", wrong.SeenSize, wrong.NowSize, wrong)
				}
			}
			seen, err := h.Latest(t.Context())
			if is(t, err, ""); c.want != "" && seen.Checkpoint != read.checkpoint(t) {
				t.Errorf("kept is\n%s", seen.Checkpoint)
			}
			// What others saw later than that is not to be found.
			later := c.want
			if later == "" {
				later = client.RolledBack
			}
			is(t, h.Check(t.Context(), read.grow(50, "entry").seen(t)), later)
			l.shows(func(l *liar) { l.g = read.grow(60, "entry") })
			if c.want != "" {
				_, err = h.Log(t.Context())
				is(t, err, "") // it is back
			}
		})
	}
	t.Run("what can't be compared does not take its place", func(t *testing.T) {
		l := newLiar(t, read)
		h, _ := l.history(t, "", nil)
		first, err := h.Latest(t.Context())
		is(t, err, "")
		l.shows(func(l *liar) { l.g, l.tile = start.grow(500, "other"), notThere })
		if _, err := h.Log(t.Context()); err == nil {
			t.Error("it is taken")
		}
		if now, err := h.Latest(t.Context()); err != nil || now != first {
			t.Errorf("%v %+v", err, now)
		}
		l.shows(func(l *liar) { l.tile = nil })
		_, err = h.Log(t.Context())
		is(t, err, client.Rewritten)
	})
}

// TestWhatComesWithAnAnswerIsKeptOnlyWhenTheLogSignedIt looks at the header of answers.
func TestWhatComesWithAnAnswerIsKeptOnlyWhenTheLogSignedIt(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(30, "entry")
	next := start.grow(3, "entry")
	l := newLiar(t, start)
	h, c := l.history(t, "", nil)
	get := func(header string) {
		t.Helper()
		l.shows(func(l *liar) { l.header = header })
		if _, err := c.Get(t.Context(), web); err != nil {
			t.Fatal(err)
		}
	}
	latest := func() string {
		t.Helper()
		seen, err := h.Latest(t.Context())
		is(t, err, "")
		if _, err := seen.Open(); err != nil {
			t.Errorf("kept is what can't be read: %v", err)
		}
		return seen.Checkpoint
	}
	huge := strings.Replace(next.checkpoint(t), "\n33\n", "\n4611686018427387904\n", 1)
	forged := []string{
		"", "x", inHeader(""), inHeader("x"), inHeader(huge), inHeader(strings.Replace(next.checkpoint(t), "\n33\n", "\n-1\n", 1)),
		inHeader(strings.Split(huge, "\n\n")[0] + "\n"), inHeader(start.grow(99, "x").by(logKey(t, logOrigin)).checkpoint(t)),
		inHeader(start.grow(99, "x").by(logKey(t, "example.com/other")).checkpoint(t)),
		inHeader(next.checkpoint(t) + strings.Repeat("— x AAAAAAAA\n", 50_000))[:900_000],
	}
	for _, header := range append(forged, inHeader(next.checkpoint(t))) {
		get(header) // before the key is known
	}
	if latest() != start.checkpoint(t) {
		t.Error("it is kept before the key is known")
	}
	for _, header := range forged {
		if get(header); latest() != start.checkpoint(t) {
			t.Errorf("kept is\n%s", latest())
		}
	}
	if get(inHeader(next.checkpoint(t))); latest() != next.checkpoint(t) {
		t.Error("what the log signed is not kept")
	}
	for _, header := range append(forged, inHeader(start.checkpoint(t))) {
		if get(header); latest() != next.checkpoint(t) {
			t.Errorf("kept is\n%s", latest())
		}
	}
	if is(t, h.Check(t.Context(), start.seen(t)), ""); l.calls.Load() > int64(3*len(forged)+8) {
		t.Errorf("%d calls", l.calls.Load())
	}
}

// TestAHistoryIsForManyAtOnce is for the race detector.
func TestAHistoryIsForManyAtOnce(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(300, "entry")
	l := newLiar(t, start.grow(20, "entry"))
	l.header = inHeader(start.grow(20, "entry").checkpoint(t))
	h, c := l.history(t, "", nil)
	seen, forked := start.seen(t), start.grow(5, "other").seen(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ctx := context.Background()
			_, err := c.Get(ctx, web)
			is(t, err, "")
			is(t, h.Check(ctx, seen), "")
			is(t, h.Check(ctx, forked), client.Rewritten)
			is(t, h.Contains(ctx, seen.Checkpoint), "")
			is(t, h.Contains(ctx, forked.Checkpoint), client.Rewritten)
			_, err = h.Latest(ctx)
			is(t, err, "")
			_, err = h.Log(ctx)
			is(t, err, "")
		})
	}
	all.Wait()
}

// TestALogOfAbsurdSizeIsNoMatter: its own key signs whatever its owner likes.
func TestALogOfAbsurdSizeIsNoMatter(t *testing.T) {
	skey, vkey, err := audit.GenerateKey(logOrigin)
	is(t, err, "")
	start := grown{signer: keyOf(t, skey, vkey)}.grow(30, "entry")
	for _, size := range []int64{1 << 62, 1<<62 - 1, 1<<56 + 1, 1 << 56, 1<<40 + 12345} {
		l := newLiar(t, start)
		l.log = absurd(t, skey, start, size)
		h, c := l.history(t, "", nil)
		if err := h.Check(t.Context(), start.seen(t)); err == nil {
			t.Errorf("a log of %d entries has what was seen", size)
		}
		if size > 1<<56 {
			_, err := h.Log(t.Context())
			is(t, err, client.Unsigned)
			continue
		}
		log, err := h.Log(t.Context())
		is(t, err, "")
		seen, err := h.Latest(t.Context())
		is(t, err, "")
		head, err := seen.Open()
		is(t, err, "")
		for _, seq := range []int64{0, size / 2, size - 1} {
			if _, err := c.Tree(head).Prove(t.Context(), seq); err == nil {
				t.Errorf("entry %d of %d is proved", seq, log.Size)
			}
		}
		if l.calls.Load() > 100 {
			t.Errorf("%d calls", l.calls.Load())
		}
	}
}
