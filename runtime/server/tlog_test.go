package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/torchwood"
	tessera "github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// publicEntries lets anybody read entries.
func publicEntries(c *daemon.Config) { c.Log.PublicEntries = true }

func (r *rig) verifier(t testing.TB) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(r.Daemon.Controller.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// walkedLog is the size of the log that clients which are not ours walk: 3,000
// entries, and 100,000 with AUDITLB_LARGE set, for which the race detector is too slow.
func walkedLog() int {
	if os.Getenv("AUDITLB_LARGE") != "" {
		return 100_000
	}
	return 3_000
}

// TestAClientThatIsNotOursVerifiesALogWhileItGrows: transparency-dev's client and
// its fsck, and torchwood, know nothing of us but C2SP tlog-tiles.
func TestAClientThatIsNotOursVerifiesALogWhileItGrows(t *testing.T) {
	r := start(t, runtimetest.Configured(publicEntries), runtimetest.Filled(walkedLog()))
	v := r.verifier(t)
	root, err := url.Parse(r.Endpoint + "/tlog/")
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := client.NewHTTPFetcher(root, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}

	// The log grows as long as it is walked.
	growing, stop := context.WithCancel(t.Context())
	var grown sync.WaitGroup
	grown.Go(func() {
		for i := 0; growing.Err() == nil; i++ {
			r.create(t, fmt.Sprintf("pool/p%d", i), pool())
		}
	})
	defer grown.Wait()
	defer stop()

	first, err := fetcher.ReadCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := client.NewLogStateTracker(t.Context(), fetcher.ReadTile, first, v, v.Name(), client.UnilateralConsensus(fetcher.ReadCheckpoint))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("everything", func(t *testing.T) {
		check := fsck.New(v.Name(), v, fetcher, bundleHashes, fsck.Opts{N: 2})
		if err := check.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("consistency and inclusion", func(t *testing.T) {
		for range 20 {
			before := tracker.Latest()
			if _, _, _, err := tracker.Update(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := tracker.Latest()
			proofs, err := client.NewProofBuilder(t.Context(), now.Size, fetcher.ReadTile)
			if err != nil {
				t.Fatal(err)
			}
			for _, seq := range []uint64{0, 255, 256, before.Size - 1, now.Size - 1} {
				path, err := proofs.InclusionProof(t.Context(), seq)
				if err != nil {
					t.Fatal(err)
				}
				bundle, err := client.GetEntryBundle(t.Context(), fetcher.ReadEntryBundle, seq/audit.TileWidth, now.Size)
				if err != nil {
					t.Fatal(err)
				}
				leaf := bundle.Entries[seq%audit.TileWidth]
				var hashes tlog.RecordProof
				for _, h := range path {
					hashes = append(hashes, tlog.Hash(h))
				}
				if err := tlog.CheckRecord(hashes, int64(now.Size), tlog.Hash(now.Hash), int64(seq), tlog.RecordHash(leaf)); err != nil {
					t.Errorf("entry %d of %d: %v", seq, now.Size, err)
				}
			}
		}
		if got := tracker.Latest().Size; got <= uint64(walkedLog()) {
			t.Errorf("the log has %d entries: it did not grow", got)
		}
	})
	t.Run("every entry, by torchwood", func(t *testing.T) {
		read, err := torchwood.NewTileFetcher(root.String(), torchwood.WithTilePath(torchwood.TilePath), torchwood.WithTileFetcherLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		walk, err := torchwood.NewClient(read, torchwood.WithCutEntry(func(tile []byte) (entry []byte, rh tlog.Hash, rest []byte, err error) {
			entry, rest, err = torchwood.ReadTileEntry(tile)
			return entry, tlog.RecordHash(entry), rest, err
		}))
		if err != nil {
			t.Fatal(err)
		}
		latest := tracker.Latest()
		var next int64
		for seq, leaf := range walk.AllEntries(t.Context(), tlog.Tree{N: int64(latest.Size), Hash: tlog.Hash(latest.Hash)}, 0) {
			if e, err := audit.ParseLeaf(leaf); err != nil || e.Seq != seq || seq != next {
				t.Fatalf("entry %d, the %dth: %v, its header says %d", seq, next, err, e.Seq)
			}
			next++
		}
		if err := walk.Err(); err != nil || next != int64(latest.Size) {
			t.Errorf("%d of %d entries: %v", next, latest.Size, err)
		}
	})
}

// bundleHashes hashes a bundle's leaves.
func bundleHashes(bundle []byte) ([][]byte, error) {
	var entries tessera.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, leaf := range entries.Entries {
		h := tlog.RecordHash(leaf)
		hashes = append(hashes, h[:])
	}
	return hashes, nil
}

func TestTilesAreServedAsC2SPSays(t *testing.T) {
	r := start(t, runtimetest.Filled(700))
	size := r.newest(t).Seq + 1
	viewer := as(identity.Viewer)
	stranger := with("Authorization")
	const forever = "max-age=31536000, immutable"
	last := fmt.Sprintf(".p/%d", size%audit.TileWidth)
	for _, c := range []struct {
		path   string
		who    option
		status int
		cache  string
		bytes  int
	}{
		{"0/000", stranger, 200, "public, " + forever, 8192},
		{"0/001", stranger, 200, "public, " + forever, 8192},
		{"0/002" + last, stranger, 200, "public, " + forever, int(size%audit.TileWidth) * tlog.HashSize},
		{"0/002.p/1", stranger, 200, "public, " + forever, tlog.HashSize},
		{"1/000.p/2", stranger, 200, "public, " + forever, 2 * tlog.HashSize},
		{"1/000.p/1", stranger, 200, "public, " + forever, tlog.HashSize},
		{"entries/000", viewer, 200, "private, " + forever, 0},
		{"entries/002" + last, viewer, 200, "private, " + forever, 0},
		{"entries/000", stranger, 401, "no-store", 0},
		{"0/002", stranger, 404, "no-store", 0},
		{"0/003.p/1", stranger, 404, "no-store", 0},
		{"1/000.p/3", stranger, 404, "no-store", 0},
		{"1/000", stranger, 404, "no-store", 0},
		{"2/000.p/1", stranger, 404, "no-store", 0},
		{"63/000.p/1", stranger, 404, "no-store", 0},
		{"64/000", stranger, 404, "no-store", 0},
		{"00/000", stranger, 404, "no-store", 0},
		{"0/000.p/0", stranger, 404, "no-store", 0},
		{"0/000.p/256", stranger, 404, "no-store", 0},
		{"0/0", stranger, 404, "no-store", 0},
		{"0/x000/000", stranger, 404, "no-store", 0},
		{"0/x999/x999/x999/x999/x999/x999/x999/x999/999", stranger, 404, "no-store", 0},
		{"-1/000", stranger, 404, "no-store", 0},
		{"entries/999", viewer, 404, "no-store", 0},
	} {
		t.Run(c.path, func(t *testing.T) {
			a := r.do(t, http.MethodGet, "/tlog/tile/"+c.path, nil, c.who)
			if a.status != c.status || a.header.Get("Cache-Control") != c.cache || c.bytes > 0 && len(a.body) != c.bytes {
				t.Fatalf("%d, %q, %d bytes; want %d, %q, %d", a.status, a.header.Get("Cache-Control"), len(a.body), c.status, c.cache, c.bytes)
			}
			if c.status == 200 && a.header.Get("Content-Type") != api.ContentTile {
				t.Errorf("content type %q", a.header.Get("Content-Type"))
			}
		})
	}
	if a := r.do(t, http.MethodGet, "/tlog/checkpoint", nil, stranger); a.header.Get("Cache-Control") != "no-cache" || a.header.Get("Content-Type") != api.ContentText {
		t.Errorf("checkpoint: %v", a.header)
	} else if cp, err := audit.OpenCheckpoint(a.body, r.verifier(t)); err != nil {
		t.Errorf("checkpoint: %v\n%s", err, a.body)
	} else if tree, err := audit.LoadTree(cp.Size, audit.HashReader(t.Context(), r.Daemon.Store)); err != nil || cp.Root != tree.Root() {
		t.Errorf("checkpoint of another tree: %v\n%s", err, a.body)
	}
}

func TestBundlesAreCompressedForWhoAsks(t *testing.T) {
	r := start(t, runtimetest.Configured(publicEntries), runtimetest.Filled(300))
	path := "/tlog/tile/" + strings.TrimPrefix(layout.EntriesPath(0, 0), "tile/")
	plain := r.do(t, http.MethodGet, path, nil, with("Accept-Encoding", "identity"), with("Authorization"))
	zipped := r.do(t, http.MethodGet, path, nil, with("Accept-Encoding", "gzip"), with("Authorization"))
	if zipped.header.Get("Content-Encoding") != "gzip" || !slices.Contains(zipped.header.Values("Vary"), "Accept-Encoding") || plain.header.Get("Content-Encoding") != "" {
		t.Fatalf("%v, and plain %v", zipped.header, plain.header)
	}
	reader, err := gzip.NewReader(bytes.NewReader(zipped.body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, plain.body) || len(zipped.body) > len(plain.body)/2 {
		t.Errorf("%d bytes unpack to %d, plain are %d: %v", len(zipped.body), len(got), len(plain.body), err)
	}
}

// TestCrawlersTakeTheirTurn: who reads tiles waits, and is told to come back when
// too many do; the API's other readers are served.
func TestCrawlersTakeTheirTurn(t *testing.T) {
	r, store := startFaulty(t)
	oneTooMany := r.crowd(t, store, func() { r.must(t, nil, http.MethodGet, "/v1/entries", nil) })
	if oneTooMany.problem.Code != api.CodeBusy || oneTooMany.header.Get("Retry-After") == "" {
		t.Errorf("one too many is not told to come back: %s", oneTooMany)
	}
}

// crowd reads one bundle more than can be waited for, and returns the answer to
// the one too many. Meanwhile is called while the others wait; all of them are
// answered in the end.
func (r *rig) crowd(t *testing.T, store *faultyStore, meanwhile func()) *answer {
	t.Helper()
	entered, leave := make(chan struct{}, server.MaxTileCallers+1), make(chan struct{})
	hold := func() {
		entered <- struct{}{}
		<-leave
	}
	store.leaves.Store(&hold)
	defer store.leaves.Store(nil)
	answers := make(chan *answer, server.MaxTileCallers+1)
	for range server.MaxTileCallers + 1 {
		go func() { answers <- r.do(t, http.MethodGet, "/tlog/tile/entries/000.p/1", nil) }()
	}
	// Nobody who is let in is answered before they may leave.
	oneTooMany := <-answers
	meanwhile()
	if n := len(entered); n > 1 {
		t.Errorf("%d read at once", n)
	}
	close(leave)
	for range server.MaxTileCallers {
		if a := <-answers; a.status != http.StatusOK {
			t.Errorf("one that waited: %s", a)
		}
	}
	return oneTooMany
}

// walkEvidence proves entries with nothing but what the API answers.
func walkEvidence(t *testing.T, r *rig) {
	t.Helper()
	var log api.Log
	r.must(t, &log, http.MethodGet, "/v1/log", nil)
	trust, err := audit.NewTrust(log.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := trust.OpenCheckpoint([]byte(log.Checkpoint)); err != nil || cp.Size != log.Size || cp.Root.String() != log.Root || cp.Origin != log.Origin {
		t.Errorf("%+v: %v", log, err)
	}
	last := r.newest(t)
	a := r.must(t, nil, http.MethodGet, fmt.Sprintf("/v1/entries/%d/proof", last.Seq), nil)
	proof, err := audit.ParseProof(a.body)
	if err != nil {
		t.Fatal(err)
	}
	if checked, err := trust.CheckProof(&proof); err != nil || checked.Record.Entry.Request.ID != last.Request.ID {
		t.Errorf("proof of entry %d: %v\n%s", last.Seq, err, a.body)
	}
	var list api.EntryList
	r.must(t, &list, http.MethodGet, "/v1/entries?include=evidence&limit=1", nil)
	if e := list.Items[0].Evidence; e == nil || e.Leaf != string(proof.Leaf) || e.Body != string(proof.Body) || e.Salt != fmt.Sprintf("%x", proof.Salt) {
		t.Errorf("evidence of entry %d: %+v", last.Seq, e)
	}
	if a := r.do(t, http.MethodGet, "/v1/entries/999999/proof", nil); a.problem.Code != api.CodeNotFound {
		t.Errorf("proof of an entry that is not there: %s", a)
	}
}
