package daemon_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// witnessed is a configuration whose log has witnesses.
type witnessed struct {
	config daemon.Config
	policy *witness.Policy
}

// newWitnessed makes a log, and two witnesses for it; more are lines of the policy.
func newWitnessed(t *testing.T, quorum string, more ...string) witnessed {
	t.Helper()
	dir := t.TempDir()
	w := witnessed{config: config(filepath.Join(dir, "data"), -1)}
	_, done, err := daemon.OpenLog(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	vkey, err := os.ReadFile(filepath.Join(w.config.DataDir, daemon.PublicKeyName))
	if err != nil {
		t.Fatal(err)
	}
	lines := append([]string{"log " + strings.TrimSpace(string(vkey))}, more...)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"w1", "w2"} {
		key, err := witness.LoadKey(filepath.Join(dir, name+".key"), "witness.example/"+name)
		if err != nil {
			t.Fatal(err)
		}
		server, err := witness.NewServer(witness.Options{
			DataDir: filepath.Join(dir, name), Key: key, Logs: []witness.KnownLog{{Origin: verifier.Name(), Key: verifier}}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		listener := httptest.NewServer(server)
		t.Cleanup(listener.Close)
		t.Cleanup(func() { _ = server.Close() })
		lines = append(lines, fmt.Sprintf("witness %s %s %s", name, key.PublicKey(), listener.URL))
	}
	lines = append(lines, quorum)
	w.config.Log.WitnessPolicyFile = filepath.Join(dir, "policy")
	w.config.Log.WitnessEvery = "1ms"
	if err := os.WriteFile(w.config.Log.WitnessPolicyFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.policy, err = witness.LoadPolicy(w.config.Log.WitnessPolicyFile); err != nil {
		t.Fatal(err)
	}
	return w
}

// put makes a pool.
func put(t *testing.T, c *client.Client, name string) {
	t.Helper()
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: name}, pool("127.0.0.1:1"), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
}

// eventuallyCosigned waits until the log's newest checkpoint meets the policy.
func (w *witnessed) eventuallyCosigned(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	eventually(t, "cosignatures", func() bool {
		extent, err := d.Store.Extent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kept, err := d.Store.Kept(t.Context(), control.KeptCosigned)
		if err != nil {
			t.Fatal(err)
		}
		status, ok := d.WitnessStatus()
		return ok && strings.HasPrefix(string(kept), string(extent.Note)) && w.policy.Satisfied(kept) && status.Size == extent.Size && status.Cosignatures == 2
	})
}

func TestEveryChangeIsCosignedByTheWitnesses(t *testing.T) {
	w := newWitnessed(t, "group g all w1 w2\nquorum g")
	d := start(t, w.config)
	c := operator(t, d)
	for i := range 5 {
		put(t, c, fmt.Sprintf("p%d", i))
		w.eventuallyCosigned(t, d)
	}
	extent, err := d.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hasMetrics(t, d, "auditlb_witness_alarm 0", fmt.Sprintf("auditlb_witness_cosigned_size %d", extent.Size),
		`auditlb_witness_cosignatures_total{result="inconsistent",witness="w1"} 0`)
	stop(t, d)

	// It goes on where it was.
	d = start(t, w.config)
	w.eventuallyCosigned(t, d)
	verified(t, d, w.config.DataDir)
	stop(t, d)
}

// TestARestoredBackupRaisesTheAlarmAndStopsNothing goes back to an earlier copy of the data
// directory, which verifies by itself, and goes on from there.
func TestARestoredBackupRaisesTheAlarmAndStopsNothing(t *testing.T) {
	w := newWitnessed(t, "group g all w1 w2\nquorum g")
	d := start(t, w.config)
	c := operator(t, d)
	put(t, c, "before")
	w.eventuallyCosigned(t, d)
	stop(t, d)
	backup := t.TempDir()
	if out, err := exec.Command("cp", "-r", w.config.DataDir, backup).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d = start(t, w.config)
	for i := range 3 {
		put(t, clientOf(t, d, "olivia", identity.Operator, "CHG-1"), fmt.Sprintf("forgotten%d", i))
	}
	w.eventuallyCosigned(t, d)
	stop(t, d)
	if err := os.RemoveAll(w.config.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(backup, "data"), w.config.DataDir); err != nil {
		t.Fatal(err)
	}

	d = start(t, w.config)
	defer func() { stop(t, d) }()
	alarm := func(code witness.Code) func() bool {
		return func() bool {
			s, _ := d.WitnessStatus()
			return s.Alarm && s.Witnesses[0].Code == code && s.Witnesses[1].Code == code
		}
	}
	eventually(t, "the alarm", alarm(witness.CodeRolledBack))
	hasMetrics(t, d, "auditlb_witness_alarm 1")
	// Once it is as long as the other, it is a fork.
	for i := range 9 {
		put(t, clientOf(t, d, "olivia", identity.Operator, "CHG-1"), fmt.Sprintf("other%d", i))
	}
	verified(t, d, w.config.DataDir)
	eventually(t, "the alarm about the fork", alarm(witness.CodeInconsistent))
	hasMetrics(t, d, "auditlb_witness_alarm 1")
}

func TestAWitnessThatHangsHoldsUpNoChangeAndNoStop(t *testing.T) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hanging.Close()
	key, err := witness.LoadKey(filepath.Join(t.TempDir(), "key"), "witness.example/w3")
	if err != nil {
		t.Fatal(err)
	}
	w := newWitnessed(t, "group g 2 w1 w2 w3\nquorum g", fmt.Sprintf("witness w3 %s %s", key.PublicKey(), hanging.URL))
	d := start(t, w.config)
	c := operator(t, d)
	for i := range 5 {
		put(t, c, fmt.Sprintf("p%d", i))
		w.eventuallyCosigned(t, d)
	}
	stop(t, d)
}

func TestAWitnessPolicyThatIsWrongIsRefused(t *testing.T) {
	dir := t.TempDir()
	key, err := witness.LoadKey(filepath.Join(dir, "key"), "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	line := "witness w1 " + key.PublicKey()
	const otherLog = "log test.example/log+ddc8ce56+AcwyqshTEjr5m3SX2Kkyd3dYFo6hkbt7CWNX6FdcHpkI\n"
	file := func(text string) string {
		f, err := os.CreateTemp(dir, "policy")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("log {\nmin_free_bytes = -1\nwitness_policy_file = %q\n}\n", f.Name())
	}
	for _, tt := range []struct {
		name, hcl string
		says      []string
	}{
		{"no such file", "log {\nwitness_policy_file = \"missing\"\n}\n", []string{"log.witness_policy_file", "missing"}},
		{"a bad line", file("\nwitness w1\nquorum w1\n"), []string{"log.witness_policy_file", "line 2", "witness NAME KEY"}},
		{"no URL", file(line + "\nquorum w1\n"), []string{"log.witness_policy_file", "no witness has a URL"}},
		{"another log", file(otherLog + line + " http://127.0.0.1:1\nquorum w1\n"), []string{"log.witness_policy_file", "is none of them", "log.pub"}},
		{"witness_every", "log {\nwitness_every = \"often\"\n}\n", []string{"log.witness_every", "often", "10s"}},
		{"witness_every of nothing", "log {\nwitness_every = \"0s\"\n}\n", []string{"log.witness_every", "0s"}},
		{"witness_every too long", "log {\nwitness_every = \"2h\"\n}\n", []string{"log.witness_every", "2h", "1h"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tryStart(t, onLoopback+tt.hcl)
			if err == nil {
				t.Fatal("it started")
			}
			rest := err.Error()
			for _, part := range tt.says {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("error %q does not name %q", err, tt.says)
				}
				rest = after
			}
		})
	}
}
