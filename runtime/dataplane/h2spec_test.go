package dataplane_test

import (
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// h2specReport is what h2spec writes in the form of JUnit.
type h2specReport struct {
	Suites []struct {
		Cases []struct {
			Section string `xml:"package,attr"`
			Name    string `xml:"classname,attr"`
			Error   string `xml:"error"`
			Failure string `xml:"failure"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// buildH2spec builds the conformance tests of HTTP/2 out of the project's tools.
func buildH2spec(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "h2spec")
	build := exec.Command("go", "-C", "../../tools", "build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("h2spec can't be built: %v: %s", err, out)
	}
	return program
}

// runH2spec runs sections of h2spec, all if there are none, and returns how many cases
// there were, and the answers to those that failed, by section and name.
func runH2spec(t *testing.T, program, address, patience string, secure bool, sections ...string) (cases int, failed map[[2]string]string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	report := filepath.Join(t.TempDir(), "report.xml")
	args := append([]string{"--host", host, "--port", port, "--timeout", patience, "--junit-report", report}, sections...)
	if secure {
		args = append(args, "--tls", "--insecure")
	}
	out, err := exec.Command(program, args...).CombinedOutput() // a case that fails is an error
	text, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("h2spec reports nothing: %v: %s", err, out)
	}
	var r h2specReport
	if err := xml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	failed = map[[2]string]string{}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			cases++
			if answer := c.Error + c.Failure; answer != "" {
				failed[[2]string{c.Section, c.Name}] = answer
			}
		}
	}
	return cases, failed
}

// h2specExceptions are the cases in which we answer otherwise than h2spec expects, by
// section, with the part of the name that tells them.
var h2specExceptions = []struct{ section, name, why string }{
	{"http2/6.5.3", "multiple values of SETTINGS_INITIAL_WINDOW_SIZE", "the library ends a connection that gives a setting twice in a frame"},
	{"http2/8.1.2.2", "", "the request is answered 400, which RFC 9113 §8.1.1 allows in place of a reset"},
	{"http2/3.5", "invalid connection preface", "what is no preface is HTTP/1.1 to this listener, and answered 400 in that"},
}

func h2specExcepts(c [2]string) bool {
	for _, x := range h2specExceptions {
		if c[0] == x.section && strings.Contains(c[1], x.name) {
			return true
		}
	}
	return false
}

func TestHTTP2ConformsToH2spec(t *testing.T) {
	t.Parallel()
	program := buildH2spec(t)
	e := multiplexed(t, speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "an answer that is longer than a few bytes")
	}), nil)
	for _, listener := range []string{"h2c", "h2"} {
		t.Run(listener, func(t *testing.T) {
			t.Parallel()
			web, secure := address(t, e, listener), listener == "h2"
			cases, failed := runH2spec(t, program, web, "2", secure)
			if cases < 140 {
				t.Errorf("only %d cases ran", cases)
			}
			for c := range failed {
				if h2specExcepts(c) {
					continue
				}
				// A busy machine may be late once.
				_, again := runH2spec(t, program, web, "15", secure, c[0])
				if answer, still := again[c]; still {
					t.Errorf("%s %s: expected one of, and last got: %s", c[0], c[1], answer)
				}
			}
		})
	}
}
