package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// is fails the test unless an error is of the history, of a kind; "" is none at all.
func is(t *testing.T, err error, want client.HistoryKind) *client.HistoryError {
	t.Helper()
	var wrong *client.HistoryError
	switch {
	case want == "" && err != nil:
		t.Errorf("it is not what was seen: %v", err)
	case want != "" && (!errors.As(err, &wrong) || wrong.Kind != want):
		t.Errorf("%v; want %s", err, want)
	}
	return wrong
}

func TestALogIsHeldToWhatWasSeenOfIt(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(300, "entry")
	later := start.grow(400, "entry")
	stranger, elsewhere := logKey(t, logOrigin), logKey(t, "example.com/elsewhere")
	restarted := start.restarted(t, "example.com/log-2")
	for _, c := range []struct {
		name string
		seen grown
		now  grown
		pin  string
		want client.HistoryKind
	}{
		{"the same", start, start, "", ""},
		{"it grew", start, later, "", ""},
		{"nothing was there", grown{signer: start.signer}, later, "", ""},
		{"rolled back", later, start, "", client.RolledBack},
		{"emptied", later, grown{signer: start.signer}, "", client.RolledBack},
		{"a fork of the same size", later, start.grow(400, "other"), "", client.Rewritten},
		{"a fork that is longer", later, start.grow(700, "other"), "", client.Rewritten},
		{"another key", start, later.by(stranger), "", client.Unsigned},
		{"another log", start, later.by(elsewhere), "", client.Unsigned},
		{"a new key that both vouch for", start, start.rotated(t).grow(20, "entry"), "", ""},
		{"three new keys", start, start.rotated(t).grow(20, "entry").rotated(t).rotated(t).grow(1, "entry"), "", ""},
		{"the old key pinned", start, start.rotated(t).rotated(t), start.signer.PublicKey(), ""},
		{"a stranger's key pinned", start, later, stranger.PublicKey(), client.Unsigned},
		{"a new key, and rewritten", later, start.grow(400, "other").rotated(t), "", client.Rewritten},
		{"a new key of a fork before it", later, start.rotated(t), "", client.RolledBack},
		{"restarted", start, restarted, "", client.Restarted},
		{"restarted twice", start, restarted.restarted(t, "example.com/log-3"), "", client.Restarted},
		{"restarted after another log", later.by(elsewhere), restarted, "", client.Unsigned},
		{"restarted, and accepted", later, restarted, restarted.signer.PublicKey(), ""},
		{"restarted, and another key accepted", later, restarted, stranger.PublicKey(), client.Unsigned},
		{"restarted under the pin, and rewritten since", restarted.grow(9, "entry"), restarted.grow(20, "other"), restarted.signer.PublicKey(), client.Rewritten},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLiar(t, c.now)
			h, _ := l.history(t, c.pin, nil)
			seen := c.seen.seen(t)
			wrong := is(t, h.Check(t.Context(), seen), c.want)
			if wrong == nil {
				return
			}
			pinned := c.pin != "" && c.want == client.Unsigned
			if wrong.Seen != seen || wrong.SeenSize != c.seen.tree.Size() || wrong.NowSize != c.now.tree.Size() && !pinned {
				t.Errorf("it says that %d were seen, and %d are there: %v", wrong.SeenSize, wrong.NowSize, wrong)
			}
			calls := l.calls.Load()
			if is(t, h.Check(t.Context(), seen), c.want); l.calls.Load() != calls && !pinned {
				t.Error("it is found out again")
			}
		})
	}
}

// TestARewriteIsFoundAtEverySize: whatever the sizes of what was seen and what is.
func TestARewriteIsFoundAtEverySize(t *testing.T) {
	const size = 70
	start := grown{signer: logKey(t, logOrigin)}
	honest := start.grow(size, "entry")
	h, _ := newLiar(t, honest).history(t, "", nil)
	for at := range size {
		fork, _ := newLiar(t, start.grow(at, "entry").grow(1, "other").grow(size-at, "entry")).history(t, "", nil)
		for _, seen := range []int{at + 1, size, (at + size) / 2} {
			before := start.grow(seen, "entry").seen(t)
			is(t, h.Check(t.Context(), before), "")
			want := client.Rewritten
			if seen <= at {
				want = ""
			}
			is(t, fork.Check(t.Context(), before), want)
		}
	}
}

