package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileHeight is the height of a tile: it is 2^TileHeight hashes wide (C2SP
// tlog-tiles).
const TileHeight = 8

// TileWidth is the number of hashes of a full tile, and of entries of a full bundle.
const TileWidth = 1 << TileHeight

// MaxBundleBytes is how long a bundle of entries can be.
const MaxBundleBytes = TileWidth * (2 + MaxLeafBytes)

// ErrTilePath means that a path names no tile.
var ErrTilePath = errors.New("not the path of a tile")

// ParseTile reads the path of a tile below tile/, as C2SP tlog-tiles writes it:
// <L>/<N>[.p/<W>] for hashes, entries/<N>[.p/<W>] for a bundle of entries, whose
// L is -1. A path has one form: what [TilePath] does not write is refused.
func ParseTile(path string) (tlog.Tile, error) {
	level, index, ok := strings.Cut(path, "/")
	if !ok {
		return tlog.Tile{}, ErrTilePath
	}
	t := tlog.Tile{H: TileHeight, L: -1, W: TileWidth}
	var err error
	if level != entriesLevel {
		if t.L, err = strconv.Atoi(level); err != nil || t.L < 0 || t.L > 63 {
			return tlog.Tile{}, ErrTilePath
		}
	}
	index, width, partial := strings.Cut(index, ".p/")
	if partial {
		if t.W, err = strconv.Atoi(width); err != nil || t.W < 1 || t.W >= TileWidth {
			return tlog.Tile{}, ErrTilePath
		}
	}
	for _, part := range strings.Split(index, "/") {
		n, err := strconv.ParseUint(strings.TrimPrefix(part, "x"), 10, 16)
		if err != nil || n > 999 || t.N > (1<<62)/1000 {
			return tlog.Tile{}, ErrTilePath
		}
		t.N = t.N*1000 + int64(n)
	}
	if TilePath(t) != path {
		return tlog.Tile{}, ErrTilePath
	}
	return t, nil
}

// entriesLevel stands in the path of a bundle of entries in place of a level.
const entriesLevel = "entries"

// TilePath is the path of a tile below tile/.
func TilePath(t tlog.Tile) string {
	path := fmt.Sprintf("%03d", t.N%1000)
	for n := t.N / 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if t.W < TileWidth {
		path += ".p/" + strconv.Itoa(t.W)
	}
	if t.L < 0 {
		return entriesLevel + "/" + path
	}
	return strconv.Itoa(t.L) + "/" + path
}

// TileIn reports whether a tree of a size has a tile: all of its hashes or entries.
func TileIn(t tlog.Tile, size int64) bool {
	// In hashes of the tile's level the tree is this wide. Levels above its height are empty.
	width := size
	if t.L > 0 {
		if t.L*TileHeight > 62 {
			return false
		}
		width >>= t.L * TileHeight
	}
	return t.N < width>>TileHeight+1 && t.N*TileWidth+int64(t.W) <= width
}

// AppendBundled adds an entry's leaf to a bundle: its length in 16 bits, big
// endian, and its bytes.
func AppendBundled(bundle, leaf []byte) []byte {
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(leaf))), leaf...)
}

// SplitBundle takes a bundle apart into n leaves.
func SplitBundle(bundle []byte, n int) ([][]byte, error) {
	leaves := make([][]byte, 0, n)
	for len(bundle) >= 2 && len(leaves) < n {
		length := int(binary.BigEndian.Uint16(bundle))
		if len(bundle)-2 < length {
			break
		}
		leaves = append(leaves, bundle[2:2+length])
		bundle = bundle[2+length:]
	}
	if len(leaves) != n || len(bundle) != 0 {
		return nil, fmt.Errorf("bundle does not hold exactly %d entries", n)
	}
	return leaves, nil
}
