package browsertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// claim is a proof that the browser is to check, with a key.
type claim struct {
	Name  string `json:"name"`
	Proof string `json:"proof"` // base64
	Key   string `json:"key"`
}

// found is what it makes of it.
type found struct {
	OK bool `json:"ok"`
	// Wrong are the steps that failed, Open those with nothing to check.
	Wrong []string `json:"wrong"`
	Open  []string `json:"open"`
	Last  string   `json:"last"` // of the wrong steps, what it says
}

// checker is a tab that has the page's module of proofs at hand.
type checker struct{ *tab }

func newChecker(t *testing.T) checker {
	t.Helper()
	b := start(t).tab(t)
	b.signIn(identity.Viewer)
	b.open("/evidence")
	b.do(`(async () => {
		const script = document.querySelector('script[src$="/evidence.js"]').src;
		const { check } = await import(script.replace("evidence.js", "proof.js"));
		window.check = check;
		window.checkAll = async (claims) => {
			const out = [];
			for (const c of claims) {
				const { ok, steps } = await check(Uint8Array.from(atob(c.proof), (x) => x.charCodeAt(0)), c.key);
				const wrong = steps.filter((s) => s.ok === false);
				out.push({ ok, wrong: wrong.map((s) => s.id), open: steps.filter((s) => s.ok === null).map((s) => s.id), last: wrong.at(-1)?.text ?? "" });
			}
			return out;
		};
	})()`)
	return checker{b}
}

// TestProofsAreCheckedInTheBrowser is over what the page of evidence checks proofs with.
// Each part has the one tab.
func TestProofsAreCheckedInTheBrowser(t *testing.T) {
	c := newChecker(t)
	for name, part := range map[string]func(*testing.T, checker){
		"every entry of every tree is proved":                    everyEntryOfEveryTreeIsProved,
		"the right step fails for each part that was changed":    theRightStepFailsForEachPartThatWasChanged,
		"an erased body is not said to be proved":                anErasedBodyIsNotSaidToBeProved,
		"no bit of a proof can be changed":                       noBitOfAProofCanBeChanged,
		"what is no proof is said to be none, and soon":          whatIsNoProofIsSaidToBeNone,
		"changes of key are followed that both keys vouched for": changesOfKeyAreFollowed,
	} {
		t.Run(name, func(t *testing.T) { part(t, c) })
	}
}

// check has the browser check claims.
func (c checker) check(claims []claim) []found {
	c.t.Helper()
	var out []found
	for part := range slices.Chunk(claims, 500) {
		text, err := json.Marshal(part)
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, value[[]found](c.tab, "checkAll("+string(text)+")")...)
	}
	if len(out) != len(claims) {
		c.t.Fatalf("%d answers to %d claims", len(out), len(claims))
	}
	return out
}

func written(t *testing.T, name string, p audit.Proof, key string) claim {
	t.Helper()
	text, err := p.Marshal()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return claim{name, base64.StdEncoding.EncodeToString(text), key}
}

func everyEntryOfEveryTreeIsProved(t *testing.T, c checker) {
	l := newLog(t)
	var claims []claim
	for size := 1; size <= 17; size++ {
		l.add(audit.Entry{Type: audit.TypeApply, Resource: fmt.Sprintf("pool/p%d", size), Op: "create"}, fmt.Sprintf(`{"name":"<p%d> é 😀 \u2028\"\\","weight":%d}`, size, size))
		for seq := range l.tree.Size() {
			claims = append(claims, written(t, fmt.Sprintf("entry %d of %d", seq, size), l.proof(seq), l.signer.PublicKey()))
		}
	}
	for i, got := range c.check(claims) {
		if !got.OK || len(got.Wrong)+len(got.Open) > 0 {
			t.Errorf("%s: %+v", claims[i].Name, got)
		}
	}
}