// TestAnswersThatAreNotOfHistoryAreNoHistoryErrors, and the other way round.
func TestAnswersThatAreNotOfHistoryAreNoHistoryErrors(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(30, "entry")
	other := logKey(t, logOrigin)
	for _, c := range []struct {
		name string
		log  func(*api.Log)
		want client.HistoryKind
	}{
		{"a key that is none", func(l *api.Log) { l.PublicKey = "x" }, client.Unsigned},
		{"no checkpoint", func(l *api.Log) { l.Checkpoint = "" }, client.Unsigned},
		{"a checkpoint by another", func(l *api.Log) { l.Checkpoint = start.by(other).checkpoint(t) }, client.Unsigned},
		{"a checkpoint that was edited", func(l *api.Log) { l.Checkpoint = strings.Replace(l.Checkpoint, "\n30\n", "\n31\n", 1) }, client.Unsigned},
		{"rotations without end", func(l *api.Log) {
			l.Rotations = slices.Repeat(start.rotated(t).rotations, audit.MaxRotations+1)
		}, ""},
		{"another size beside it", func(l *api.Log) { l.Size, l.Root, l.Origin = 1<<60, "x", "example.com/x" }, ""},
		{"a cosigned checkpoint by another", func(l *api.Log) { l.Cosigned = start.by(other).checkpoint(t) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLiar(t, start)
			l.log = c.log
			h, _ := l.history(t, "", nil)
			is(t, h.Check(t.Context(), start.seen(t)), c.want)
			log, err := h.Log(t.Context())
			if is(t, err, c.want); c.want == "" && (log.Size != 30 || log.Origin != logOrigin || log.Cosigned != "") {
				t.Errorf("what is not signed is believed: %+v", log)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		l := newLiar(t, start)
		h, _ := l.history(t, "", nil)
		l.Close()
		var wrong *client.HistoryError
		if err := h.Check(t.Context(), start.seen(t)); err == nil || errors.As(err, &wrong) {
			t.Errorf("%v", err)
		}
	})
}

// TestWhatWasKeptAndIsDamagedSaysNothingOfTheLog: it is told apart from everything else.
func TestWhatWasKeptAndIsDamagedSaysNothingOfTheLog(t *testing.T) {
	start := grown{signer: logKey(t, logOrigin)}.grow(30, "entry")
	l := newLiar(t, start)
	h, _ := l.history(t, "", nil)
	good := start.seen(t)
	for name, seen := range map[string]client.Seen{
		"nothing":                  {},
		"no key":                   {Checkpoint: good.Checkpoint},
		"a key that is none":       {PublicKey: "x", Checkpoint: good.Checkpoint},
		"signed by nobody":         {PublicKey: logKey(t, logOrigin).PublicKey(), Checkpoint: good.Checkpoint},
		"signed under another":     {PublicKey: logKey(t, "x.example").PublicKey(), Checkpoint: good.Checkpoint},
		"edited":                   {PublicKey: good.PublicKey, Checkpoint: strings.Replace(good.Checkpoint, "\n30\n", "\n31\n", 1)},
		"no checkpoint":            {PublicKey: good.PublicKey, Checkpoint: "x"},
		"a checkpoint without end": {PublicKey: good.PublicKey, Checkpoint: strings.Repeat(good.Checkpoint, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			err := h.Check(t.Context(), seen)
			var wrong *client.HistoryError
			if !errors.Is(err, client.ErrUnreadable) || errors.As(err, &wrong) {
				t.Errorf("%v", err)
			}
		})
	}
	if l.calls.Load() > 0 {
		t.Errorf("the log was asked %d times", l.calls.Load())
	}
	if err := h.Contains(t.Context(), "x"); !errors.Is(err, client.ErrNotCheckpoint) {
		t.Errorf("%v", err)
	}
}
