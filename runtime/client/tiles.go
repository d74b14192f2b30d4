package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// observed is the newest checkpoint that came with an answer.
type observed struct {
	mu   sync.Mutex // guards what follows
	size int64
	note []byte
}

func (o *observed) observe(h http.Header) {
	text := h.Get(api.HeaderCheckpoint)
	if text == "" {
		return
	}
	note, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	_, rest, _ := strings.Cut(string(note), "\n")
	line, _, _ := strings.Cut(rest, "\n")
	size, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if size > o.size {
		o.size, o.note = size, note
	}
}

func (o *observed) newest() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.note
}

// tileCache reads tiles of hashes and keeps those that were checked. It
// implements [tlog.TileReader].
type tileCache struct {
	client *Client
	ctx    context.Context
	held   map[tlog.Tile][]byte
	// failed is why a tile could not be read.
	failed error
}

// maxTilesHeld bounds the tiles in memory, of 8 KiB each.
const maxTilesHeld = 4096

// Height implements tlog.TileReader.
func (t *tileCache) Height() int { return audit.TileHeight }

// ReadTiles implements tlog.TileReader.
func (t *tileCache) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if out[i] = t.held[tile]; out[i] != nil {
			continue
		}
		path := append([]string{"tlog", "tile"}, strings.Split(audit.TilePath(tile), "/")...)
		data, err := t.client.roundTrip(t.ctx, call{method: http.MethodGet, path: path}, api.ContentTile)
		if err != nil {
			t.failed = err
			return nil, err
		}
		out[i] = data
	}
	return out, nil
}

// SaveTiles implements tlog.TileReader.
func (t *tileCache) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		if len(t.held) < maxTilesHeld {
			t.held[tile] = data[i]
		}
	}
}

// Tree is a tree of the log that a checkpoint signs, read by its tiles, which are
// checked against it. It is not safe for concurrent use.
type Tree struct {
	head  audit.Checkpoint
	tiles *tileCache
}

// Tree returns the tree of a checkpoint.
func (c *Client) Tree(head audit.Checkpoint) *Tree {
	return &Tree{head, &tileCache{client: c, held: map[tlog.Tile][]byte{}}}
}

// RootAt is the root that the tree had at a size. It is a [*HistoryError] when the
// tiles are not those of the checkpoint.
func (t *Tree) RootAt(ctx context.Context, size int64) (tlog.Hash, error) {
	if size == t.head.Size {
		return t.head.Root, nil
	}
	root, err := tlog.TreeHash(size, t.reader(ctx))
	return root, t.explain(err)
}

// Prove returns the path from an entry to the checkpoint's root.
func (t *Tree) Prove(ctx context.Context, seq int64) ([]tlog.Hash, error) {
	path, err := tlog.ProveRecord(t.head.Size, seq, t.reader(ctx))
	return path, t.explain(err)
}

func (t *Tree) reader(ctx context.Context) tlog.HashReader {
	t.tiles.ctx, t.tiles.failed = ctx, nil
	return tlog.TileHashReader(tlog.Tree{N: t.head.Size, Hash: t.head.Root}, t.tiles)
}

// explain tells tiles that could not be read from tiles that are wrong.
func (t *Tree) explain(err error) error {
	switch {
	case t.tiles.failed != nil:
		return t.tiles.failed
	case err != nil:
		return &HistoryError{Kind: Contradictory}
	}
	return nil
}
