package witness_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

func cosignatureVerifier(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := f_note.NewVerifierForCosignatureV1(vkey)
	must(t, err)
	return v
}

// TestEveryRequestIsAnsweredAsTheSpecificationSays goes through C2SP tlog-witness,
// add-checkpoint, sentence by sentence, against a witness that signed size 5.
func TestEveryRequestIsAnsweredAsTheSpecificationSays(t *testing.T) {
	l := newLog(t, 12)
	stranger := newLog(t, 12)
	forked := l.fork(t, 3, 12)
	var zero tlog.Hash
	replace := func(body []byte, old, with string) []byte {
		if !bytes.Contains(body, []byte(old)) {
			t.Fatalf("no %q in %q", old, body)
		}
		return bytes.Replace(body, []byte(old), []byte(with), 1)
	}
	lines := func(n int) string { return strings.Repeat(zero.String()+"\n", n) }
	otherSigner := func(name string) note.Signer {
		skey, _, err := note.GenerateKey(rand.Reader, name)
		must(t, err)
		s, err := note.NewSigner(skey)
		must(t, err)
		return s
	}
	extension := func(line string) []byte {
		text := strings.SplitN(string(l.at(t, 8)), "\n\n", 2)[0] + "\n" + line + "\n"
		signed, err := note.Sign(&note.Note{Text: text}, l.signer)
		must(t, err)
		return (&witness.Request{Old: 5, Proof: l.proof(t, 5, 8), Checkpoint: signed}).Marshal()
	}
	signedText := func(text string) []byte {
		signed, err := note.Sign(&note.Note{Text: text}, l.signer)
		must(t, err)
		return (&witness.Request{Old: 5, Checkpoint: signed}).Marshal()
	}
	broken := func(body []byte) []byte {
		// A byte of the signature itself, behind the key's hash.
		at := bytes.LastIndexByte(body, ' ') + 1
		raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(body[at:])))
		must(t, err)
		raw[20] ^= 1
		return append(body[:at:at], base64.StdEncoding.EncodeToString(raw)+"\n"...)
	}
	tests := []struct {
		name   string
		body   []byte
		status int
	}{
		{"a larger tree with its proof", l.request(t, 5, 8), 200},
		{"a tree of the same size and root", l.request(t, 5, 5), 200},
		{"more signatures, of keys that nobody knows", append(l.request(t, 5, 8), "— somebody.example AAAAAAAA\n"...), 200},
		{"an extension line", extension("of the log's own"), 200},

		{"no body", nil, 400},
		{"no old size", replace(l.request(t, 5, 8), "old 5\n", ""), 400},
		{"an old size in capitals", replace(l.request(t, 5, 8), "old 5", "OLD 5"), 400},
		{"an old size with a leading zero", replace(l.request(t, 5, 8), "old 5", "old 05"), 400},
		{"an old size with a sign", replace(l.request(t, 5, 8), "old 5", "old +5"), 400},
		{"an old size of two spaces", replace(l.request(t, 5, 8), "old 5", "old  5"), 400},
		{"an old size below zero", replace(l.request(t, 5, 8), "old 5", "old -5"), 400},
		{"an old size beyond all trees", replace(l.request(t, 5, 8), "old 5", "old 18446744073709551616"), 400},
		{"carriage returns", bytes.ReplaceAll(l.request(t, 5, 8), []byte("\n"), []byte("\r\n")), 400},
		{"a proof line that is no hash", replace(l.request(t, 5, 8), "old 5\n", "old 5\nAAAA\n"), 400},
		{"a proof line that is no base64", replace(l.request(t, 5, 8), "old 5\n", "old 5\n%%%%\n"), 400},
		{"64 proof lines", replace((&witness.Request{Old: 5, Checkpoint: l.at(t, 8)}).Marshal(), "old 5\n", "old 5\n"+lines(64)), 400},
		{"no empty line", replace(l.request(t, 5, 5), "old 5\n\n", "old 5\n"), 400},
		{"no checkpoint", []byte("old 5\n\n"), 400},
		{"a checkpoint that is no note", []byte("old 5\n\n" + origin + "\n8\n"), 400},
		{"a checkpoint without its last newline", bytes.TrimSpace(l.request(t, 5, 8)), 400},
		{"a signed text that is no checkpoint", signedText(origin + "\n8\n"), 400},
		{"a signed size with a leading zero", signedText(origin + "\n08\n" + zero.String() + "\n"), 400},
		{"a signed hash of another length", signedText(origin + "\n8\nAAAA\n"), 400},
		{"an empty extension line", extension("more\n\nafter it"), 400},
		{"an old size beyond the checkpoint's", l.request(t, 5, 4), 400},
		{"an old size beyond the checkpoint's, that is not ours either", l.request(t, 9, 8), 400},

		{"no signature of a key that we know", stranger.request(t, 5, 8), 403},
		{"a signature of the log's name with another key", (&witness.Request{Old: 5, Checkpoint: checkpoint(t, origin, 8, zero, otherSigner(origin))}).Marshal(), 403},
		{"a signature of the log's key that does not verify", broken(l.request(t, 5, 8)), 403},
		{"a checkpoint that was changed", replace(l.request(t, 5, 8), origin+"\n8\n", origin+"\n9\n"), 403},

		{"an unknown origin", (&witness.Request{Old: 5, Checkpoint: checkpoint(t, "other.example", 8, zero, otherSigner("other.example"))}).Marshal(), 404},
		{"an unknown origin, signed by a log that we know", (&witness.Request{Old: 5, Checkpoint: checkpoint(t, "other.example", 8, zero, l.signer)}).Marshal(), 404},

		{"an old size of zero, to ask", l.request(t, 0, 8), 409},
		{"an old size that was ours once", l.request(t, 4, 8), 409},
		{"an old size that is not ours yet", l.request(t, 8, 8), 409},

		{"no proof", (&witness.Request{Old: 5, Checkpoint: l.at(t, 8)}).Marshal(), 422},
		{"a proof with a line too many", replace(l.request(t, 5, 8), "old 5\n", "old 5\n"+lines(1)), 422},
		{"63 proof lines that prove nothing", replace((&witness.Request{Old: 5, Checkpoint: l.at(t, 8)}).Marshal(), "old 5\n", "old 5\n"+lines(63)), 422},
		{"a proof for another size", (&witness.Request{Old: 5, Proof: l.proof(t, 5, 7), Checkpoint: l.at(t, 8)}).Marshal(), 422},
		{"a tree that went another way", forked.request(t, 5, 8), 422},
		{"another root for the same size", forked.request(t, 5, 5), 422},
		{"the same size and root with a proof", replace(l.request(t, 5, 5), "old 5\n", "old 5\n"+lines(1)), 422},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t, "", "witness.example/w1", l)
			w.signs(t, l.request(t, 0, 5))
			before := w.latest(t)
			status, header, answer := w.post(t, tt.body)
			if status != tt.status {
				t.Fatalf("status %d, want %d: %s", status, tt.status, answer)
			}
			if status == http.StatusOK {
				cosigned(t, tt.body, answer, w.key)
				return
			}
			if strings.Contains(answer, "—") {
				t.Errorf("a refusal carries a signature: %q", answer)
			}
			if after := w.latest(t); after != before {
				t.Errorf("a refusal changed what the witness has:\n%s\nto\n%s", before, after)
			}
			if status == http.StatusConflict {
				if answer != "5\n" || header.Get("Content-Type") != "text/x.tlog.size" {
					t.Errorf("conflict of type %q with %q", header.Get("Content-Type"), answer)
				}
			}
		})
	}
}

