package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/net/http/httpguts"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Bounds of what crawlers of the log may cost: the log is there for changes first.
// What is not in memory is read by one caller at a time, who then rests for
// restFactor times as long as that took: together they take a fraction of a core.
const (
	maxTileCallers = 64
	restFactor     = 3
	maxRest        = 100 * time.Millisecond
	// tilesKept is how many full tiles of hashes stay in memory, of 8 KiB each, and
	// bundlesKept how many full bundles of at most maxBundleKept bytes, compressed.
	tilesKept     = 512
	bundlesKept   = 256
	maxBundleKept = 64 << 10
)

// tiles serves the log's tiles (C2SP tlog-tiles).
type tiles struct {
	log Log
	// full holds tiles and compressed bundles that are full, by path: they never
	// change.
	full, bundles *lru.Cache[string, []byte]
	// callers has an element for each that is answered from the store, and turn one
	// while one of them reads or rests.
	callers, turn chan struct{}
}

func newTiles(log Log) *tiles {
	full, _ := lru.New[string, []byte](tilesKept) // fails for sizes below 1 only
	bundles, _ := lru.New[string, []byte](bundlesKept)
	return &tiles{log: log, full: full, bundles: bundles, callers: make(chan struct{}, maxTileCallers), turn: make(chan struct{}, 1)}
}

func (s *server) checkpoint(c *call) (*answer, error) {
	extent, err := s.Log.Extent(c.Context())
	if err != nil {
		return nil, err
	}
	header := http.Header{"Cache-Control": {"no-cache"}, "Access-Control-Allow-Origin": {"*"}}
	return &answer{status: http.StatusOK, raw: extent.Note, header: header}, nil
}

const tilePrefix = "/tlog/tile/"

// tile answers a tile of hashes. Whoever can read the log's checkpoint may have
// it: from salted hashes nothing can be told.
func (s *server) tile(c *call) (*answer, error) {
	path, tile, err := c.tilePath()
	if err != nil {
		return nil, err
	}
	raw, ok := s.tiles.full.Get(path)
	if !ok {
		if raw, err = s.tiles.read(c.Context(), tile, s.tiles.hashes); err != nil {
			return nil, err
		}
		if tile.W == audit.TileWidth {
			s.tiles.full.Add(path, raw)
		}
	}
	return immutable(raw, "public"), nil
}

// entryBundle answers 256 entries' headers, or fewer at the log's end: compressed
// for those who can read that, since headers are text and much alike.
func (s *server) entryBundle(c *call) (*answer, error) {
	path, tile, err := c.tilePath()
	if err != nil {
		return nil, err
	}
	access := "private"
	if s.PublicEntries {
		access = "public"
	}
	if !httpguts.HeaderValuesContainsToken(c.Header["Accept-Encoding"], "gzip") {
		raw, err := s.tiles.read(c.Context(), tile, s.tiles.leaves)
		if err != nil {
			return nil, err
		}
		a := immutable(raw, access)
		a.header.Set("Vary", "Accept-Encoding")
		return a, nil
	}
	zipped, ok := s.tiles.bundles.Get(path)
	if !ok {
		if zipped, err = s.tiles.read(c.Context(), tile, s.tiles.zippedLeaves); err != nil {
			return nil, err
		}
		if tile.W == audit.TileWidth && len(zipped) <= maxBundleKept {
			s.tiles.bundles.Add(path, zipped)
		}
	}
	a := immutable(zipped, access)
	a.header.Set("Vary", "Accept-Encoding")
	a.header.Set("Content-Encoding", "gzip")
	return a, nil
}

// tilePath is the tile that the path names.
func (c *call) tilePath() (string, tlog.Tile, error) {
	path := strings.TrimPrefix(c.URL.Path, tilePrefix)
	tile, err := audit.ParseTile(path)
	if err != nil {
		return "", tile, api.NewProblem(api.CodeNotFound, "this is not the path of a tile: see C2SP tlog-tiles")
	}
	return path, tile, nil
}

func immutable(raw []byte, access string) *answer {
	return &answer{status: http.StatusOK, raw: raw, header: http.Header{
		"Cache-Control":               {access + ", max-age=31536000, immutable"},
		"Access-Control-Allow-Origin": {"*"},
	}}
}

// read reads a tile from the store when it is the caller's turn.
func (t *tiles) read(ctx context.Context, tile tlog.Tile, from func(context.Context, tlog.Tile) ([]byte, error)) ([]byte, error) {
	select {
	case t.callers <- struct{}{}:
		defer func() { <-t.callers }()
	default:
		return nil, api.NewProblem(api.CodeBusy, "too many tiles are being read; try again in a moment")
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := time.Now()
	defer func() {
		time.AfterFunc(min(restFactor*time.Since(began), maxRest), func() { <-t.turn })
	}()
	extent, err := t.log.Extent(ctx)
	if err != nil {
		return nil, err
	}
	if !audit.TileIn(tile, extent.Size) {
		return nil, api.NewProblem(api.CodeNotFound, fmt.Sprintf("the log has no such tile: it has %d entries", extent.Size))
	}
	return from(ctx, tile)
}

func (t *tiles) hashes(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	return tlog.ReadTileData(tile, audit.HashReader(ctx, t.log))
}

func (t *tiles) leaves(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	from := tile.N * audit.TileWidth
	leaves, err := t.log.Leaves(ctx, from, tile.W)
	if err != nil {
		return nil, err
	}
	if len(leaves) != tile.W {
		return nil, fmt.Errorf("entries %d to %d: %w", from, from+int64(tile.W)-1, errMissing)
	}
	var raw []byte
	for _, leaf := range leaves {
		raw = audit.AppendBundled(raw, leaf)
	}
	return raw, nil
}

// errMissing means that an entry is not there that the checkpoint signs.
var errMissing = errors.New("an entry is missing from the log")

func (t *tiles) zippedLeaves(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	raw, err := t.leaves(ctx, tile)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}
