package audit_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// stored is a tree's hashes in storage order.
type stored []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = s[index]
	}
	return out, nil
}

func leafOf(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// TestTheTreeIsThatOfRFC6962 grows a tree next to tlog's and compares root and
// stored hashes at every size.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	var tree audit.Tree
	var hashes stored
	for size := int64(0); size <= 300; size++ {
		want, err := tlog.TreeHash(size, hashes)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Size() != size || tree.Root() != want {
			t.Fatalf("at size %d: size %d, root %v, want %v", size, tree.Size(), tree.Root(), want)
		}
		if int64(len(hashes)) != tlog.StoredHashCount(size) {
			t.Fatalf("at size %d: %d hashes, want %d", size, len(hashes), tlog.StoredHashCount(size))
		}
		loaded, err := audit.LoadTree(size, hashes)
		if err != nil || loaded.Root() != want || loaded.Size() != size {
			t.Fatalf("loaded at size %d: root %v, %v", size, loaded.Root(), err)
		}
		expected, err := tlog.StoredHashes(size, leafOf(size), hashes)
		if err != nil {
			t.Fatal(err)
		}
		if fromLoaded := loaded.Append(tlog.RecordHash(leafOf(size))); len(fromLoaded) != len(expected) || loaded.Size() != size+1 {
			t.Fatalf("a loaded tree of %d appends %d hashes, want %d", size, len(fromLoaded), len(expected))
		}
		got := tree.Append(tlog.RecordHash(leafOf(size)))
		if len(got) != len(expected) {
			t.Fatalf("leaf %d: %d hashes, want %d", size, len(got), len(expected))
		}
		for i, h := range got {
			if h.Index != int64(len(hashes)) || h.Hash != expected[i] {
				t.Fatalf("leaf %d, hash %d: %d %v, want %d %v", size, i, h.Index, h.Hash, len(hashes), expected[i])
			}
			hashes = append(hashes, h.Hash)
		}
		if loaded.Root() != tree.Root() {
			t.Fatalf("leaf %d: a loaded tree goes on differently", size)
		}
	}
}

// TestLargeTreesLoadAndGoOn takes random sizes up to some thousand leaves.
func TestLargeTreesLoadAndGoOn(t *testing.T) {
	var tree audit.Tree
	var hashes stored
	rng := rand.New(rand.NewPCG(1, 2))
	for size := int64(0); size < 20_000; {
		for range 1 + rng.Int64N(700) {
			for _, h := range tree.Append(tlog.RecordHash(leafOf(size))) {
				hashes = append(hashes, h.Hash)
			}
			size++
		}
		want, err := tlog.TreeHash(size, hashes)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := audit.LoadTree(size, hashes)
		if err != nil || loaded.Root() != want || loaded.Size() != size || tree.Root() != want {
			t.Fatalf("size %d: loaded root %v (%v), root %v, want %v", size, loaded.Root(), err, tree.Root(), want)
		}
		tree = loaded
	}
}

func TestACopiedTreeIsItsOwn(t *testing.T) {
	var tree audit.Tree
	for n := range int64(5) {
		tree.Append(tlog.RecordHash(leafOf(n)))
	}
	root, copied := tree.Root(), tree
	copied.Append(tlog.RecordHash(leafOf(5)))
	if tree.Root() != root || tree.Size() != 5 || copied.Root() == root {
		t.Error("appending to a copy changed the tree")
	}
}

func TestATreeThatCanNotBeReadIsNotLoaded(t *testing.T) {
	lost := errors.New("lost")
	_, err := audit.LoadTree(5, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return nil, lost }))
	if !errors.Is(err, lost) {
		t.Errorf("loaded: %v", err)
	}
}
