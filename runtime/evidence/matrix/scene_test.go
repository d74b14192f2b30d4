package matrix

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// scene is a log at three times, and what others kept of it at the second. Nothing in it
// is ever changed: attacks are made on copies.
type scene struct {
	// early, then and now are data directories of a node that is stopped: of a backup, of
	// T1, when everybody took what they keep, and of T2, which only the node has seen.
	early, then, now string
	signer           *audit.Signer
	// token is an operator's.
	token string
	// old is an entry in the first tile. replaced made a state of pool/web that is not
	// the current one, before T1, and later one after it. current made the state that
	// pool/api has.
	old, replaced, current, later int64
	kept                          keepsakes
	// one is what others keep of one history that goes on from T1, which the witness has
	// cosigned, and other the data directory of another.
	one   keepsakes
	other string
}

// keepsakes are what others keep of a log, out of its operator's reach.
type keepsakes struct {
	// key is the log's public key.
	key string
	// checkpoint is what `auditlb checkpoint` printed, seen what is in a Terraform state.
	checkpoint []byte
	seen       client.Seen
	// proof is of one entry, bundle of the ticket that it was made under, and timed of
	// all that was recorded since a time.
	proof, bundle, timed []byte
	// witness is the data directory of a witness that has cosigned.
	witness string
}

// filled is the size that the log begins with: more than a tile.
const filled = 300

// ticketID is the ticket that the attacked entry was made under.
const ticketID = "CHG-1042"

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{old: 100, early: t.TempDir(), then: t.TempDir(), now: t.TempDir()}
	r := runtimetest.Start(t, runtimetest.Filled(filled))
	r.OpenTicket(t, api.TicketRequest{ID: ticketID})
	s.token = r.Operator
	put := func(name string, n int) int64 {
		t.Helper()
		pre := client.IfPresent()
		if n == 1 {
			pre = client.IfAbsent()
		}
		o, err := r.Client(t, client.Config{Ticket: ticketID}).Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: name}, controltest.Numbered(n), pre)
		must(t, err)
		return o.Revision
	}
	// A stopped node is copied, and started again.
	copied := func(to string) { r.Restart(t, func(t testing.TB, r *runtimetest.Runtime) { copyDir(t, r.Dir, to) }) }

	since := time.Now()
	put("web", 1)
	copied(s.early)
	s.replaced = put("web", 2)
	s.current = put("api", 1)
	put("web", 3)
	s.kept.witness = newWitness(t)
	_, err := bring(t, s.kept.witness, r.Daemon.Controller.PublicKey(), shown{r.Daemon.Store, func(text []byte) error {
		return r.Daemon.Store.Keep(t.Context(), control.KeptCosigned, text)
	}})
	must(t, err)
	s.kept.take(t, r.Client(t, client.Config{}), s.replaced, since)
	copied(s.then)
	s.later = put("web", 4)
	for n := range 6 {
		put("web", 5+n)
	}
	copied(s.now)
	s.signer = signerOf(t, s.now)
	s.split(t)
	return s
}

// split makes two histories that go on from T1, as long and each right by itself.
func (s *scene) split(t *testing.T) {
	t.Helper()
	dir := copyOf(t, s.then)
	grow(t, dir, "one node", 20)
	s.other = copyOf(t, s.then)
	grow(t, s.other, "another node", 20)

	src := reader(t, dir)
	s.one.witness = copyOf(t, s.kept.witness)
	_, err := bring(t, s.one.witness, s.kept.key, shown{src, func([]byte) error { return nil }})
	must(t, err)
	s.one.take(t, clientOf(t, serve(t, dir), s.token), extentOf(t, src).Size-1, s.kept.seen.At)
}

// take keeps what a log shows now.
func (k *keepsakes) take(t *testing.T, c *client.Client, seq int64, since time.Time) {
	t.Helper()
	log, err := c.Log(t.Context())
	must(t, err)
	k.key, k.checkpoint = log.PublicKey, []byte(log.Checkpoint)
	k.seen, err = c.LogHistory("").Latest(t.Context())
	must(t, err)
	k.proof, err = c.Proof(t.Context(), seq)
	must(t, err)
	collected := func(q evidence.Query) []byte {
		b, err := evidence.Collect(t.Context(), c, q, "test", nil)
		must(t, err)
		return zipped(t, b)
	}
	k.bundle, k.timed = collected(evidence.Query{Ticket: ticketID}), collected(evidence.Query{Since: since})
}

func zipped(t *testing.T, b *evidence.Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, b.Write(&out))
	return out.Bytes()
}

func unzipped(t *testing.T, text []byte) (*evidence.Bundle, evidence.Derived) {
	t.Helper()
	b, derived, err := evidence.Read(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	return b, derived
}

func parsed(t *testing.T, text []byte) audit.Proof {
	t.Helper()
	p, err := audit.ParseProof(text)
	must(t, err)
	return p
}

// signerOf is the log's key, as whoever has the data directory has it.
func signerOf(t *testing.T, dir string) *audit.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	keys := strings.Fields(string(text))
	s, err := audit.NewSigner(keys[0], keys[1])
	must(t, err)
	return s
}

// publicKey is the key that a data directory says is the log's.
func publicKey(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, daemon.PublicKeyName))
	must(t, err)
	return strings.TrimSpace(string(text))
}

func verifier(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	must(t, err)
	return v
}

// copyOf copies a data directory, to be attacked.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	copyDir(t, dir, to)
	return to
}

// copyDir copies what a node keeps, or a witness, but for locks.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) == ".lock" {
			return err
		}
		within, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, within), 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, within), text, 0o600)
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
