package bucket_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

// The environment can name a service to run the suite against too: its URL, and a
// bucket in it that was made with object lock. Access keys come from AWS_….
const envEndpoint, envBucket = "AUDITLB_TEST_S3_ENDPOINT", "AUDITLB_TEST_S3_BUCKET"

// wire stands before a service and remembers what is written to it.
type wire struct {
	http.Handler
	mu   sync.Mutex // guards puts
	puts []http.Header
	// problem is the first write whose body is not what its headers say.
	problem string
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.Sum256(body)
		w.mu.Lock()
		w.puts = append(w.puts, r.Header.Clone())
		if r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]) || r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
			w.problem = fmt.Sprintf("a write of %d bytes, whose headers say %q", len(body), r.Header)
		}
		w.mu.Unlock()
	}
	w.Handler.ServeHTTP(rw, r)
}

// fakeS3 is somebody else's S3 in this process. It honours If-None-Match, and knows
// nothing of object lock.
func fakeS3(t *testing.T) (*wire, bucket.S3Config) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bodies"); err != nil {
		t.Fatal(err)
	}
	w := &wire{Handler: gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return w, bucket.S3Config{Endpoint: server.URL, Bucket: "bodies", PathStyle: true, CredentialsFile: credentialsFile(t, 0o600)}
}

func credentialsFile(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = very-secret\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func openS3(t *testing.T, c bucket.S3Config) *bucket.S3 {
	t.Helper()
	b, err := bucket.OpenS3(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABucketOfS3KeepsItsPromises(t *testing.T) {
	w, config := fakeS3(t)
	conform(t, openS3(t, config))
	conformOverPages(t, openS3(t, config))
	config.Prefix = "a/prefix"
	t.Run("below a prefix", func(t *testing.T) { conform(t, openS3(t, config)) })
	if w.problem != "" {
		t.Error(w.problem)
	}
}

// TestABucketOfAServiceThatIsNamed runs the suite, and object lock, against the
// service that the environment names, if it names one.
func TestABucketOfAServiceThatIsNamed(t *testing.T) {
	endpoint := os.Getenv(envEndpoint)
	if endpoint == "" {
		return
	}
	config := bucket.S3Config{Endpoint: endpoint, Bucket: os.Getenv(envBucket), PathStyle: true, Prefix: "test-" + time.Now().UTC().Format("20060102T150405.000000"), InsecureHTTP: true}
	conform(t, openS3(t, config))
	conformOverPages(t, openS3(t, config))
	config.LockMode, config.LockFor = bucket.Governance, time.Minute
	locked := openS3(t, config)
	put(t, locked, "locked", []byte("held"))
	if until, err := bucket.RetainedUntil(t.Context(), locked, "locked"); err != nil || time.Until(until) < 30*time.Second {
		t.Errorf("held until %v, %v; want a minute from now", until, err)
	}
	if err := bucket.Remove(t.Context(), locked, "locked"); err == nil {
		t.Error("a locked version was removed")
	}
	if got, err := locked.Get(t.Context(), "locked"); err != nil || string(got) != "held" {
		t.Errorf("after it there is %q, %v", got, err)
	}
}

func TestAWriteAsksForObjectLockAndNeverToOverwrite(t *testing.T) {
	for _, mode := range []string{"", bucket.Governance, bucket.Compliance} {
		t.Run("mode "+mode, func(t *testing.T) {
			w, config := fakeS3(t)
			if config.LockMode = mode; mode != "" {
				config.LockFor = 30 * 24 * time.Hour
			}
			put(t, openS3(t, config), "checkpoints/1", []byte("note"))
			if len(w.puts) != 1 {
				t.Fatalf("%d writes, want 1", len(w.puts))
			}
			header := w.puts[0]
			if got := header.Get("If-None-Match"); got != "*" {
				t.Errorf("If-None-Match = %q, want *", got)
			}
			if header.Get("Content-Md5") == "" {
				t.Error("no Content-MD5, which object lock demands")
			}
			if got := header.Get("X-Amz-Object-Lock-Mode"); got != mode {
				t.Errorf("mode = %q, want %q", got, mode)
			}
			until := header.Get("X-Amz-Object-Lock-Retain-Until-Date")
			if mode == "" {
				if until != "" {
					t.Errorf("held until %s without object lock", until)
				}
				return
			}
			at, err := time.Parse(time.RFC3339, until)
			if off := time.Until(at) - config.LockFor; err != nil || off.Abs() > time.Minute {
				t.Errorf("held until %q (%v), want 30 days from now", until, err)
			}
		})
	}
}

func TestAServiceThatHangsOrFloodsCostsATimeoutAtMost(t *testing.T) {
	hang := func(r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then a client that goes away is noticed
		<-r.Context().Done()
	}
	tests := map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { hang(r) },
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			hang(r)
		},
		"errors": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"an error of another world": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>\x1b[31mowned</Code><Message>"+strings.Repeat("x", 10_000)+"</Message></Error>")
		},
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			b := openS3(t, bucket.S3Config{Endpoint: server.URL, Bucket: "bodies", PathStyle: true, CredentialsFile: credentialsFile(t, 0o600), Timeout: 300 * time.Millisecond})
			_, got := b.Get(t.Context(), "key")
			var listed error
			for _, err := range b.List(t.Context(), "") {
				listed = err
			}
			for what, err := range map[string]error{"put": b.Put(t.Context(), "key", []byte("x")), "get": got, "list": listed} {
				if name == "half an answer" && what == "put" {
					continue // its answer has no body to wait for
				}
				if err == nil {
					t.Errorf("%s: no error", what)
				} else if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\x1b\n") || strings.Contains(text, "very-secret") {
					t.Errorf("%s: the error says %q", what, text)
				}
			}
		})
	}
}