func theRightStepFailsForEachPartThatWasChanged(t *testing.T, c checker) {
	l := filledLog(t, 37)
	stranger := signer(t, l.signer.Origin())
	elsewhere := signer(t, "example.com/elsewhere")
	key := l.signer.PublicKey()
	in := func(part *[]byte, from, to string) {
		changed := bytes.Replace(*part, []byte(from), []byte(to), 1)
		if bytes.Equal(changed, *part) {
			t.Fatalf("%q is not in %s", from, *part)
		}
		*part = changed
	}
	line := func(p *audit.Proof, n int, change func(string) string) {
		lines := strings.Split(string(p.Checkpoint), "\n")
		lines[n] = change(lines[n])
		p.Checkpoint = []byte(strings.Join(lines, "\n"))
	}
	flip := func(at int) func(string) string {
		return func(text string) string {
			before, coded, _ := strings.Cut(text, "example.com/log ")
			if coded == "" {
				before, coded = "", text
			} else {
				before += "example.com/log "
			}
			b, err := base64.StdEncoding.DecodeString(coded)
			if err != nil {
				t.Fatal(err)
			}
			b[(at+len(b))%len(b)] ^= 1
			return before + base64.StdEncoding.EncodeToString(b)
		}
	}
	type test struct {
		name   string
		change func(*audit.Proof)
		key    string
		want   string
	}
	tests := []test{
		{"nothing", func(*audit.Proof) {}, "", "[]"},
		{"the entry", func(p *audit.Proof) { in(&p.Leaf, "pool/p20", "pool/p99") }, "", "[path]"},
		{"the entry's outcome", func(p *audit.Proof) { in(&p.Leaf, `"outcome":"ok"`, `"outcome":"OK"`) }, "", "[path]"},
		{"the entry's seq", func(p *audit.Proof) { in(&p.Leaf, `"seq":20`, `"seq":21`) }, "", "[entry path]"},
		{"the entry, written differently", func(p *audit.Proof) { in(&p.Leaf, `{"actor"`, `{"Actor"`) }, "", "[path]"},
		{"another entry", func(p *audit.Proof) { p.Leaf, p.Salt, p.Body = l.records[4].Leaf, l.records[4].Salt, l.records[4].Body }, "", "[entry path]"},
		{"the index", func(p *audit.Proof) { p.Seq = 21 }, "", "[entry path]"},
		{"the index, beyond the tree", func(p *audit.Proof) { p.Seq = 37 }, "", "[entry path]"},
		{"a shorter path", func(p *audit.Proof) { p.Hashes = p.Hashes[:len(p.Hashes)-1] }, "", "[path]"},
		{"a longer path", func(p *audit.Proof) { p.Hashes = append(p.Hashes, p.Hashes[0]) }, "", "[path]"},
		{"no path", func(p *audit.Proof) { p.Hashes = nil }, "", "[path]"},
		{"the root", func(p *audit.Proof) { line(p, 2, flip(0)) }, "", "[path signature]"},
		{"the size", func(p *audit.Proof) { line(p, 1, func(string) string { return "38" }) }, "", "[signature]"},
		{"the size, to what has another path", func(p *audit.Proof) { line(p, 1, func(string) string { return "21" }) }, "", "[path signature]"},
		{"the origin", func(p *audit.Proof) { line(p, 0, func(o string) string { return o + "s" }) }, "", "[signature]"},
		{"one more line", func(p *audit.Proof) { line(p, 2, func(r string) string { return r + "\nextension" }) }, "", "[signature]"},
		{"the signature", func(p *audit.Proof) { line(p, 4, flip(-1)) }, "", "[signature]"},
		{"the signature's first byte", func(p *audit.Proof) { line(p, 4, flip(4)) }, "", "[signature]"},
		{"the signature's key id", func(p *audit.Proof) { line(p, 4, flip(0)) }, "", "[signature]"},
		{"no signature", func(p *audit.Proof) { line(p, 4, func(string) string { return "" }) }, "", "[checkpoint]"},
		{"a stranger's signature under the same name", func(p *audit.Proof) {
			cp, _ := stranger.Sign(&l.tree)
			p.Checkpoint = cp.Note
		}, "", "[signature]"},
		{"another log's checkpoint", func(p *audit.Proof) {
			cp, _ := elsewhere.Sign(&l.tree)
			p.Checkpoint = cp.Note
		}, "", "[signature]"},
		{"an older checkpoint", func(p *audit.Proof) { p.Checkpoint = l.older }, "", "[path]"},
		{"the body", func(p *audit.Proof) { in(&p.Body, `"weight":20`, `"weight":21`) }, "", "[body]"},
		{"the body, written differently", func(p *audit.Proof) { in(&p.Body, `"weight":20`, `"weight":20.0`) }, "", "[body]"},
		{"the salt", func(p *audit.Proof) { p.Salt = bytes.Repeat([]byte{7}, audit.SaltBytes) }, "", "[body]"},
		{"no salt", func(p *audit.Proof) { p.Salt = nil }, "", "[body]"},
		{"no body, which may have been erased", func(p *audit.Proof) { p.Body = nil }, "", "[]"},
		{"the key", func(*audit.Proof) {}, stranger.PublicKey(), "[signature]"},
		{"the key of another log", func(*audit.Proof) {}, elsewhere.PublicKey(), "[signature]"},
		{"a letter of the key", func(*audit.Proof) {}, strings.Replace(key, "+A", "+B", 1), "[key]"},
		{"a letter of the key's name", func(*audit.Proof) {}, "f" + key[1:], "[key]"},
		{"the key's id", func(*audit.Proof) {}, strings.Replace(key, "+", "+0", 1), "[key]"},
		{"no key", func(*audit.Proof) {}, " ", "[key]"},
	}
	for i := range l.proof(20).Hashes {
		tests = append(tests, test{fmt.Sprintf("hash %d of the path", i), func(p *audit.Proof) { p.Hashes[i][i] ^= 1 }, "", "[path]"})
	}
	claims := make([]claim, len(tests))
	for i, tt := range tests {
		p := l.proof(20)
		tt.change(&p)
		if tt.key == "" {
			tt.key = key
		}
		claims[i] = written(t, tt.name, p, tt.key)
		believer, err := audit.NewTrust(tt.key)
		if err == nil {
			_, err = believer.CheckProof(&p)
		}
		if (err == nil) != (tt.want == "[]") {
			t.Errorf("%s: the command line says %v", tt.name, err)
		}
	}
	for i, got := range c.check(claims) {
		if tt := tests[i]; fmt.Sprint(got.Wrong) != tt.want || got.OK != (tt.want == "[]") {
			t.Errorf("%s: %+v, want %s to fail", tt.name, got, tt.want)
		}
	}
}

