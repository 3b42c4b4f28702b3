package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// log verifies a store's log by itself and gives the history that its leaves tell, nil where they cannot be read.
func (r *run) log(ctx context.Context, id string) (*history, SeenLog, error) {
	reader := tlog.Reader{Objects: r.Objects, StoreID: id}
	var cp proof.Checkpoint
	signed, err := reader.Checkpoint(ctx)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		cp.Root = proof.EmptyRoot
	case err != nil:
		return nil, SeenLog{}, err
	default:
		if cp, err = proof.OpenCheckpoint(signed, r.Key, id); err != nil {
			r.found(id, reader.Key(proof.CheckpointPath), "%v", err)
			return nil, SeenLog{}, nil
		}
		if signed, cp, err = r.cosigned(ctx, id, reader, signed, cp); err != nil {
			return nil, SeenLog{}, err
		}
	}
	was := r.last(id)
	if cp.Size < was.Size {
		r.found(id, reader.Key(proof.CheckpointPath), "the log was set back: it has %d leaves, and had %d the last time", cp.Size, was.Size)
	}
	h := newHistory()
	h.now = r.Now
	objects := map[string][]byte{proof.CheckpointPath: signed} // what the log must hold
	var tree proof.Tree
	var level []proof.Hash
	var leaves [][]byte
	for n := uint64(0); n*proof.TileWidth < cp.Size; n++ {
		w := int(min(cp.Size-n*proof.TileWidth, proof.TileWidth))
		path := proof.EntriesPath(n, w)
		bundle, err := r.read(ctx, reader.Key(path))
		if errors.Is(err, objstore.ErrNotExist) && (r.Logs != nil || r.Live) && w < proof.TileWidth {
			bundle, err = r.begin(ctx, reader, n, w) // it has become whole meanwhile
		}
		if errors.Is(err, objstore.ErrNotExist) {
			r.found(id, reader.Key(path), "missing")
			return nil, SeenLog{}, nil
		}
		if err != nil {
			return nil, SeenLog{}, err
		}
		objects[path] = bundle
		entries, err := proof.ParseEntries(bundle, w)
		if err != nil {
			r.found(id, reader.Key(path), "%v", err)
			return nil, SeenLog{}, nil
		}
		for _, e := range entries {
			if was.Size > 0 && tree.Size() == was.Size && proof.Digest(tree.Root()) != was.Root {
				r.found(id, reader.Key(proof.CheckpointPath), "the first %d leaves are not those of the last time: the log was rewritten", was.Size)
			}
			leaf := proof.LeafHash(e)
			tree.Add(leaf)
			level = append(level, leaf)
			leaves = append(leaves, e)
		}
	}
	if was.Size > 0 && tree.Size() == was.Size && proof.Digest(tree.Root()) != was.Root {
		r.found(id, reader.Key(proof.CheckpointPath), "the %d leaves are not those of the last time: the log was rewritten", was.Size)
	}
	if tree.Root() != cp.Root {
		r.blame(ctx, id, reader, level, cp)
		return nil, SeenLog{}, ctx.Err()
	}
	for i, l := range leaves { // now that they are the log's
		r.leaf(id, h, uint64(i), l)
	}
	for l := 0; len(level) > 0; l++ {
		var up []proof.Hash
		for n := 0; n*proof.TileWidth < len(level); n++ {
			part := level[n*proof.TileWidth : min(len(level), (n+1)*proof.TileWidth)]
			objects[proof.TilePath(l, uint64(n), len(part))] = proof.AppendTile(nil, part)
			if len(part) == proof.TileWidth {
				up = append(up, proof.Root(part))
			}
		}
		level = up
	}
	if err := r.objects(ctx, id, reader, objects); err != nil {
		return nil, SeenLog{}, err
	}
	if err := r.pending(ctx, id, h, cp.Size); err != nil {
		return nil, SeenLog{}, err
	}
	r.report.Leaves += int64(cp.Size)
	return h, SeenLog{Size: cp.Size, Root: proof.Digest(cp.Root)}, nil
}

// blame names what is wrong where the entries, whose hashes leaves are, do not make the checkpoint's root: the bundles whose tile has other hashes, if the tiles make it.
func (r *run) blame(ctx context.Context, id string, reader tlog.Reader, leaves []proof.Hash, cp proof.Checkpoint) {
	var tiles []proof.Hash
	var bundles []string
	for n := uint64(0); n*proof.TileWidth < cp.Size; n++ {
		part := leaves[n*proof.TileWidth : min(cp.Size, (n+1)*proof.TileWidth)]
		hashes, err := reader.Tile(ctx, 0, n, len(part))
		if err != nil {
			r.found(id, reader.Key(proof.TilePath(0, n, len(part))), "%v", err)
			return
		}
		if !slices.Equal(hashes, part) {
			bundles = append(bundles, proof.EntriesPath(n, len(part)))
		}
		tiles = append(tiles, hashes...)
	}
	if proof.Root(tiles) != cp.Root {
		r.found(id, reader.Key(proof.CheckpointPath), "neither the entries nor the tiles make the checkpoint's root: the log was changed")
	}
	for _, path := range bundles {
		r.found(id, reader.Key(path), "changed: an entry is not the one that the tile has the hash of")
	}
}

// leaf lets the history know of a leaf.
func (r *run) leaf(id string, h *history, index uint64, data []byte) {
	l, err := proof.DecodeLeaf(data)
	if err == nil {
		err = h.add(l)
	}
	if err != nil {
		r.found(id, "leaf "+itoa(index), "%v", err)
	}
}

