package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite" // the database/sql driver

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// TestLitewitnessCosignsOurCheckpoints has filippo.io/torchwood's witness, as a process of
// its own, sign the checkpoints that our collector brings, and refuse what it should.
func TestLitewitnessCosignsOurCheckpoints(t *testing.T) {
	l := newLog(t, 5)
	lite := startLitewitness(t, l)
	p := policyOf(t, "all", lite)
	c := collect(t, l, p, patience)
	theirs, err := torchwood.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness w0 %s\nquorum w0\n", l.vkey, lite.vkey))
	must(t, err)
	l.untilKept(t, 5, 1)
	for _, size := range []int{6, 7, 20, 300} {
		l.grow(t, size-int(l.size), "entry")
		c.Notify()
		kept := l.untilKept(t, size, 1)
		if _, _, err := torchwood.VerifyCheckpoint([]byte(kept), theirs); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
	c.stop()
	// It is asked again by somebody who has forgotten everything.
	l.kept = nil
	again := collect(t, l, p, patience)
	l.untilKept(t, 300, 1)
	again.stop()

	for name, tt := range map[string]struct {
		log  *testLog
		code witness.Code
	}{
		"rewritten":   {l.fork(t, 0, 310), witness.CodeInconsistent},
		"forked":      {l.fork(t, 200, 300), witness.CodeInconsistent},
		"rolled back": {l.fork(t, 200, 200), witness.CodeRolledBack},
		"another key": {newLog(t, 310), witness.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			c := collect(t, tt.log, p, patience)
			c.until(t, "w0", tt.code)
			if len(tt.log.kept) > 0 {
				t.Error("it was cosigned")
			}
		})
	}
}

// startLitewitness builds litewitness and lets it listen, with a key in an SSH agent.
func startLitewitness(t *testing.T, l *testLog) member {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "filippo.io/torchwood").Output()
	if err != nil {
		t.Skipf("torchwood's sources can't be found: %v", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "litewitness")
	build := exec.Command("go", "-C", strings.TrimSpace(string(module)), "build", "-o", program, "./cmd/litewitness")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("litewitness can't be built: %v: %s", err, out)
	}

	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	keys := agent.NewKeyring()
	must(t, keys.Add(agent.AddedKey{PrivateKey: key}))
	socket, err := net.Listen("unix", filepath.Join(dir, "agent"))
	must(t, err)
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	public, err := ssh.NewPublicKey(key.Public())
	must(t, err)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "litewitness.db"))
	must(t, err)
	_, err = db.Exec(`
		CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
		CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));
		INSERT INTO log VALUES ('` + origin + `', 0, '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
		INSERT INTO key VALUES ('` + origin + `', '` + l.vkey + `')`)
	must(t, err)
	must(t, db.Close())

	address := freeAddress(t)
	cmd := exec.Command(program, "-name", "litewitness.example", "-listen", address, "-db", filepath.Join(dir, "litewitness.db"),
		"-ssh-agent", filepath.Join(dir, "agent"), "-key", ssh.FingerprintSHA256(public))
	var log bytes.Buffer
	cmd.Stderr = &log
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		select {
		case <-ended:
			t.Fatalf("litewitness ended: %s", &log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("litewitness does not listen")
		}
	}
	signer, err := torchwood.NewCosignatureSigner("litewitness.example", key)
	must(t, err)
	return member{signer.Verifier().String(), "http://" + address}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// TestTesseraHasItsCheckpointsCosignedByOurWitness runs a log of transparency-dev/tessera
// that publishes nothing without our cosignatures.
func TestTesseraHasItsCheckpointsCosignedByOurWitness(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	l := &testLog{vkey: vkey}
	l.key, err = note.NewVerifier(vkey)
	must(t, err)
	a, b := newWitness(t, "", "a.example/w", l), newWitness(t, "", "b.example/w", l)
	policy := fmt.Appendf(nil, "log %s\nwitness a %s %s\nwitness b %s %s\ngroup g all a b\nquorum g\n", vkey, a.key.PublicKey(), a.url, b.key.PublicKey(), b.url)
	group, err := tessera.NewWitnessGroupFromPolicy(policy)
	must(t, err)
	ours, err := witness.ParsePolicy(policy)
	must(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := t.TempDir()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	must(t, err)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithBatching(1, 10*time.Millisecond).WithCheckpointInterval(100*time.Millisecond).WithWitnesses(group, nil))
	must(t, err)
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 10*time.Millisecond)
	for i := range 4 {
		_, published, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i))))
		must(t, err)
		if !ours.Satisfied(published) {
			t.Errorf("published without our cosignatures:\n%s", published)
		}
	}
	must(t, shutdown(ctx))
	onDisk, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(t, err)
	r, text := witness.OriginHash("tessera.example/log"), strings.SplitN(string(onDisk), "\n\n", 2)[0]
	for _, w := range []*testWitness{a, b} {
		kept, err := os.ReadFile(filepath.Join(w.dir, witness.CheckpointDir, r))
		must(t, err)
		if !strings.HasPrefix(string(kept), text) {
			t.Errorf("the log published\n%s\nand the witness has\n%s", onDisk, kept)
		}
	}
}
