package provider

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// private is a private state in memory.
type private map[string][]byte

// GetKey implements privateReader.
func (p private) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) {
	return p[key], nil
}

// SetKey implements privateWriter.
func (p private) SetKey(_ context.Context, key string, value []byte) diag.Diagnostics {
	p[key] = value
	return nil
}

func connected(t *testing.T, rt *runtimetest.Runtime, pin string) *connection {
	t.Helper()
	c := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Viewer]), Attempts: 1})
	return &connection{Client: c, history: c.LogHistory(pin)}
}

// seenIn is what a private state has of the log.
func seenIn(t *testing.T, p private) client.Seen {
	t.Helper()
	var seen client.Seen
	if err := json.Unmarshal(p[privateSeen], &seen); err != nil {
		t.Fatalf("%v in %s", err, p[privateSeen])
	}
	return seen
}

// TestWhatAStateKeepsAndIsDamagedIsReplacedWithAWarning, and so is what it never had. A
// viewer's credential suffices for all of it.
func TestWhatAStateKeepsAndIsDamagedIsReplacedWithAWarning(t *testing.T) {
	rt := runtimetest.Start(t)
	c := connected(t, rt, "")
	now, err := c.history.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := func(s client.Seen) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, tc := range map[string]struct {
		kept  string
		warns bool
	}{
		"nothing, as after an import":  {"", false},
		"no JSON":                      {"\x00\xff", true},
		"another JSON":                 {`["x"]`, true},
		"null":                         {"null", true},
		"an empty object":              {"{}", true},
		"a checkpoint of nobody":       {text(client.Seen{PublicKey: now.PublicKey, Checkpoint: "x"}), true},
		"a checkpoint that was edited": {text(client.Seen{PublicKey: now.PublicKey, Checkpoint: "x" + now.Checkpoint}), true},
	} {
		t.Run(name, func(t *testing.T) {
			state := private{}
			if tc.kept != "" {
				state[privateSeen] = []byte(tc.kept)
			}
			for _, to := range []privateWriter{nil, state} {
				var diags diag.Diagnostics
				if !c.checkHistory(t.Context(), state, to, &diags) || diags.HasError() || (diags.WarningsCount() == 1) != tc.warns {
					t.Errorf("%v", diags)
				}
			}
			if seen := seenIn(t, state); seen.Checkpoint != now.Checkpoint {
				t.Errorf("kept is %+v", seen)
			}
			var diags diag.Diagnostics
			if !c.checkHistory(t.Context(), state, state, &diags) || len(diags) > 0 {
				t.Errorf("and then: %v", diags)
			}
		})
	}
}

// TestAnObjectIsNotReplacedBecauseTheCheckpointCouldNotBeHad: an error would taint it.
func TestAnObjectIsNotReplacedBecauseTheCheckpointCouldNotBeHad(t *testing.T) {
	rt := runtimetest.Start(t)
	c := connected(t, rt, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var diags diag.Diagnostics
	state := private{}
	for range 3 {
		c.remember(ctx, state, &diags)
	}
	if diags.HasError() || diags.WarningsCount() != 1 || len(state) > 0 {
		t.Errorf("%v %v", diags, state)
	}
	// What matters more is still said.
	c.complain(&diags, &client.HistoryError{Kind: client.RolledBack})
	c.complain(&diags, &client.HistoryError{Kind: client.RolledBack})
	if diags.ErrorsCount() != 1 {
		t.Errorf("%v", diags)
	}
}

// TestWhatIsWrongWithAHistoryIsSaidOnceAndShort holds the texts, and how long they are.
func TestWhatIsWrongWithAHistoryIsSaidOnceAndShort(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	seen := client.Seen{PublicKey: "key", Checkpoint: "example.com/log\n9\nroot\n\n— example.com/log sig\n", At: at}
	now := client.Seen{PublicKey: "key", Checkpoint: "example.com/log\n5\nroot\n\n— example.com/log sig\n", At: at}
	restart := &api.LogRestart{Seq: 4, Time: at, Actor: "system/operator", Origin: "example.com/log-2", PublicKey: "example.com/log-2+key", Reason: "INC-77"}
	for _, tc := range []struct {
		err           error
		summary, says string
	}{
		{&client.HistoryError{Kind: client.RolledBack, Seen: seen, Now: now, SeenSize: 9, NowSize: 5}, "The change log is not the one that was seen before", "The change log was rolled back: 9 entries were seen at 2026-01-31T12:00:00Z, and now it has 5."},
		{&client.HistoryError{Kind: client.Rewritten, Seen: seen, Now: now, SeenSize: 4, NowSize: 5}, "The change log is not the one that was seen before", "The change log was rewritten: the first 4 of its 5 entries are not those that were seen at 2026-01-31T12:00:00Z."},
		{&client.HistoryError{Kind: client.Contradictory}, "The change log is not the one that was seen before", "The change log's tree is not the one that its own checkpoint signs."},
		{&client.HistoryError{Kind: client.Unsigned}, "The change log is not signed by a trusted key", "The change log is not signed by the key that is trusted, nor by one that it vouches for."},
		{&client.HistoryError{Kind: client.Restarted, Restart: restart, Seen: seen, Now: now, SeenSize: 9}, "The change log was restarted", "restarted under the name example.com/log-2 by system/operator at 2026-01-31T12:00:00Z (INC-77): 9 entries were seen"},
		{errors.New("connection refused"), "Can't check the change log's history", "onnection refused"},
	} {
		var diags diag.Diagnostics
		(&connection{}).complain(&diags, tc.err)
		if len(diags) != 1 || diags[0].Summary() != tc.summary || !strings.Contains(diags[0].Detail(), tc.says) || len(diags[0].Detail()) > 1000 {
			t.Errorf("%v", diags)
		}
	}
}

func TestAPinIsHeldToAlsoWhereNothingWasSeen(t *testing.T) {
	rt, other := runtimetest.Start(t), runtimetest.Start(t)
	c := connected(t, rt, other.Daemon.Controller.PublicKey())
	var diags diag.Diagnostics
	state := private{}
	c.remember(t.Context(), state, &diags)
	if diags.ErrorsCount() != 1 || diags[0].Summary() != "The change log is not signed by a trusted key" || len(state) > 0 {
		t.Errorf("%v %v", diags, state)
	}
}

// TestAnAnchorMovesUpToTheNewestCheckpoint takes the log as it is into the model.
func TestAnAnchorMovesUpToTheNewestCheckpoint(t *testing.T) {
	rt := runtimetest.Start(t)
	var first, second auditAnchorModel
	if _, err := first.see(t.Context(), connected(t, rt, "").history); err != nil {
		t.Fatal(err)
	}
	rt.Token(t, "someone", identity.Viewer)
	seen, err := second.see(t.Context(), connected(t, rt, "").history)
	if err != nil {
		t.Fatal(err)
	}
	if second.Size.ValueInt64() != first.Size.ValueInt64()+1 || second.Checkpoint.ValueString() != seen.Checkpoint || second.Origin.ValueString() != rt.Daemon.Controller.Origin() || second.Root == first.Root {
		t.Errorf("%+v, and then %+v", first, second)
	}
}
