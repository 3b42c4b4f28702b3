package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// What a point has of a log is held against its checkpoint before anything goes on with it: that every file is the one that was written does not say that it is the log's. Points of version 1 took
// tiles by their paths alone, and so may have those of another history of the log.

// pointLogs are the logs of a point that is being read, by store.
type pointLogs struct {
	mu sync.Mutex
	of map[string]*pointLog
}

// pointLog is what a point has of a log.
type pointLog struct {
	damaged    bool // one of its files is not the one that was written, which was said
	checkpoint []byte
	roots      map[string]proof.Hash   // of its tiles and bundles, by path
	hashes     map[string][]proof.Hash // of its tiles that are not whole, and of those above level 0
}

// open opens a point's file, as open does, and keeps what it says of a log.
func (p *pointLogs) open(ctx context.Context, from objstore.Store, f *File) (io.ReadCloser, error) {
	rest, ok := strings.CutPrefix(f.Path, lakePrefix+tlog.Prefix)
	id, path, below := strings.Cut(rest, "/")
	if !ok || !below {
		return open(ctx, from, f)
	}
	content, err := readPiece(ctx, from, f)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]*pointLog{}
	}
	if p.of[id] == nil {
		p.of[id] = &pointLog{roots: map[string]proof.Hash{}, hashes: map[string][]proof.Hash{}}
	}
	if err == nil {
		err = p.of[id].add(path, content)
	}
	if err != nil {
		p.of[id].damaged = true
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// readPiece reads a file of a log.
func readPiece(ctx context.Context, from objstore.Store, f *File) ([]byte, error) {
	if f.Size > largestPiece {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than anything that a log has", ErrDamaged, f.Object, f.Size)
	}
	in, err := open(ctx, from, f)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(in)
	return content, errors.Join(err, in.Close())
}

func (l *pointLog) add(path string, content []byte) error {
	if path == proof.CheckpointPath {
		l.checkpoint = content
		return nil
	}
	hashes, err := pieceHashes(path, content)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	l.roots[path] = proof.Root(hashes)
	if whole := len(hashes) == proof.TileWidth; !whole || !strings.HasPrefix(path, "tile/0/") && !strings.HasPrefix(path, "tile/entries/") {
		l.hashes[path] = hashes
	}
	return nil
}

// problems tells, when every file has been opened, what is wrong with the logs: an ErrDamaged for each that is not the one of its checkpoint.
func (p *pointLogs) problems(of *Point) (problems []error) {
	for _, id := range slices.Sorted(maps.Keys(p.of)) {
		l := p.of[id]
		if l.damaged {
			continue
		}
		err := l.held()
		if err == nil {
			continue
		}
		err = fmt.Errorf("%w: the transparency log of store %s in point %s: %w", ErrDamaged, id, of.Name, err)
		if of.Version < pointVersion {
			err = fmt.Errorf("%w (the program that made the point mixed up a log's tiles where it copied a restored server to the place that the server had been restored from: take another point)", err)
		}
		problems = append(problems, err)
	}
	return problems
}

// held holds the log's tiles and bundles against its checkpoint.
func (l *pointLog) held() error {
	if l.checkpoint == nil {
		return fmt.Errorf("its %s is missing", proof.CheckpointPath)
	}
	cp, err := proof.ParseCheckpoint(l.checkpoint)
	if err != nil {
		return err
	}
	roots, err := tileRoots(cp, func(level int, index uint64, width int) ([]proof.Hash, error) {
		path := proof.TilePath(level, index, width)
		if l.hashes[path] == nil {
			return nil, fmt.Errorf("%s is missing", path)
		}
		return l.hashes[path], nil
	})
	if err != nil {
		return err
	}
	if cp.Size == 0 {
		return nil
	}
	for i, root := range roots[0] {
		for _, path := range []string{proof.TilePath(0, uint64(i), proof.TileWidth), proof.EntriesPath(uint64(i), proof.TileWidth)} {
			if err := l.has(path, root); err != nil {
				return err
			}
		}
	}
	if w := int(cp.Size % proof.TileWidth); w > 0 {
		return l.has(proof.EntriesPath(cp.Size/proof.TileWidth, w), l.roots[proof.TilePath(0, cp.Size/proof.TileWidth, w)])
	}
	return nil
}

func (l *pointLog) has(path string, root proof.Hash) error {
	switch got, ok := l.roots[path]; {
	case !ok:
		return fmt.Errorf("%s is missing", path)
	case got != root:
		return foreign(path)
	}
	return nil
}
