package matrix

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// serve shows clients the log in a directory: by the real runtime, which was made to
// forget what it saw, and where that refuses to start by an operator who does not care.
func serve(t *testing.T, dir string) (endpoint string) {
	t.Helper()
	dir = copyOf(t, dir)
	forget(t, dir)
	d, err := daemon.Start(t.Context(), configOf(dir), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = d.Close(ctx) // a client's spare connection may outlast the wait
		})
		return d.Endpoint()
	}
	if !isRefusal(err) {
		t.Fatal(err)
	}
	s := httptest.NewServer(dishonest(t, dir))
	t.Cleanup(s.Close)
	return s.URL
}

// dishonest answers what Terraform asks of a log straight from the file, right or wrong.
func dishonest(t *testing.T, dir string) http.Handler {
	src, vkey := reader(t, dir), publicKey(t, dir)
	mux := http.NewServeMux()
	fail := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusTeapot) }
	mux.HandleFunc("GET /v1/log", func(w http.ResponseWriter, r *http.Request) {
		x, err := src.Extent(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		log := api.Log{PublicKey: vkey, Checkpoint: string(x.Note)}
		if cp, err := audit.ReadCheckpoint(x.Note); err == nil {
			log.Origin, log.Size, log.Root = cp.Origin, cp.Size, cp.Root.String()
		}
		w.Header().Set("Content-Type", api.ContentJSON)
		if err := json.MarshalWrite(w, log); err != nil {
			t.Error(err)
		}
	})
	const tiles = "/tlog/tile/"
	mux.HandleFunc("GET "+tiles, func(w http.ResponseWriter, r *http.Request) {
		tile, err := audit.ParseTile(strings.TrimPrefix(r.URL.Path, tiles))
		var raw []byte
		if err == nil {
			raw, err = tlog.ReadTileData(tile, audit.HashReader(r.Context(), src))
		}
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", api.ContentTile)
		_, _ = w.Write(raw)
	})
	return mux
}

func clientOf(t *testing.T, endpoint, token string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: endpoint, Token: api.Secret(token), Attempts: 1})
	must(t, err)
	return c
}

const witnessName = "witness.example/w1"

// newWitness makes a witness that has signed nothing yet, and returns its memory.
func newWitness(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	keyOf(t, dir)
	return dir
}

func keyOf(t *testing.T, dir string) *witness.Key {
	t.Helper()
	key, err := witness.LoadKey(filepath.Join(dir, "witness.key"), witnessName)
	must(t, err)
	return key
}

// policyOf asks for the cosignature of the witness.
func policyOf(t *testing.T, dir, url string) *witness.Policy {
	t.Helper()
	p, err := witness.ParsePolicy([]byte("witness w1 " + keyOf(t, dir).PublicKey() + " " + url + "\nquorum w1\n"))
	must(t, err)
	return p
}

// bring has a real witness, which knows the log by a key, asked by the real collector for
// a cosignature of a log. It returns how many pieces of evidence the witness has
// afterwards, and a *witness.Failure unless the log was cosigned.
func bring(t *testing.T, dir, vkey string, log witness.Log) (evidence int, err error) {
	t.Helper()
	key := verifier(t, vkey)
	server, err := witness.NewServer(witness.Options{
		DataDir: dir, Key: keyOf(t, dir), Logs: []witness.KnownLog{{Origin: key.Name(), Key: key}}, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	listener := httptest.NewServer(server)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	outcome := make(chan error, 100)
	collector, err := witness.NewCollector(log, witness.CollectorConfig{
		Policy: policyOf(t, dir, listener.URL),
		OnResult: func(_ string, err error) {
			if err != nil {
				outcome <- err
			}
		},
		OnKept:   func(int64, int) { outcome <- nil },
		OnFailed: func(err error) { outcome <- err },
	})
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		collector.Run(ctx)
	}()
	select {
	case err = <-outcome:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	<-ended
	listener.Close()
	must(t, server.Close())
	files, globErr := filepath.Glob(filepath.Join(dir, "misbehaviour", "*"))
	must(t, globErr)
	for _, path := range files {
		if text, readErr := os.ReadFile(path); readErr != nil || len(text) == 0 {
			t.Errorf("evidence in %s: %d bytes, %v", path, len(text), readErr)
		}
	}
	return len(files), err
}

// shown is a log as witnesses are shown it. It implements [witness.Log].
type shown struct {
	src  audit.Source
	keep func([]byte) error
}

// Checkpoint implements [witness.Log].
func (s shown) Checkpoint(ctx context.Context) ([]byte, error) {
	x, err := s.src.Extent(ctx)
	return x.Note, err
}

// Consistency implements [witness.Log].
func (s shown) Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error) {
	return tlog.ProveTree(to, from, audit.HashReader(ctx, s.src))
}

// Cosigned implements [witness.Log]: whoever attacks a log has forgotten.
func (s shown) Cosigned(context.Context) ([]byte, error) { return nil, nil }

// KeepCosigned implements [witness.Log].
func (s shown) KeepCosigned(_ context.Context, text []byte) error { return s.keep(text) }