func TestAnObjectThatIsTooLargeIsNotReadToItsEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		piece := make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	b := openS3(t, bucket.S3Config{Endpoint: server.URL, Bucket: "bodies", PathStyle: true, CredentialsFile: credentialsFile(t, 0o600)})
	if _, err := b.Get(t.Context(), "key"); !errors.Is(err, bucket.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestAnAnswerThatIsLostIsSettledByARetry(t *testing.T) {
	w, config := fakeS3(t)
	backend, err := url.Parse(config.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		lost := false
		once.Do(func() { lost = true })
		if lost {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	config.Endpoint = server.URL
	if err := openS3(t, config).Put(t.Context(), "key", []byte("x")); err != nil {
		t.Errorf("put = %v, want nil", err)
	}
	if len(w.puts) < 2 {
		t.Errorf("%d writes reached the service, want the lost one and another", len(w.puts))
	}
}

func TestAConfigurationThatIsWrongIsNamed(t *testing.T) {
	ok := bucket.S3Config{Endpoint: "https://s3.example.com", Bucket: "bodies", CredentialsFile: credentialsFile(t, 0o600)}
	tests := map[string]struct {
		change func(*bucket.S3Config)
		want   string
	}{
		"no bucket":               {func(c *bucket.S3Config) { c.Bucket = "" }, "bucket"},
		"a bucket that is a path": {func(c *bucket.S3Config) { c.Bucket = "a/b" }, "bucket"},
		"plain http":              {func(c *bucket.S3Config) { c.Endpoint = "http://s3.example.com" }, "insecure_http"},
		"credentials in the URL":  {func(c *bucket.S3Config) { c.Endpoint = "https://user:pass@s3.example.com" }, "endpoint"},
		"a path in the URL":       {func(c *bucket.S3Config) { c.Endpoint = "https://s3.example.com/bucket" }, "endpoint"},
		"a prefix that climbs":    {func(c *bucket.S3Config) { c.Prefix = "a/../b" }, "prefix"},
		"a timeout of an hour":    {func(c *bucket.S3Config) { c.Timeout = time.Hour }, "timeout"},
		"an unknown mode":         {func(c *bucket.S3Config) { c.LockMode, c.LockFor = "WORM", time.Hour }, "mode"},
		"a mode without a time":   {func(c *bucket.S3Config) { c.LockMode = bucket.Compliance }, "at least a day"},
		"a time without a mode":   {func(c *bucket.S3Config) { c.LockFor = time.Hour }, "mode"},
		"keys that others read":   {func(c *bucket.S3Config) { c.CredentialsFile = credentialsFile(t, 0o644) }, "chmod 600"},
		"keys that aren't there":  {func(c *bucket.S3Config) { c.CredentialsFile = "/nowhere" }, "credentials_file"},
		"a CA that is none":       {func(c *bucket.S3Config) { c.CAFile = c.CredentialsFile }, "ca_file"},
	}
	if _, err := bucket.OpenS3(ok); err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := ok
			tt.change(&c)
			_, err := bucket.OpenS3(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error = %v, want one about %s", err, tt.want)
			}
			if strings.Contains(err.Error(), "pass") {
				t.Errorf("the error repeats a password: %v", err)
			}
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	_, config := fakeS3(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, b := range []bucket.Bucket{openS3(t, config), openDir(t, t.TempDir())} {
		if err := b.Put(ctx, "key", []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: put = %v, want context.Canceled", b, err)
		}
		if _, err := b.Get(ctx, "key"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: get = %v, want context.Canceled", b, err)
		}
	}
}
