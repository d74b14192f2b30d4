package matrix

import (
	"bytes"
	"errors"
	"iter"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// What a detector says of an attack.
const (
	yes = "yes"
	no  = "no"
	// byLastSeen: the node refuses to start, but only by the file in its own directory.
	byLastSeen = "by its own file"
	// byKey: nothing is found with the key in the data directory, but with the one of before.
	byKey = "with the key"
	// atTheNode: the witness refuses and the node raises the alarm; the witness itself
	// has nothing to show.
	atTheNode = "alarm at the node"
	// unsigned: the witness refuses, and nobody raises an alarm.
	unsigned = "not cosigned"
)

// crime is a log after an attack, and what of before it is held against.
type crime struct {
	dir  string
	kept keepsakes
	// endpoint is where clients are shown the log.
	endpoint string
	token    string
}

func (c *crime) client(t *testing.T) *client.Client { return clientOf(t, c.endpoint, c.token) }

// detectors are the columns of the table.
var detectors = []struct {
	name string
	ask  func(*testing.T, *crime) string
}{
	{"starting the node", start},
	{"verify --depth shape", verify(audit.DepthShape)},
	{"verify", verify(audit.DepthDeep)},
	{"checkpoint kept", checkpoint},
	{"Terraform state", terraform},
	{"witness", cosigning},
	{"proof file", proofFile},
	{"bundle", bundleFile},
}

// start opens the log as every start does, with and without the file that says what the
// node saw last.
func start(t *testing.T, c *crime) string {
	t.Helper()
	refused := func(dir string) bool {
		_, done, err := daemon.OpenLog(t.Context(), configOf(dir))
		if err == nil {
			must(t, done())
			return false
		}
		if !isRefusal(err) {
			t.Fatalf("start: %v; want that the log is not what it was", err)
		}
		return true
	}
	dir := copyOf(t, c.dir)
	if !refused(dir) {
		return no
	}
	if forget(t, dir); refused(dir) {
		return yes
	}
	return byLastSeen
}

// isRefusal reports whether a runtime did not start because of what its log is.
func isRefusal(err error) bool {
	var back *daemon.RollbackError
	return control.IsIntegrity(err) || errors.As(err, &back)
}

// verify reads the whole log, with the key in its directory and the one of before.
func verify(depth audit.Depth) func(*testing.T, *crime) string {
	return func(t *testing.T, c *crime) string {
		t.Helper()
		found := func(vkey string) bool {
			report, err := audit.Verification{Depth: depth}.Run(t.Context(), reader(t, c.dir), verifier(t, vkey))
			must(t, err)
			if depth == audit.DepthShape && report.NotChecked == "" {
				t.Error("a verification of the shape claims to have looked at everything")
			}
			return !report.OK()
		}
		switch {
		case found(publicKey(t, c.dir)):
			return yes
		case found(c.kept.key):
			return byKey
		}
		return no
	}
}

// checkpoint compares the log with a checkpoint that was kept elsewhere, as
// auditlb verify --checkpoint does after it has verified.
func checkpoint(t *testing.T, c *crime) string {
	t.Helper()
	src, key := reader(t, c.dir), verifier(t, publicKey(t, c.dir))
	notes := func(yield func(audit.Elsewhere, error) bool) {
		yield(audit.Elsewhere{From: "elsewhere", Note: c.kept.checkpoint}, nil)
	}
	findings, checked, err := audit.CheckElsewhere(iter.Seq2[audit.Elsewhere, error](notes), extentOf(t, src).Size, audit.HashReader(t.Context(), src),
		func(text []byte) (audit.Checkpoint, error) { return audit.OpenCheckpoint(text, key) })
	must(t, err)
	if checked != 1 {
		t.Fatalf("%d checkpoints were compared", checked)
	}
	return found(len(findings) > 0)
}

func found(wrong bool) string {
	if wrong {
		return yes
	}
	return no
}

// terraform is a plan: what the state has of the log is held against the log.
func terraform(t *testing.T, c *crime) string {
	t.Helper()
	return contradicted(t, c.client(t).LogHistory("").Check(t.Context(), c.kept.seen))
}

// contradicted tells a log that is not what was seen from one that can't be asked.
func contradicted(t *testing.T, err error) string {
	t.Helper()
	var wrong *client.HistoryError
	if err != nil && !errors.As(err, &wrong) && !errors.Is(err, client.ErrNotCheckpoint) {
		t.Fatalf("the log could not be held against what was seen: %v", err)
	}
	return found(err != nil)
}

// cosigning brings the log's newest checkpoint to a witness that cosigned before.
func cosigning(t *testing.T, c *crime) string {
	t.Helper()
	memory := copyOf(t, c.kept.witness)
	kept, err := bring(t, memory, c.kept.key, shown{reader(t, c.dir), func([]byte) error { return nil }})
	var failure *witness.Failure
	switch {
	case err == nil:
		return no
	case !errors.As(err, &failure):
		t.Fatalf("the witness was not asked: %v", err)
	case kept > 0 && !failure.Code.Alarm():
		t.Errorf("the witness has evidence, and no alarm was raised: %v", err)
	case kept > 0:
		return yes
	case failure.Code.Alarm():
		return atTheNode
	case failure.Code != witness.CodeForbidden && failure.Code != witness.CodeUnknownLog:
		t.Fatalf("the witness did not judge: %v", err)
	}
	return unsigned
}

// proofFile holds a proof against the log: its checkpoint, and what its entry says.
func proofFile(t *testing.T, c *crime) string {
	t.Helper()
	p := parsed(t, c.kept.proof)
	return against(t, c, p.Checkpoint, []audit.Proof{p})
}

// bundleFile holds a bundle against the log: its checkpoint, and what its entries say.
func bundleFile(t *testing.T, c *crime) string {
	t.Helper()
	b, _ := unzipped(t, c.kept.bundle)
	return against(t, c, b.Proofs[0].Checkpoint, b.Proofs)
}

// against is what evidence in somebody's hands shows of a log: that it has not the tree of
// its checkpoint, or shows an entry otherwise. That a body is not there any more shows
// nothing: it may have been erased by policy.
func against(t *testing.T, c *crime, checkpoint []byte, proofs []audit.Proof) string {
	t.Helper()
	if contradicted(t, c.client(t).LogHistory("").Contains(t.Context(), string(checkpoint))) == yes {
		return yes
	}
	src := reader(t, c.dir)
	for i := range proofs {
		p := &proofs[i]
		rows, err := src.Rows(t.Context(), p.Seq, 1)
		must(t, err)
		same := len(rows) == 1 && rows[0].Seq == p.Seq && bytes.Equal(rows[0].Leaf, p.Leaf) && (len(rows[0].Body) == 0 || bytes.Equal(rows[0].Body, p.Body))
		if !same {
			return yes
		}
	}
	return no
}

// trusting trusts a key and no other.
func trusting(t *testing.T, vkey string) *audit.Trust {
	t.Helper()
	trust, err := audit.NewTrust(vkey)
	must(t, err)
	return trust
}