// TestTheFirstRequestIsAnsweredAsTheSpecificationSays is the same for a witness that
// signed nothing yet.
func TestTheFirstRequestIsAnsweredAsTheSpecificationSays(t *testing.T) {
	l := newLog(t, 8)
	empty, err := tlog.TreeHash(0, nil)
	must(t, err)
	tests := []struct {
		name   string
		body   []byte
		status int
	}{
		{"any tree", l.request(t, 0, 8), 200},
		{"the empty tree", (&witness.Request{Checkpoint: checkpoint(t, origin, 0, empty, l.signer)}).Marshal(), 200},
		{"an empty tree with a root that is none", (&witness.Request{Checkpoint: checkpoint(t, origin, 0, tlog.Hash{1}, l.signer)}).Marshal(), 422},
		{"a proof from nothing", (&witness.Request{Proof: tlog.TreeProof{{}}, Checkpoint: l.at(t, 8)}).Marshal(), 422},
		{"an old size that was never ours", l.request(t, 4, 8), 409},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t, "", "witness.example/w1", l)
			if got := w.latest(t); got != "" {
				t.Fatalf("a witness that signed nothing serves %q", got)
			}
			status, _, answer := w.post(t, tt.body)
			if status != tt.status {
				t.Fatalf("status %d, want %d: %s", status, tt.status, answer)
			}
			if status == http.StatusConflict && answer != "0\n" {
				t.Errorf("conflict with %q", answer)
			}
			if status != http.StatusOK && w.latest(t) != "" {
				t.Error("a refusal was kept")
			}
		})
	}
}

