package audit_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// FuzzTilePath: what we read as a tile's path is what others write for it, and
// nothing else is read.
func FuzzTilePath(f *testing.F) {
	for _, path := range []string{"0/000", "63/999.p/255", "5/x001/234.p/1", "entries/x001/x234/067", "0/x999/x999/x999/x999/x999/x999/x999", "00/000", "0/1", "0/x000/001", "0/000.p/256", "-1/000", "0/0001"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := audit.ParseTile(path)
		theirs, theirErr := torchwood.ParseTilePath("tile/" + path)
		if err != nil {
			if !errors.Is(err, audit.ErrTilePath) {
				t.Errorf("%q: %v is not ErrTilePath", path, err)
			}
			// Theirs also reads data tiles, of which we have none, and numbers that no log comes to.
			if theirErr == nil && theirs.L >= -1 && theirs.L <= 63 && theirs.N < 1<<52 && !strings.HasPrefix(path, "data/") {
				t.Errorf("%q: %v, and torchwood reads %+v", path, err, theirs)
			}
			return
		}
		if theirErr != nil || tile != theirs || torchwood.TilePath(tile) != "tile/"+path || audit.TilePath(tile) != path {
			t.Errorf("%q is %+v; torchwood reads %+v (%v) and writes %q", path, tile, theirs, theirErr, torchwood.TilePath(tile))
		}
	})
}

func TestATreeHasTheTilesThatC2SPSays(t *testing.T) {
	// The example of C2SP tlog-tiles: a tree of 70,000.
	for _, c := range []struct {
		level int
		n     int64
		width int
		want  bool
	}{
		{0, 272, 256, true},
		{0, 273, 112, true},
		{0, 273, 1, true},
		{0, 273, 113, false},
		{0, 273, 256, false},
		{0, 274, 1, false},
		{1, 0, 256, true},
		{1, 1, 17, true},
		{1, 1, 18, false},
		{2, 0, 1, true},
		{2, 0, 2, false},
		{3, 0, 1, false},
		{63, 0, 1, false},
		{-1, 272, 256, true},
		{-1, 273, 112, true},
		{-1, 273, 113, false},
		{0, 1 << 61, 1, false},
	} {
		if got := audit.TileIn(tlog.Tile{H: 8, L: c.level, N: c.n, W: c.width}, 70_000); got != c.want {
			t.Errorf("level %d, tile %d, width %d: %v", c.level, c.n, c.width, got)
		}
	}
}

func TestABundleComesApartAsItWasPutTogether(t *testing.T) {
	leaves := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("x"), audit.MaxLeafBytes)}
	var bundle []byte
	for _, leaf := range leaves {
		bundle = audit.AppendBundled(bundle, leaf)
	}
	got, err := audit.SplitBundle(bundle, len(leaves))
	if err != nil || len(got) != 3 || !bytes.Equal(got[0], leaves[0]) || !bytes.Equal(got[1], leaves[1]) || !bytes.Equal(got[2], leaves[2]) {
		t.Fatalf("%d leaves: %v", len(got), err)
	}
	for name, c := range map[string]struct {
		bundle []byte
		n      int
	}{
		"cut short":          {bundle[:len(bundle)-1], 3},
		"more than expected": {bundle, 2},
		"fewer":              {bundle, 4},
		"trailing byte":      {append(bytes.Clone(bundle), 0), 3},
		"none":               {nil, 1},
	} {
		if got, err := audit.SplitBundle(c.bundle, c.n); err == nil {
			t.Errorf("%s: %d leaves", name, len(got))
		}
	}
}