// objects compares what lies in the log's folder with what must lie there: tiles, and nothing that is no part of the log. Partial forms from before are
// parts of what is there now.
func (r *run) objects(ctx context.Context, id string, reader tlog.Reader, want map[string][]byte) error {
	prefix := reader.Key("")
	here := map[string]bool{}
	if r.Logs != nil {
		return r.paths(ctx, id, reader, want)
	}
	if r.Live {
		if err := r.paths(ctx, id, reader, want); err != nil {
			return err
		}
	}
	err := r.Objects.List(ctx, prefix, "", func(o objstore.Object) error {
		here[strings.TrimPrefix(o.Key, prefix)] = true
		return nil
	})
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		return err
	}
	whole := map[string][]byte{} // by path without width: the longest form
	for path, b := range want {
		if b == nil {
			continue // no checkpoint yet
		}
		whole[bare(path)] = b
		if !here[path] && !r.Live {
			r.found(id, reader.Key(path), "missing")
		}
	}
	for path := range here {
		if r.Live && beyond(path, want, whole) {
			continue
		}
		b, err := r.read(ctx, reader.Key(path))
		if errors.Is(err, objstore.ErrNotExist) && r.Live {
			continue // it has become whole meanwhile
		}
		if err != nil {
			return err
		}
		expected, ok := want[path]
		switch longest, known := whole[bare(path)]; {
		case ok && !bytes.Equal(b, expected):
			r.found(id, reader.Key(path), "changed: it is not what the leaves make of it")
		case ok:
		case known && strings.Contains(path, ".p/") && earlier(path, b, longest):
			// From before, or written for a checkpoint that a crash kept from being published.
		case known && strings.Contains(path, ".p/"):
			r.found(id, reader.Key(path), "changed: it is not a part of what the leaves make")
		case !strings.HasPrefix(path, "tile/"):
			r.found(id, reader.Key(path), "is no part of a log")
		default:
			r.mu.Lock()
			r.report.Orphans++ // written for a checkpoint that a crash kept from being published
			r.mu.Unlock()
		}
	}
	return nil
}

// beyond tells of a path in the folder of a running server's log whether paths has compared it, or it is of leaves that came later.
func beyond(path string, want, whole map[string][]byte) bool {
	_, compared := want[path]
	_, known := whole[bare(path)]
	return compared || strings.HasPrefix(path, "tile/") && !(known && strings.Contains(path, ".p/"))
}

// paths compares the log's tiles, where nothing can be listed. The rest of it has been read.
func (r *run) paths(ctx context.Context, id string, reader tlog.Reader, want map[string][]byte) error {
	for path, expected := range want {
		if strings.HasPrefix(path, "tile/entries/") || path == proof.CheckpointPath {
			continue
		}
		b, err := r.read(ctx, reader.Key(path))
		if errors.Is(err, objstore.ErrNotExist) && bare(path) != path { // it has become whole meanwhile
			if b, err = r.read(ctx, reader.Key(bare(path))); len(b) > len(expected) {
				b = b[:len(expected)]
			}
		}
		switch {
		case errors.Is(err, objstore.ErrNotExist):
			r.found(id, reader.Key(path), "missing")
		case err != nil:
			return err
		case !bytes.Equal(b, expected):
			r.found(id, reader.Key(path), "changed: it is not what the leaves make of it")
		}
	}
	return nil
}

// begin is the first w entries of a whole bundle, as they were while they were all.
func (r *run) begin(ctx context.Context, reader tlog.Reader, n uint64, w int) (bundle []byte, err error) {
	entries, err := reader.Entries(ctx, n, w)
	for _, e := range entries {
		if bundle, err = proof.AppendEntry(bundle, e); err != nil {
			break
		}
	}
	return bundle, err
}

// earlier tells whether b is what a tile or bundle was when it had as many hashes or entries as its path says, where longest is what it is now; or, of more than it has
// now, whether it begins with what it is now.
func earlier(path string, b, longest []byte) bool {
	w, err := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil || w < 1 || w >= proof.TileWidth {
		return false
	}
	if strings.HasPrefix(path, "tile/entries/") {
		if _, err := proof.ParseEntries(b, w); err != nil {
			return false
		}
	} else if _, err := proof.ParseTile(b, w); err != nil {
		return false
	}
	return bytes.HasPrefix(longest, b) || bytes.HasPrefix(b, longest)
}

// bare is a tile's path without its width.
func bare(path string) string {
	path, _, _ = strings.Cut(path, ".p/")
	return path
}

// pending adds the leaves that wait in the metadata for the next checkpoint.
func (r *run) pending(ctx context.Context, id string, h *history, size uint64) error {
	if r.Meta == nil {
		return nil
	}
	leaves, err := r.Meta.Leaves(ctx, id, 1<<31-1)
	if err != nil {
		return err
	}
	for _, l := range leaves {
		if uint64(l.Serial) < size {
			continue // a crash kept the metadata from noting the checkpoint
		}
		if uint64(l.Serial) > size {
			break
		}
		r.leaf(id, h, size, l.Data)
		size++
		r.report.Pending++
	}
	ever, err := r.Meta.LogSize(ctx, id)
	if err != nil {
		return err
	}
	if uint64(ever) != size {
		r.found(id, tlog.Prefix+id, "the log was set back, or the metadata was: there are %d leaves, with those that wait, and %d were written", size, ever)
	}
	return nil
}

func (r *run) read(ctx context.Context, key string) ([]byte, error) {
	in, err := r.Objects.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(in)
	return b, errors.Join(err, in.Close())
}
