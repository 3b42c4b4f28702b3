package tlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Reader reads a store's log.
type Reader struct {
	Objects objstore.Store
	StoreID string
}

// Prefix is where logs lie in the object store.
const Prefix = "logs/"

// Key is the object's key of a path of the log.
func (r Reader) Key(path string) string { return Prefix + r.StoreID + "/" + path }

// get reads an object of at most a whole bundle's size.
func (r Reader) get(ctx context.Context, path string) ([]byte, error) {
	in, err := r.Objects.Get(ctx, r.Key(path), 0, -1)
	if err != nil {
		return nil, err
	}
	const most = proof.TileWidth * (proof.MaxEntry + 2)
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Key(path), err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("%s is larger than anything that a log has", r.Key(path))
	}
	return b, nil
}

// Checkpoint reads the signed checkpoint; a log that has none yet is objstore.ErrNotExist.
func (r Reader) Checkpoint(ctx context.Context) ([]byte, error) {
	return r.get(ctx, proof.CheckpointPath)
}

// Tile reads a tile of width hashes: in its partial form, or from the whole tile where that is there by now.
func (r Reader) Tile(ctx context.Context, level int, index uint64, width int) ([]proof.Hash, error) {
	b, err := r.part(ctx, proof.TilePath(level, index, width), proof.TilePath(level, index, proof.TileWidth))
	if err != nil {
		return nil, err
	}
	if n := width * len(proof.Hash{}); len(b) == proof.TileWidth*len(proof.Hash{}) {
		b = b[:n]
	}
	hashes, err := proof.ParseTile(b, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Key(proof.TilePath(level, index, width)), err)
	}
	return hashes, nil
}

// Entries reads a bundle of which the log has width entries.
func (r Reader) Entries(ctx context.Context, index uint64, width int) ([][]byte, error) {
	path := proof.EntriesPath(index, width)
	b, err := r.part(ctx, path, proof.EntriesPath(index, proof.TileWidth))
	if err != nil {
		return nil, err
	}
	entries, err := proof.ParseEntries(b, width)
	if err != nil && width < proof.TileWidth {
		if entries, err = proof.ParseEntries(b, proof.TileWidth); err == nil {
			entries = entries[:width]
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Key(path), err)
	}
	return entries, nil
}

func (r Reader) part(ctx context.Context, path, whole string) ([]byte, error) {
	b, err := r.get(ctx, path)
	if errors.Is(err, objstore.ErrNotExist) && path != whole {
		return r.get(ctx, whole)
	}
	return b, err
}

// width is how many of the hashes or entries of a tile or bundle a tree has that has n of them in all.
func width(index, n uint64) int { return int(min(n-index*proof.TileWidth, proof.TileWidth)) }

// Leaves calls fn for every entry of the log's first size, in order, until fn fails.
func (r Reader) Leaves(ctx context.Context, size uint64, fn func(index uint64, leaf []byte) error) error {
	for n := uint64(0); n*proof.TileWidth < size; n++ {
		entries, err := r.Entries(ctx, n, width(n, size))
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := fn(n*proof.TileWidth+uint64(i), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Path is the inclusion path of the leaf at index in the tree of the log's first size leaves, from its tiles.
func (r Reader) Path(ctx context.Context, index, size uint64) ([]proof.Hash, error) {
	if index >= size {
		return nil, fmt.Errorf("leaf %d lies beyond the %d of the checkpoint", index, size)
	}
	var path []proof.Hash
	lo, hi := uint64(0), size
	for hi-lo > 1 {
		mid := lo + 1<<(bits.Len64(hi-lo-1)-1)
		from, to := mid, hi
		if index >= mid {
			from, to, lo = lo, mid, mid
		} else {
			hi = mid
		}
		h, err := r.subtree(ctx, from, to, size)
		if err != nil {
			return nil, err
		}
		path = append(path, h)
	}
	slices.Reverse(path)
	return path, nil
}

// Consistency is the proof that the tree of the log's first old leaves is the beginning of the tree of its first size leaves (RFC 6962, section 2.1.2), from its tiles. Of the
// empty tree and of the same size it is empty.
func (r Reader) Consistency(ctx context.Context, old, size uint64) ([]proof.Hash, error) {
	if old > size {
		return nil, fmt.Errorf("a tree of %d leaves is no beginning of one of %d", old, size)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	var path []proof.Hash
	lo, hi := uint64(0), size
	whole := true // whether the part that is left is one of the old tree's whole subtrees, whose root the reader of the proof has
	for hi > old {
		mid := lo + 1<<(bits.Len64(hi-lo-1)-1)
		from, to := mid, hi
		if old > mid {
			from, to, lo, whole = lo, mid, mid, false
		} else {
			hi = mid
		}
		h, err := r.subtree(ctx, from, to, size)
		if err != nil {
			return nil, err
		}
		path = append(path, h)
	}
	if !whole {
		h, err := r.subtree(ctx, lo, hi, size)
		if err != nil {
			return nil, err
		}
		path = append(path, h)
	}
	slices.Reverse(path)
	return path, nil
}

// subtree is the root of the leaves from lo to hi, of a tree of size leaves: lo is a multiple of the greatest power of two in hi-lo.
func (r Reader) subtree(ctx context.Context, lo, hi, size uint64) (proof.Hash, error) {
	n := hi - lo
	if n&(n-1) != 0 {
		mid := lo + 1<<(bits.Len64(n-1)-1)
		left, err := r.subtree(ctx, lo, mid, size)
		if err != nil {
			return left, err
		}
		right, err := r.subtree(ctx, mid, hi, size)
		return proof.NodeHash(left, right), err
	}
	level := bits.TrailingZeros64(n)
	tile := level / 8
	at, count := lo>>(8*tile), uint64(1)<<(level%8)
	index := at / proof.TileWidth
	hashes, err := r.Tile(ctx, tile, index, width(index, size>>(8*tile)))
	if err != nil {
		return proof.Hash{}, err
	}
	at %= proof.TileWidth
	return proof.Root(hashes[at : at+count]), nil
}
