package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// putsAtOnce bounds the objects of one log that are written at once.
const putsAtOnce = 8

// appender is a log that leaves are appended to: what it holds of the tree is its right edge.
type appender struct {
	Reader
	key    proof.Key
	size   uint64
	levels [][]proof.Hash // by level: the hashes of its last tile, fewer than a whole one's
	bundle []byte         // the entries of the last bundle, fewer than a whole one's
}

// openAppender reads the right edge of a store's log. Its checkpoint must be signed with the key, and what is read must make the checkpoint's root.
func openAppender(ctx context.Context, r Reader, key proof.Key) (*appender, error) {
	a := &appender{Reader: r, key: key}
	signed, err := r.Checkpoint(ctx)
	if errors.Is(err, objstore.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	cp, err := proof.OpenCheckpoint(signed, key.Public(), r.StoreID)
	if err != nil {
		return nil, err
	}
	a.size = cp.Size
	for level, n := 0, a.size; n > 0; level, n = level+1, n/proof.TileWidth {
		var hashes []proof.Hash
		if w := int(n % proof.TileWidth); w > 0 {
			if hashes, err = r.Tile(ctx, level, n/proof.TileWidth, w); err != nil {
				return nil, err
			}
		}
		a.levels = append(a.levels, hashes)
	}
	if w := int(a.size % proof.TileWidth); w > 0 {
		if a.bundle, err = r.get(ctx, proof.EntriesPath(a.size/proof.TileWidth, w)); err != nil {
			return nil, err
		}
		entries, err := proof.ParseEntries(a.bundle, w)
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			if proof.LeafHash(e) != a.levels[0][i] {
				return nil, fmt.Errorf("entry %d of the log is not the one that its tile has", a.size-uint64(w-i))
			}
		}
	}
	if a.root() != cp.Root {
		return nil, errors.New("the log's tiles do not make the root of its checkpoint")
	}
	return a, nil
}

// root is the root of the whole tree: whole subtrees, the largest first, folded from the right.
func (a *appender) root() proof.Hash {
	var roots []proof.Hash
	for level := len(a.levels) - 1; level >= 0; level-- {
		hashes := a.levels[level]
		for at := 0; at < len(hashes); {
			n := 1 << (bits.Len(uint(len(hashes)-at)) - 1)
			roots = append(roots, proof.Root(hashes[at:at+n]))
			at += n
		}
	}
	if len(roots) == 0 {
		return proof.EmptyRoot
	}
	root := roots[len(roots)-1]
	for i := len(roots) - 2; i >= 0; i-- {
		root = proof.NodeHash(roots[i], root)
	}
	return root
}

// append writes leaves behind those that the log has: bundles and tiles first, then, when they are durable, the checkpoint that covers them. After an error
// the appender must be opened anew; what was written lies where the next try writes the same.
func (a *appender) append(ctx context.Context, leaves [][]byte) error {
	if len(leaves) == 0 {
		return nil
	}
	objects := map[string][]byte{}
	var whole []string // tiles and bundles that have become whole
	finish := func(path string, content []byte) {
		objects[path] = content
		whole = append(whole, path)
	}
	changed := map[int]bool{}
	var push func(level int, h proof.Hash)
	count := func(level int) uint64 { return a.size >> (8 * level) } // whole hashes at a level, the leaf being added not counted
	push = func(level int, h proof.Hash) {
		if level == len(a.levels) {
			a.levels = append(a.levels, nil)
		}
		a.levels[level] = append(a.levels[level], h)
		changed[level] = true
		if len(a.levels[level]) == proof.TileWidth {
			finish(proof.TilePath(level, count(level)/proof.TileWidth, proof.TileWidth), proof.AppendTile(nil, a.levels[level]))
			root := proof.Root(a.levels[level])
			a.levels[level], changed[level] = nil, false
			push(level+1, root)
		}
	}
	for _, leaf := range leaves {
		var err error
		if a.bundle, err = proof.AppendEntry(a.bundle, leaf); err != nil {
			return err
		}
		push(0, proof.LeafHash(leaf))
		if a.size++; a.size%proof.TileWidth == 0 {
			finish(proof.EntriesPath(a.size/proof.TileWidth-1, proof.TileWidth), a.bundle)
			a.bundle = nil
		}
	}
	for level, hashes := range a.levels {
		if changed[level] && len(hashes) > 0 {
			objects[proof.TilePath(level, count(level)/proof.TileWidth, len(hashes))] = proof.AppendTile(nil, hashes)
		}
	}
	if w := int(a.size % proof.TileWidth); w > 0 {
		objects[proof.EntriesPath(a.size/proof.TileWidth, w)] = a.bundle
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(putsAtOnce)
	for path, content := range objects {
		g.Go(func() error { return a.put(gctx, path, content) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	signed, err := a.key.Sign(a.StoreID, a.size, a.root())
	if err != nil {
		return err
	}
	if err := a.put(ctx, proof.CheckpointPath, signed); err != nil {
		return err
	}
	return a.forget(ctx, whole)
}

// forget removes the partial forms of tiles and bundles that a published checkpoint now covers whole.
func (a *appender) forget(ctx context.Context, whole []string) error {
	for _, path := range whole {
		var old []string
		err := a.Objects.List(ctx, a.Key(proof.Partials(path)), "", func(o objstore.Object) error {
			old = append(old, o.Key)
			return nil
		})
		if err != nil {
			return err
		}
		for _, key := range old {
			if err := a.Objects.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *appender) put(ctx context.Context, path string, content []byte) error {
	return a.Objects.Put(ctx, a.Key(path), bytes.NewReader(content), int64(len(content)), false)
}
