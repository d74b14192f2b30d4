package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/gzhttp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Bounds of what crawlers of the log may cost. The log is read for its users
// first.
const (
	// tileReads is how many tiles are read from the store at once, for at most
	// maxTileCallers; more are told to come back.
	tileReads      = 2
	maxTileCallers = 64
	// tilesKept is how many full tiles of hashes stay in memory, of 8 KiB each.
	tilesKept = 512
)

// tiles serves the log's tiles (C2SP tlog-tiles).
type tiles struct {
	log Log
	// full holds tiles that are full, by path: they never change.
	full *lru.Cache[string, []byte]
	// callers has an element for each that is answered from the store, reading one
	// for each that reads.
	callers chan struct{}
	reading chan struct{}
}

func newTiles(log Log) *tiles {
	full, _ := lru.New[string, []byte](tilesKept) // fails for sizes below 1 only
	return &tiles{log: log, full: full, callers: make(chan struct{}, maxTileCallers), reading: make(chan struct{}, tileReads)}
}

func (s *server) checkpoint(c *call) (*answer, error) {
	extent, err := s.Log.Extent(c.Context())
	if err != nil {
		return nil, err
	}
	header := http.Header{"Cache-Control": {"no-cache"}, "Access-Control-Allow-Origin": {"*"}}
	return &answer{status: http.StatusOK, raw: extent.Note, header: header}, nil
}

// tile answers a tile of hashes. Whoever can read the log's checkpoint may have
// it: from salted hashes nothing can be told.
func (s *server) tile(c *call) (*answer, error) {
	return s.tiles.answer(c, strings.TrimPrefix(c.URL.Path, tilePrefix), "public")
}

// entryBundle answers 256 entries' headers, or fewer at the log's end.
func (s *server) entryBundle(c *call) (*answer, error) {
	access := "private"
	if s.PublicEntries {
		access = "public"
	}
	return s.tiles.answer(c, strings.TrimPrefix(c.URL.Path, tilePrefix), access)
}

const tilePrefix = "/tlog/tile/"

// compressed wraps the handler of bundles, which are text and worth it.
var compressed = func() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.ContentTypes([]string{api.ContentTile}), gzhttp.MinSize(1024))
	if err != nil {
		panic(err) // constant options
	}
	return wrap
}()

func (t *tiles) answer(c *call, path, access string) (*answer, error) {
	tile, err := audit.ParseTile(path)
	if err != nil {
		return nil, api.NewProblem(api.CodeNotFound, "this is not the path of a tile: see C2SP tlog-tiles")
	}
	raw, err := t.read(c.Context(), path, tile)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, raw: raw, header: http.Header{
		"Cache-Control":               {access + ", max-age=31536000, immutable"},
		"Access-Control-Allow-Origin": {"*"},
	}}, nil
}

func (t *tiles) read(ctx context.Context, path string, tile tlog.Tile) ([]byte, error) {
	if raw, ok := t.full.Get(path); ok {
		return raw, nil
	}
	select {
	case t.callers <- struct{}{}:
		defer func() { <-t.callers }()
	default:
		return nil, api.NewProblem(api.CodeBusy, "too many tiles are being read; try again in a moment")
	}
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	extent, err := t.log.Extent(ctx)
	if err != nil {
		return nil, err
	}
	if !audit.TileIn(tile, extent.Size) {
		return nil, api.NewProblem(api.CodeNotFound, fmt.Sprintf("the log has no such tile: it has %d entries", extent.Size))
	}
	if tile.L < 0 {
		return t.bundle(ctx, tile)
	}
	raw, err := tlog.ReadTileData(tile, audit.HashReader(ctx, t.log))
	if err == nil && tile.W == audit.TileWidth {
		t.full.Add(path, raw)
	}
	return raw, err
}

func (t *tiles) bundle(ctx context.Context, tile tlog.Tile) ([]byte, error) {
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