func anErasedBodyIsNotSaidToBeProved(t *testing.T, c checker) {
	l := filledLog(t, 5)
	p := l.proof(3)
	p.Body, p.Salt = nil, nil
	got := c.check([]claim{written(t, "erased", p, l.signer.PublicKey())})[0]
	if !got.OK || fmt.Sprint(got.Open) != "[body]" || len(got.Wrong) > 0 {
		t.Errorf("%+v", got)
	}
}

// noBitOfAProofCanBeChanged changes one bit of each of its bytes.
func noBitOfAProofCanBeChanged(t *testing.T, c checker) {
	l := filledLog(t, 11)
	p := l.proof(6)
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	var claims []claim
	for at := range text {
		changed := bytes.Clone(text)
		changed[at] ^= 1 << random.IntN(8)
		claims = append(claims, claim{fmt.Sprintf("byte %d: %q", at, changed[max(0, at-10):min(len(text), at+10)]), base64.StdEncoding.EncodeToString(changed), l.signer.PublicKey()})
	}
	for i, got := range c.check(claims) {
		if got.OK {
			t.Errorf("%s: it is still taken for a proof", claims[i].Name)
		}
	}
}

func whatIsNoProofIsSaidToBeNone(t *testing.T, c checker) {
	l := filledLog(t, 3)
	proof := l.proof(1)
	good, err := proof.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(good), "\n", 4)
	extra := func(content string) string {
		return lines[0] + "\nextra " + base64.StdEncoding.EncodeToString([]byte(content)) + "\n" + lines[2] + "\n" + lines[3]
	}
	leaf := string(l.records[1].Leaf)
	texts := map[string]string{
		"nothing":                    "",
		"another version":            strings.Replace(string(good), "@v1", "@v2", 1),
		"no checkpoint":              strings.Join(lines[:3], "\n"),
		"an index with a zero":       strings.Replace(string(good), "index 1", "index 01", 1),
		"a negative index":           strings.Replace(string(good), "index 1", "index -1", 1),
		"an index without end":       strings.Replace(string(good), "index 1", "index 99999999999999999999", 1),
		"too long a path":            strings.Replace(string(good), "\n\n", strings.Repeat("\n"+proof.Hashes[0].String(), 64)+"\n\n", 1),
		"a hash that is too short":   strings.Replace(string(good), "\n\n", "\nAAAA\n\n", 1),
		"no UTF-8":                   "c2sp.org/tlog-proof@v1\n\xff\n\n",
		"an unknown member":          extra(`{"leaf":` + leaf + `,"more":1}`),
		"a member twice":             extra(`{"leaf":` + leaf + `,"leaf":` + leaf + `}`),
		"a leaf that is no object":   extra(`{"leaf":"x"}`),
		"no leaf":                    extra(`{"salt":""}`),
		"something after the end":    extra(`{"leaf":` + leaf + `}x`),
		"an end that does not come":  extra(`{"leaf":` + leaf),
		"a text that does not end":   extra(`{"leaf":{"a":"`),
		"spaces":                     extra(`{"leaf": ` + leaf + `}`),
		"nesting without end":        extra(`{"leaf":` + strings.Repeat(`{"a":`, 100_000)),
		"lists without end":          extra(`{"leaf":` + strings.Repeat(`[`, 100_000)),
		"a salt in capitals":         extra(`{"leaf":` + leaf + `,"salt":"AB"}`),
		"changes of key that aren't": extra(`{"leaf":` + leaf + `,"rotations":[1]}`),
		"a change of key in another": extra(`{"leaf":` + leaf + `,"rotations":["` + strings.ReplaceAll(extra(`{"leaf":`+leaf+`,"rotations":[]}`), "\n", `\n`) + `"]}`),
		"a prototype":                extra(`{"leaf":` + leaf + `,"__proto__":{"ok":true}}`),
	}
	var claims []claim
	for name, text := range texts {
		claims = append(claims, claim{name, base64.StdEncoding.EncodeToString([]byte(text)), l.signer.PublicKey()})
	}
	for i, got := range c.check(claims) {
		if got.OK || fmt.Sprint(got.Wrong) != "[proof]" || got.Last == "" {
			t.Errorf("%s: %+v", claims[i].Name, got)
		}
	}
	if !value[bool](c.tab, `check(new Uint8Array(17 << 20), "").then((r) => r.steps[0].text.includes("has more than"))`) {
		t.Error("the size of what is read has no bound")
	}
}

