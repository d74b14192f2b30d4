package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the right edge of the Merkle tree: all that is needed to append to it
// and to know its root. It is a value; a copy is an independent tree, which is
// how a batch that fails to commit leaves no trace.
type Tree struct {
	size int64
	// edge[level] is the root of the complete subtree of 2^level leaves that
	// ends at the right edge, for every level whose bit is set in size.
	edge [63]tlog.Hash
}

// StoredHash is one hash of the tree at its place in the storage order of
// [tlog.StoredHashIndex].
type StoredHash struct {
	Index int64
	Hash  tlog.Hash
}

// LoadTree restores a tree of a size from stored hashes. It reads one hash per
// bit set in size.
func LoadTree(size int64, stored tlog.HashReader) (Tree, error) {
	t := Tree{size: size}
	var indexes []int64
	var levels []int
	for level := 62; level >= 0; level-- {
		if size>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
			levels = append(levels, level)
		}
	}
	hashes, err := stored.ReadHashes(indexes)
	if err != nil {
		return Tree{}, fmt.Errorf("load tree of %d entries: %w", size, err)
	}
	for i, level := range levels {
		t.edge[level] = hashes[i]
	}
	return t, nil
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Append adds a leaf and returns the hashes to store for it: its own and those
// of the subtrees that it completes, in storage order.
func (t *Tree) Append(leaf tlog.Hash) []StoredHash {
	index := tlog.StoredHashIndex(0, t.size)
	out := []StoredHash{{index, leaf}}
	hash, level := leaf, 0
	for ; t.size>>level&1 == 1; level++ {
		hash = tlog.NodeHash(t.edge[level], hash)
		index++
		out = append(out, StoredHash{index, hash})
	}
	t.edge[level] = hash
	t.size++
	return out
}

// Root is the tree's root hash (RFC 6962 §2.1).
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	var root tlog.Hash
	first := true
	for level := range t.edge {
		if t.size>>level&1 == 0 {
			continue
		}
		if first {
			root, first = t.edge[level], false
		} else {
			root = tlog.NodeHash(t.edge[level], root)
		}
	}
	return root
}
