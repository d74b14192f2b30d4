package control_test

import (
	"bytes"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/agebox"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// newBox makes a box to seal keys in.
func newBox(t *testing.T) *agebox.Box {
	t.Helper()
	text, err := agebox.Generate()
	if err != nil {
		t.Fatal(err)
	}
	box, err := agebox.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// traces are the forms in which a private key could be found in a file: its
// lines as PEM, as JSON would escape them, and its bytes.
func traces(t *testing.T, keyPEM string) [][]byte {
	t.Helper()
	block, _ := pem.Decode([]byte(keyPEM))
	if block == nil {
		t.Fatal("no key")
	}
	out := [][]byte{block.Bytes, block.Bytes[len(block.Bytes)-40:]}
	for line := range strings.Lines(keyPEM) {
		if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "---") {
			out = append(out, []byte(line))
		}
	}
	return out
}

// TestAPrivateKeyIsNowhereInTheLog sends keys in every way that a user might,
// right and wrong, and searches the files, the answers and the log's own words.
func TestAPrivateKeyIsNowhereInTheLog(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	var logged bytes.Buffer
	box := newBox(t)
	log := controltest.Open(t, control.Options{Store: store, Sealer: box, Logger: textLogger(&logged)})
	log.Ticket(t, "CHG-1")
	run := inRun(t, log, "run-1")

	cert, key := controltest.Certificate(t, "app.example.com")
	renewed, newKey := controltest.Certificate(t, "app.example.com")
	_, strayKey := controltest.Certificate(t, "stray.example.com")
	var answers []control.Outcome
	send := func(change control.Put, key string) control.Outcome {
		change.PrivateKey = key
		o, err := log.Put(t.Context(), run, change)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, o)
		return o
	}
	planned(t, log, run, lb.OpCreate, "certificate/app", cert)
	created := controltest.Accepted(t, send(put(t, "certificate/app", cert, 0), key), nil)
	controltest.Refused(t, control.CodeInvalid, send(put(t, "certificate/app", renewed, -1), strayKey), nil) // does not match
	controltest.Refused(t, control.CodeInvalid, send(put(t, "certificate/app", renewed, -1), ""), nil)       // needs its key
	controltest.Accepted(t, send(put(t, "certificate/app", renewed, -1), newKey), nil)

	inChain := *cert
	inChain.ChainPEM += strayKey
	inChain.Normalize()
	controltest.Refused(t, control.CodeInvalid, send(put(t, "certificate/wrong", &inChain, 0), key), nil)
	inLabel := *cert
	inLabel.Labels = map[string]string{"key": strayKey}
	controltest.Refused(t, control.CodeInvalid, send(put(t, "certificate/wrong", &inLabel, 0), key), nil)
	inProtocol := controltest.Numbered(1)
	inProtocol.Protocol = lb.PoolProtocol(strayKey)
	controltest.Refused(t, control.CodeInvalid, send(put(t, "pool/wrong", inProtocol, 0), ""), nil)

	for name, secret := range map[string]string{"key": key, "new key": newKey, "stray key": strayKey} {
		for _, trace := range traces(t, secret) {
			for _, file := range databaseFiles(t, dir) {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(b, trace) {
					t.Errorf("%s is in %s", name, file)
				}
			}
			for _, o := range answers {
				if strings.Contains(string(o.Body.After)+string(o.Body.Before)+refusalText(o), string(trace)) {
					t.Errorf("%s is in an answer: %+v", name, o)
				}
			}
			if bytes.Contains(logged.Bytes(), trace) {
				t.Errorf("%s is in what was logged", name)
			}
		}
	}
	if !strings.Contains(string(created.Body.After), cert.Fingerprint) {
		t.Errorf("the entry does not hold the fingerprint: %s", created.Body.After)
	}
	sealed, err := store.Secret(t.Context(), "key/"+cert.Fingerprint)
	if err != nil || !bytes.HasPrefix(sealed, []byte("age-encryption.org/v1")) {
		t.Errorf("the key is kept as %.40q (%v); want it sealed with age", sealed, err)
	}
	keys := control.Keys{Reader: store, Sealer: box}
	for c, want := range map[*lb.Certificate]string{cert: key, renewed: newKey} {
		if got, err := keys.PrivateKey(t.Context(), c.Fingerprint); err != nil || got != want {
			t.Errorf("the key of %s can't be had back: %v", c.Fingerprint, err)
		}
	}
	if _, err := (control.Keys{Reader: store, Sealer: newBox(t)}).PrivateKey(t.Context(), cert.Fingerprint); err == nil {
		t.Error("another identity opened the key")
	}
}

// TestASealedKeyOpensOnlyWhereItBelongs swaps the sealed keys of two
// certificates, as somebody with a SQL client could.
func TestASealedKeyOpensOnlyWhereItBelongs(t *testing.T) {
	store := openStore(t, t.TempDir())
	box := newBox(t)
	log := controltest.Open(t, control.Options{Store: store, Sealer: box})
	log.Ticket(t, "CHG-1")
	cert, key := controltest.Certificate(t, "app.example.com")
	change := put(t, "certificate/app", cert, 0)
	change.PrivateKey = key
	applied(t, log, underOne, change)
	moved := swapped{store, "key/sha256:other", "key/" + cert.Fingerprint}
	if _, err := (control.Keys{Reader: moved, Sealer: box}).PrivateKey(t.Context(), "sha256:other"); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("a key that was moved opened (%v)", err)
	}
}
