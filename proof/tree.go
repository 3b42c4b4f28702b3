package proof

import (
	"crypto/sha256"
	"errors"
	"math/bits"
)

// LeafHash is the hash of a leaf of a Merkle tree (RFC 6962, section 2.1).
func LeafHash(data []byte) Hash {
	if len(data) == sha256.Size { // without the cost of a hash object: an event's leaf
		var b [1 + sha256.Size]byte
		copy(b[1:], data)
		return sha256.Sum256(b[:])
	}
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	return Hash(h.Sum(nil))
}

// NodeHash is the hash of an inner node of a Merkle tree.
func NodeHash(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// EmptyRoot is the root of the tree without leaves: the SHA-256 of nothing.
var EmptyRoot = sha256.Sum256(nil)

// Tree is a Merkle tree of which only what later roots need is kept: the roots of its whole subtrees, the largest first.
type Tree struct {
	size  uint64
	roots []Hash
}

// Add appends a leaf by its hash.
func (t *Tree) Add(leaf Hash) {
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.roots) - 1
		leaf = NodeHash(t.roots[last], leaf)
		t.roots = t.roots[:last]
	}
	t.roots = append(t.roots, leaf)
	t.size++
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Root is the tree's root.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return EmptyRoot
	}
	root := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		root = NodeHash(t.roots[i], root)
	}
	return root
}

// Root is the root of the tree with those leaf hashes.
func Root(leaves []Hash) Hash {
	var t Tree
	for _, l := range leaves {
		t.Add(l)
	}
	return t.Root()
}

// split is the number of leaves of a tree's left part: the greatest power of two below n.
func split(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }

// Path is the inclusion path of the leaf at index, from the leaf's sibling up (RFC 6962, section 2.1.1).
func Path(leaves []Hash, index uint64) []Hash {
	if len(leaves) < 2 {
		return nil
	}
	k := split(uint64(len(leaves)))
	if index < k {
		return append(Path(leaves[:k], index), Root(leaves[k:]))
	}
	return append(Path(leaves[k:], index-k), Root(leaves[:k]))
}

var errPath = errors.New("the path has not as many hashes as one of that index in a tree of that size")

// RootFromPath is the root of a tree of size leaves in which leaf stands at index, if path is its inclusion path. The caller compares it with the
// root that it trusts.
func RootFromPath(leaf Hash, index, size uint64, path []Hash) (Hash, error) {
	if index >= size {
		return Hash{}, errors.New("the index lies outside the tree")
	}
	var climb func(size, index uint64, path []Hash) (Hash, error)
	climb = func(size, index uint64, path []Hash) (Hash, error) {
		if size == 1 {
			if len(path) != 0 {
				return Hash{}, errPath
			}
			return leaf, nil
		}
		if len(path) == 0 {
			return Hash{}, errPath
		}
		top, rest := path[len(path)-1], path[:len(path)-1]
		k := split(size)
		if index < k {
			h, err := climb(k, index, rest)
			return NodeHash(h, top), err
		}
		h, err := climb(size-k, index-k, rest)
		return NodeHash(top, h), err
	}
	return climb(size, index, path)
}