func TestWhatIsServedHasBothSignatures(t *testing.T) {
	l := newLog(t, 8)
	w := newWitness(t, "", "witness.example/w1", l)
	w.signs(t, append(l.request(t, 0, 8), "— somebody.example AAAAAAAA\n"...))
	n, err := note.Open([]byte(w.latest(t)), note.VerifierList(l.key, cosignatureVerifier(t, w.key.PublicKey())))
	must(t, err)
	if len(n.Sigs) != 2 || n.Sigs[0].Name != origin || n.Sigs[1].Name != "witness.example/w1" || len(n.UnverifiedSigs) != 0 {
		t.Errorf("signatures %+v, and unverified %+v", n.Sigs, n.UnverifiedSigs)
	}
	at, err := f_note.CoSigV1Timestamp(n.Sigs[1])
	if err != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("signed at %v (%v)", at, err)
	}
	for path, want := range map[string]int{
		"/healthz": 200, "/add-checkpoint": 405, "/" + strings.ToUpper(witness.OriginHash(origin)) + "/checkpoint": 404, "/elsewhere": 404,
	} {
		r, err := http.Get(w.url + path)
		must(t, err)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestOfSeveralKeysOfALogOneIsEnough(t *testing.T) {
	l, next := newLog(t, 8), newLog(t, 8)
	w := newWitness(t, "", "witness.example/w1", l, next)
	w.signs(t, l.request(t, 0, 4))
	w.signs(t, next.request(t, 4, 8))
	if got := w.size(t); got != "8" {
		t.Errorf("size %s", got)
	}
}

// TestALogsKeyIsGoodForItsOwnOriginOnly has a witness of two logs, one of which signs in
// the other's name.
func TestALogsKeyIsGoodForItsOwnOriginOnly(t *testing.T) {
	l := newLog(t, 8)
	skey, vkey, err := note.GenerateKey(rand.Reader, "other.example/log")
	must(t, err)
	other := &testLog{vkey: vkey}
	other.signer, err = note.NewSigner(skey)
	must(t, err)
	other.key, err = note.NewVerifier(vkey)
	must(t, err)
	w := newWitness(t, "", "witness.example/w1", l, other)
	for name, signers := range map[string][]note.Signer{"alone": {other.signer}, "as well": {l.signer, other.signer}} {
		body := (&witness.Request{Checkpoint: checkpoint(t, origin, 8, tlog.Hash{8}, signers...)}).Marshal()
		status, _, answer := w.post(t, body)
		if want := map[string]int{"alone": 403, "as well": 200}[name]; status != want {
			t.Errorf("signed by the other %s: %d, want %d: %s", name, status, want, answer)
		}
	}
	if strings.Contains(w.latest(t), "other.example") {
		t.Errorf("the other log's signature is served:\n%s", w.latest(t))
	}
}

// TestFiftyRequestsAtOnceNeverRollBack lets many sizes race: what the witness signs only
// grows, and it signs no two roots.
func TestFiftyRequestsAtOnceNeverRollBack(t *testing.T) {
	const racers = 50
	l := newLog(t, racers+5)
	w := newWitness(t, "", "witness.example/w1", l)
	w.signs(t, l.request(t, 0, 5))
	// The disk takes its time, so that whoever may pass does.
	var writing atomic.Int32
	w.FailDisk(func() error {
		if writing.Add(1) > 1 {
			t.Error("two checkpoints are being kept at once")
		}
		time.Sleep(20 * time.Millisecond)
		writing.Add(-1)
		return nil
	}, nil, nil)
	var racing sync.WaitGroup
	var mu sync.Mutex
	signed := map[int64]bool{}
	for i := range int64(racers) {
		to := 6 + i
		body := l.request(t, 5, to)
		racing.Go(func() {
			if status, _, _ := w.post(t, body); status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				signed[to] = true
			} else if status != http.StatusConflict {
				t.Errorf("status %d", status)
			}
		})
	}
	racing.Wait()
	if len(signed) != 1 {
		t.Fatalf("from one size it signed %d others: %v", len(signed), signed)
	}
	for to := range signed {
		if got := w.size(t); got != fmt.Sprint(to) {
			t.Errorf("it signed %d and has %s", to, got)
		}
	}
}

