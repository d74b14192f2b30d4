package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/*.txtar against the real program. Beyond the usual
// commands of testscript they have:
//
//	exits CODE COMMAND…       runs a command that must end with the code
//	start NAME REGEXP COMMAND… starts a command and waits until it has printed a
//	                          line that matches; the first group, if any, becomes
//	                          $AUDITLB_ENDPOINT. What it prints is in NAME.out
//	stop NAME                 sends SIGTERM; the command must end with code 0
//	setenv VAR                sets a variable to what the last command printed
//	pick VAR POINTER          the same with a value of the JSON that it printed
//	source FILE               sets what lines "export VAR=value" say
//	change OP ADDRESS [FILE]  plans and makes a change, as the provider does,
//	                          under $TICKET and in $RUN; refused: code 3.
//	                          change plan OP … only plans it, change apply OP …
//	                          makes it without a plan
//	golden FILE               compares what the last command printed with a file, but
//	                          for times, which are TIME, and tokens, which are TOKEN
//	keypair NAME CN [ISSUER]  makes NAME.pem and NAME.key, of an authority or of
//	                          127.0.0.1 and a client that one has issued
//	sqlite FILE STATEMENT     edits a database
func TestScripts(t *testing.T) {
	var running sync.Map // script and name to *process
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// Nothing of whoever runs the tests.
			env.Vars = append(env.Vars, "AUDITLB_ENDPOINT=", "AUDITLB_TOKEN=", "AUDITLB_CA_CERT_FILE=", "AUDITLB_SECRETS_KEY=", "NO_COLOR=")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			"start": func(ts *testscript.TestScript, _ bool, args []string) { startInScript(ts, &running, args) },
			"stop":  func(ts *testscript.TestScript, _ bool, args []string) { stopInScript(ts, &running, args[0]) },
			"setenv": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
			},
			"golden":  golden,
			"keypair": keypair,
			"pick":    pick,
			"source":  source,
			"sqlite":  editDatabase,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func startInScript(ts *testscript.TestScript, running *sync.Map, args []string) {
	ready, err := regexp.Compile(args[1])
	ts.Check(err)
	path, err := lookPath(ts.Getenv("PATH"), args[2])
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "WORK", "AUDITLB_SECRETS_KEY"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	p, err := startProcess(cmd, ready)
	if p != nil {
		ts.Defer(p.kill)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), []byte(p.logged()), 0o600))
		running.Store(ts.Name()+args[0], p)
	}
	ts.Check(err)
	if p.endpoint != "" {
		ts.Setenv("AUDITLB_ENDPOINT", p.endpoint)
	}
}

// lookPath finds a program in a PATH that is not this process's.
func lookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", exec.ErrNotFound
}

func stopInScript(ts *testscript.TestScript, running *sync.Map, name string) {
	found, ok := running.Load(ts.Name() + name)
	if !ok {
		ts.Fatalf("%s was not started", name)
	}
	p := found.(*process)
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.wait(); err != nil {
		ts.Fatalf("after SIGTERM: %v\n%s", err, p.logged())
	}
}

func pick(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for key := range strings.SplitSeq(strings.TrimPrefix(args[1], "/"), "/") {
		switch container := v.(type) {
		case map[string]any:
			v = container[key]
		case []any:
			i, err := strconv.Atoi(key)
			ts.Check(err)
			v = container[i]
		default:
			ts.Fatalf("nothing at %s", args[1])
		}
	}
	if n, ok := v.(float64); ok {
		v = int64(n)
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

var exported = regexp.MustCompile(`(?m)^\s*export (\w+)=(\S+)$`)

func source(ts *testscript.TestScript, _ bool, args []string) {
	for _, m := range exported.FindAllStringSubmatch(ts.ReadFile(args[0]), -1) {
		ts.Setenv(m[1], m[2])
	}
}

var (
	printedTime  = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`)
	printedToken = regexp.MustCompile(`token/[0-9a-f]{12}`)
)

func golden(ts *testscript.TestScript, _ bool, args []string) {
	got := printedToken.ReplaceAllString(printedTime.ReplaceAllString(ts.ReadFile("stdout"), "TIME"), "TOKEN")
	if want := ts.ReadFile(args[0]); got != want {
		ts.Fatalf("printed:\n%s\nwant, as in %s:\n%s", got, args[0], want)
	}
}

func keypair(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: args[1]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issuer, signer := template, any(key)
	if len(args) > 2 {
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(args[2]+".pem"), ts.MkAbs(args[2]+".key"))
		ts.Check(err)
		issuer, signer = pair.Leaf, pair.PrivateKey
		template.IsCA, template.KeyUsage, template.IPAddresses = false, x509.KeyUsageDigitalSignature, []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	ts.Check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: cert}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+suffix), pem.EncodeToMemory(block), 0o600))
	}
}

func editDatabase(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(execSQL(ts.MkAbs(args[0]), args[1]))
}

func execSQL(path, statement string) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(statement)
	return err
}
