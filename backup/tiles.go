package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// The path of a tile says where in a log it stands, and not in which history of the log: after a point was put back the log goes on otherwise than it did before, and then other leaves lie under the
// same path, in as many bytes. So points share the whole tiles and bundles under names that end in the root of their leaves, which the log itself has in the tile above.

// largestPiece is the size of the largest object that a log has, in bytes: a whole bundle.
const largestPiece = proof.TileWidth * (proof.MaxEntry + 2)

// pieceHashes are those that a tile holds, or the hashes of a bundle's entries. A path without a width is of a whole one.
func pieceHashes(path string, content []byte) (hashes []proof.Hash, err error) {
	width := proof.TileWidth
	if _, w, partial := strings.Cut(path, ".p/"); partial {
		if width, err = strconv.Atoi(w); err != nil {
			return nil, err
		}
	}
	if !strings.HasPrefix(path, "tile/entries/") {
		return proof.ParseTile(content, width)
	}
	entries, err := proof.ParseEntries(content, width)
	for _, e := range entries {
		hashes = append(hashes, proof.LeafHash(e))
	}
	return hashes, err
}

// foreign is a tile or bundle of other leaves than the checkpoint's.
func foreign(path string) error {
	return fmt.Errorf("%s does not hold the leaves that the checkpoint is of", path)
}

// tileRoots gives the roots of a log's whole tiles, by level and index. It reads the tiles that are not whole and those above level 0, and holds each against the one above it, and the last ones against
// the checkpoint.
func tileRoots(cp proof.Checkpoint, tile func(level int, index uint64, width int) ([]proof.Hash, error)) (roots [][]proof.Hash, err error) {
	var edges [][]proof.Hash // the tiles that are not whole, by level
	var rest []proof.Hash    // the root of all that these have, up to the level
	for level, n := 0, cp.Size; n > 0; level, n = level+1, n/proof.TileWidth {
		var edge []proof.Hash
		if w := int(n % proof.TileWidth); w > 0 {
			if edge, err = tile(level, n/proof.TileWidth, w); err != nil {
				return nil, err
			}
		}
		edges = append(edges, edge)
		if all := slices.Concat(edge, rest); len(all) > 0 {
			rest = []proof.Hash{proof.Root(all)}
		}
	}
	if proof.Root(rest) != cp.Root {
		return nil, errors.New("the last tiles do not make the checkpoint's root")
	}
	roots = make([][]proof.Hash, len(edges))
	for level := len(edges) - 1; level > 0; level-- {
		for i, root := range roots[level] {
			hashes, err := tile(level, uint64(i), proof.TileWidth)
			if err != nil {
				return nil, err
			}
			if proof.Root(hashes) != root {
				return nil, foreign(proof.TilePath(level, uint64(i), proof.TileWidth))
			}
			roots[level-1] = append(roots[level-1], hashes...)
		}
		roots[level-1] = append(roots[level-1], edges[level]...)
	}
	return roots, nil
}

// log lists what a log has under the frozen checkpoint. Tiles and bundles that are not whole are read now, in the width that they had then.
func (r *run) log(ctx context.Context, id string, sources []source) ([]source, error) {
	signed, err := os.ReadFile(filepath.Join(r.Frozen, filepath.FromSlash(tlog.Prefix), id, proof.CheckpointPath))
	if err != nil {
		return nil, err
	}
	cp, err := proof.ParseCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	log := tlog.Reader{Objects: r.Objects, StoreID: id}
	roots, err := tileRoots(cp, func(level int, index uint64, width int) ([]proof.Hash, error) {
		return log.Tile(ctx, level, index, width)
	})
	if err != nil {
		return nil, fmt.Errorf("%w (loch verify tells more)", err)
	}
	for level := range roots {
		for i, root := range roots[level] {
			paths := []string{proof.TilePath(level, uint64(i), proof.TileWidth)}
			if level == 0 {
				paths = append(paths, proof.EntriesPath(uint64(i), proof.TileWidth))
			}
			for _, path := range paths {
				s, err := r.piece(ctx, log, path, root)
				if err != nil {
					return nil, err
				}
				sources = append(sources, s)
			}
		}
	}
	edge, err := rightEdge(ctx, log, cp.Size)
	if err != nil {
		return nil, fmt.Errorf("%w (loch verify tells more)", err)
	}
	for path, content := range edge {
		sources = append(sources, r.content(lakePrefix+log.Key(path), content))
	}
	return append(sources, r.content(lakePrefix+log.Key(proof.CheckpointPath), signed)), nil
}

// piece is a whole tile or bundle whose leaves have that root.
func (r *run) piece(ctx context.Context, log tlog.Reader, path string, root proof.Hash) (source, error) {
	key := log.Key(path)
	f := File{Path: lakePrefix + key, Object: lakePrefix + key + "." + hex.EncodeToString(root[:])}
	if was, ok := r.known[f.Object]; ok {
		f.Size = was.Size
	} else if o, err := r.Objects.Stat(ctx, key); err != nil {
		return source{}, err
	} else if f.Size = o.Size; f.Size > largestPiece {
		return source{}, fmt.Errorf("%s has %d bytes, more than anything that a log has", key, f.Size)
	}
	return source{f, func(ctx context.Context) (io.ReadCloser, error) {
		content, err := readAll(ctx, r.Objects, key)
		if err != nil {
			return nil, err
		}
		hashes, err := pieceHashes(path, content)
		if err == nil && proof.Root(hashes) != root {
			err = errors.New("it does not hold the leaves that the checkpoint is of: the log was changed (loch verify tells more)")
		}
		return io.NopCloser(bytes.NewReader(content)), err
	}}, nil
}
