package dataplane_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// program is a client's path; without it the test is skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; it is one of the clients that the data plane is tried with", name)
	}
	return path
}

// describe answers with what it was asked for.
func describe(w http.ResponseWriter, r *http.Request) {
	got, _ := sum(r.Body)
	if r.Method == http.MethodHead {
		w.Header().Set("X-Head", "yes")
		return
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, strings.Fields(got)[0])
	if upgrade := r.Header.Get("Upgrade"); upgrade != "" {
		fmt.Fprintf(w, " upgrade %s", upgrade)
	}
}

func TestCurlGetsItsAnswers(t *testing.T) {
	curl := program(t, "curl")
	version, err := exec.Command(curl, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	e := multiplexed(t, speaking(t, "HTTP/1.1", describe), nil)
	plain, secure := "http://"+address(t, e, "h2c"), "https://"+address(t, e, "h2")
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, url string
		args      []string
		want      string // version of HTTP and status, then the body
	}{
		{"GET", plain + "/a?b=c", nil, "1.1 200 GET /a?b=c 0"},
		{"HTTP/1.0", plain, []string{"--http1.0"}, "1.1 200 GET / 0"},
		{"HTTP/1.0 without Host", plain, []string{"--http1.0", "-H", "Host:"}, "1.1 200 GET / 0"},
		{"HTTPS", secure, []string{"--http1.1"}, "1.1 200 GET / 0"},
		{"HTTP/2 over TLS", secure, []string{"--http2"}, "2 200 GET / 0"},
		{"HTTP/2 with prior knowledge", plain, []string{"--http2-prior-knowledge"}, "2 200 GET / 0"},
		{"HTTP/2 by an upgrade that is declined", plain, []string{"--http2"}, "1.1 200 GET / 0"},
		{"form", plain, []string{"-d", "x=1&y=2"}, "1.1 200 POST / 7"},
		{"form over HTTP/2", secure, []string{"--http2", "-d", "x=1&y=2"}, "2 200 POST / 7"},
		{"upload that asks first", plain + "/up", []string{"-T", large, "-H", "Expect: 100-continue"}, "1.1 200 PUT /up 3145728"},
		{"upload of chunks", plain + "/up", []string{"-T", large, "-H", "Transfer-Encoding: chunked", "-H", "Expect:"}, "1.1 200 PUT /up 3145728"},
		{"upload over TLS", secure + "/up", []string{"--http1.1", "-T", large}, "1.1 200 PUT /up 3145728"},
		{"upload over HTTP/2", secure + "/up", []string{"--http2", "-T", large}, "2 200 PUT /up 3145728"},
		{"HEAD", plain, []string{"--head", "-o", os.DevNull}, "1.1 200"},
		{"HEAD over HTTP/2", secure, []string{"--http2", "--head", "-o", os.DevNull}, "2 200"},
		{"DELETE", plain, []string{"-X", "DELETE"}, "1.1 200 DELETE / 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if strings.Contains(strings.Join(tc.args, " "), "--http2") && !bytes.Contains(version, []byte("HTTP2")) {
				t.Skip("this curl does not speak HTTP/2")
			}
			var errs bytes.Buffer
			args := append([]string{"--silent", "--show-error", "--insecure", "--noproxy", "*", "--max-time", "20", "-w", "%{stderr}%{http_version} %{http_code}\n"}, tc.args...)
			cmd := exec.Command(curl, append(args, tc.url)...)
			cmd.Stderr = &errs
			body, err := cmd.Output()
			got := strings.TrimSpace(strings.TrimSpace(errs.String()) + " " + string(body))
			if err != nil || got != tc.want {
				t.Errorf("curl got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestCurlKeepsItsConnection(t *testing.T) {
	curl := program(t, "curl")
	e := multiplexed(t, speaking(t, "HTTP/1.1", describe), nil)
	for _, url := range []string{"http://" + address(t, e, "h2c"), "https://" + address(t, e, "h2")} {
		args := []string{"--silent", "--insecure", "--noproxy", "*", "-w", "%{num_connects} "}
		for range 3 {
			args = append(args, "-o", os.DevNull, url)
		}
		if out, err := exec.Command(curl, args...).Output(); err != nil || string(out) != "1 0 0 " {
			t.Errorf("%s: three requests took %q connections, %v", url, out, err)
		}
	}
}

func TestALoadOfRequestsHasNoErrors(t *testing.T) {
	wrk := program(t, "wrk")
	e := multiplexed(t, speaking(t, "HTTP/1.1", describe), nil)
	for _, url := range []string{"http://" + address(t, e, "h2c"), "https://" + address(t, e, "h2")} {
		out, err := exec.Command(wrk, "-t1", "-c16", "-d1s", "--timeout", "20s", url+"/").CombinedOutput()
		done := regexp.MustCompile(`(\d+) requests in`).FindSubmatch(out)
		if err != nil || done == nil || string(done[1]) == "0" || bytes.Contains(out, []byte("Socket errors")) || bytes.Contains(out, []byte("Non-2xx")) {
			t.Errorf("%s: %v: %s", url, err, out)
		}
	}
}