func TestMoreRequestsThanTheRateAreSentAway(t *testing.T) {
	l := newLog(t, 3)
	w := &testWitness{dir: t.TempDir(), log: &bytes.Buffer{}}
	var err error
	w.key, err = witness.LoadKey(filepath.Join(w.dir, "witness.key"), "witness.example/w1")
	must(t, err)
	opts := options(w, l)
	opts.Rate = 0.001
	w.Server, err = witness.NewServer(opts)
	must(t, err)
	defer w.Close()
	listener := newListener(t, w.Server)
	w.url = listener
	w.signs(t, l.request(t, 0, 3))
	status, header, _ := w.post(t, l.request(t, 3, 3))
	if status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	if r, err := http.Get(w.url + "/healthz"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("health: %v %v", r, err)
	}
}

// TestASlowOrHugeBodyIsCutOff sends what does not end.
func TestASlowOrHugeBodyIsCutOff(t *testing.T) {
	l := newLog(t, 8)
	w := openWitness(t, t.TempDir(), "witness.example/w1", l)
	defer w.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := witness.HTTPServer(w.Server, 200*time.Millisecond)
	go server.Serve(listener)
	defer server.Close()
	w.url = "http://" + listener.Addr().String()

	status, _, answer := w.post(t, append(l.request(t, 0, 8), bytes.Repeat([]byte("x"), witness.MaxRequest)...))
	if status != http.StatusRequestEntityTooLarge || strings.Contains(answer, "—") {
		t.Errorf("a huge body is answered %d: %s", status, answer)
	}

	conn, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	defer conn.Close()
	body := l.request(t, 0, 8)
	_, err = fmt.Fprintf(conn, "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)-1])
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	var got bytes.Buffer
	_, err = got.ReadFrom(conn)
	if err != nil {
		t.Fatalf("it waits for ever: %v", err)
	}
	if strings.Contains(got.String(), "200 OK") || strings.Contains(got.String(), "—") {
		t.Errorf("a body that never came to its end is answered %q", &got)
	}
	if w.latest(t) != "" {
		t.Error("something was kept")
	}
}