func changesOfKeyAreFollowed(t *testing.T, c checker) {
	l := filledLog(t, 5)
	first := l.signer
	var rotations []audit.Proof
	for range 2 {
		rotations = append(rotations, l.rotate(signer(t, first.Origin())))
		l.add(audit.Entry{Type: audit.TypeApply, Resource: "pool/x", Op: "update"}, `{}`)
	}
	with := func(change func(*audit.Proof)) audit.Proof {
		p := l.proof(6)
		p.Rotations = slices.Clone(rotations)
		for i := range p.Rotations {
			p.Rotations[i].Body = bytes.Clone(p.Rotations[i].Body)
			p.Rotations[i].Hashes = slices.Clone(p.Rotations[i].Hashes)
		}
		change(&p)
		return p
	}
	tests := []struct {
		name   string
		key    string
		change func(*audit.Proof)
		want   string
	}{
		{"by the first key", first.PublicKey(), func(*audit.Proof) {}, "[]"},
		{"by the last key", l.signer.PublicKey(), func(*audit.Proof) {}, "[]"},
		{"by a stranger's", signer(t, first.Origin()).PublicKey(), func(*audit.Proof) {}, "[signature]"},
		{"without the changes", first.PublicKey(), func(p *audit.Proof) { p.Rotations = nil }, "[signature]"},
		{"without the last change", first.PublicKey(), func(p *audit.Proof) { p.Rotations = p.Rotations[:1] }, "[signature]"},
		{"another key in a body", first.PublicKey(), func(p *audit.Proof) {
			p.Rotations[0].Body = bytes.Replace(p.Rotations[0].Body, []byte("+A"), []byte("+B"), 1)
		}, "[rotation signature]"},
		{"a change that is not in the tree", first.PublicKey(), func(p *audit.Proof) { p.Rotations[0].Hashes[0][0] ^= 1 }, "[rotation signature]"},
		{"an entry that changes no key", first.PublicKey(), func(p *audit.Proof) { p.Rotations[0] = l.proof(1) }, "[rotation signature]"},
		{"the new key did not sign", first.PublicKey(), func(p *audit.Proof) { p.Rotations[1].Checkpoint = l.older }, "[rotation signature]"},
	}
	claims := make([]claim, len(tests))
	for i, tt := range tests {
		claims[i] = written(t, tt.name, with(tt.change), tt.key)
	}
	for i, got := range c.check(claims) {
		if fmt.Sprint(got.Wrong) != tests[i].want || got.OK != (tests[i].want == "[]") {
			t.Errorf("%s: %+v, want %s to fail", tests[i].name, got, tests[i].want)
		}
	}
}
