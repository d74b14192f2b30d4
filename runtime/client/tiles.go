package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// maxObserved bounds a checkpoint in a header, in base64.
const maxObserved = 32 << 10

// observed is the newest checkpoint that came with an answer and is signed by the
// log's key. Before that is known nothing is kept.
type observed struct {
	mu  sync.Mutex // guards what follows
	key note.Verifier
	cp  audit.Checkpoint
}

// believe sets the log's key.
func (o *observed) believe(key note.Verifier) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key = key
}

func (o *observed) observe(h http.Header) {
	text := h.Get(api.HeaderCheckpoint)
	if text == "" || len(text) > maxObserved {
		return
	}
	signed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.key == nil {
		return
	}
	if cp, err := audit.OpenCheckpoint(signed, o.key); err == nil && cp.Size > o.cp.Size {
		o.cp = cp
	}
}

func (o *observed) newest() audit.Checkpoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cp
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

// maxTileAnswer bounds what is read for a tile, a problem among it.
const maxTileAnswer = 64 << 10

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
		data, err := t.client.roundTrip(t.ctx, call{method: http.MethodGet, path: path, limit: maxTileAnswer}, api.ContentTile)
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

// has returns nil when the tree has the one that another checkpoint of its log signs,
// and otherwise a [*HistoryError].
func (t *Tree) has(ctx context.Context, before audit.Checkpoint) error {
	if before.Size > t.head.Size {
		return &HistoryError{Kind: RolledBack}
	}
	root, err := t.RootAt(ctx, before.Size)
	if err == nil && root != before.Root {
		err = &HistoryError{Kind: Rewritten}
	}
	return err
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
