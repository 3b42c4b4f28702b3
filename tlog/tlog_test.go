package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

const store = "11111111-2222-3333-4444-555555555555"

var key = proof.NewKey(bytes.Repeat([]byte{9}, proof.SeedSize))

// memory is an object store in memory that fails when left is used up, as a process that is killed does.
type memory struct {
	objstore.Store // nil: what a log doesn't need
	mu             sync.Mutex
	objects        map[string][]byte
	left           int // operations that change something until the end; below zero: no end
}

var errKilled = errors.New("killed")

func (m *memory) step() error {
	if m.left == 0 {
		return errKilled
	}
	m.left--
	return nil
}

func (m *memory) URI(key string) string { return "memory:///" + key }

func (m *memory) Put(_ context.Context, key string, r io.Reader, _ int64, onlyNew bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok && onlyNew {
		return objstore.ErrExists
	}
	if err := m.step(); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	m.objects[key] = b
	return err
}

func (m *memory) Get(_ context.Context, key string, _, _ int64) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[key]
	if !ok {
		return nil, objstore.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *memory) List(_ context.Context, prefix, _ string, fn func(objstore.Object) error) error {
	m.mu.Lock()
	all := maps.Clone(m.objects)
	m.mu.Unlock()
	for k := range all {
		if bytes.HasPrefix([]byte(k), []byte(prefix)) {
			if err := fn(objstore.Object{Key: k}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	delete(m.objects, key)
	return nil
}

func (m *memory) ListFolders(_ context.Context, prefix string, fn func(string) error) error {
	m.mu.Lock()
	folders := map[string]bool{}
	for k := range m.objects {
		if name, _, ok := strings.Cut(strings.TrimPrefix(k, prefix), "/"); ok {
			folders[prefix+name+"/"] = true
		}
	}
	m.mu.Unlock()
	for f := range folders {
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

func leaf(i int) []byte { return fmt.Appendf(nil, `{"v":1,"n":%d}`, i) }

func service(db Meta, objects objstore.Store) *Service {
	return newService(Config{Meta: db, Objects: objects, Key: key, Logger: slog.New(slog.DiscardHandler)})
}

// However appending is cut short, the log becomes the one that an undisturbed server writes, byte for byte; and every checkpoint on the way is one of
// the tree of the first leaves, with tiles and entries that make it.
func TestCrashesLeaveTheSameLog(t *testing.T) {
	const n = 70_000 // more than a whole tile of the second level
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	rng := rand.New(rand.NewPCG(1, 2))
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CreateTable(t.Context(), meta.Table{StoreID: store, Location: "x"}); err != nil {
		t.Fatal(err)
	}
	disturbed := &memory{objects: map[string][]byte{}}
	all := make([][]byte, 0, n)
	var tree proof.Tree
	roots := map[uint64]proof.Hash{0: proof.EmptyRoot}
	seen := uint64(0)
	for len(all) < n {
		more := 1 + rng.IntN(20)
		if rng.IntN(3) == 0 || len(all) > 3000 {
			more = 5000
		}
		var fresh [][]byte
		for range min(more, n-len(all)) {
			fresh = append(fresh, leaf(len(all)))
			tree.Add(proof.LeafHash(leaf(len(all))))
			all = append(all, leaf(len(all)))
			roots[tree.Size()] = tree.Root()
		}
		if err := db.SwapTable(t.Context(), store, "x", "x", 0, fresh...); err != nil {
			t.Fatal(err)
		}
		for range rounds / 10 {
			disturbed.left = rng.IntN(30)
			err := service(db, disturbed).Flush(t.Context()) // a new process each time
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			size := check(t, disturbed, roots)
			if size < seen {
				t.Fatalf("a checkpoint of %d leaves after one of %d", size, seen)
			}
			seen = size
		}
	}
	disturbed.left = -1
	if err := service(db, disturbed).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if size := check(t, disturbed, roots); size != n {
		t.Fatalf("the log has %d leaves, not %d", size, n)
	}
	whole := &memory{objects: map[string][]byte{}, left: -1}
	a, err := openAppender(t.Context(), Reader{whole, store}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.append(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for k, want := range whole.objects {
		if !bytes.Equal(disturbed.objects[k], want) {
			t.Errorf("%s differs", k)
		}
	}
	if waits, err := db.PendingLogs(t.Context()); err != nil || len(waits) > 0 {
		t.Error("leaves wait still", waits, err)
	}

	r := Reader{whole, store}
	for range 200 {
		i := rng.Uint64N(n)
		path, err := r.Path(t.Context(), i, n)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := proof.RootFromPath(proof.LeafHash(all[i]), i, n, path); err != nil || root != roots[n] {
			t.Fatalf("path of leaf %d: %v", i, err)
		}
	}
}

// check verifies the checkpoint that is published, as a client does with another library, and gives its size.
func check(t *testing.T, m *memory, roots map[uint64]proof.Hash) uint64 {
	t.Helper()
	r := Reader{m, store}
	signed, err := r.Checkpoint(t.Context())
	if errors.Is(err, objstore.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	cp, err := proof.OpenCheckpoint(signed, key.Public(), store)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Root != roots[cp.Size] {
		t.Fatalf("the root of %d leaves is another", cp.Size)
	}
	// The tile hash reader authenticates what it reads against the checkpoint.
	hashes := tlog.TileHashReader(tlog.Tree{N: int64(cp.Size), Hash: tlog.Hash(cp.Root)}, tiles{t, r})
	for _, i := range []uint64{0, cp.Size / 2, cp.Size - 1} {
		if _, err := tlog.ProveRecord(int64(cp.Size), int64(i), hashes); err != nil {
			t.Fatal(err)
		}
	}
	last := (cp.Size - 1) / proof.TileWidth
	entries, err := r.Entries(t.Context(), last, width(last, cp.Size))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if want := leaf(int(last*proof.TileWidth) + i); !bytes.Equal(e, want) {
			t.Fatalf("entry %s, want %s", e, want)
		}
	}
	return cp.Size
}

type tiles struct {
	t *testing.T
	r Reader
}

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (x tiles) ReadTiles(want []tlog.Tile) (out [][]byte, err error) {
	for _, w := range want {
		hashes, err := x.r.Tile(x.t.Context(), w.L, uint64(w.N), w.W)
		if err != nil {
			return nil, err
		}
		out = append(out, proof.AppendTile(nil, hashes))
	}
	return out, nil
}

// fixed is metadata with leaves of one store.
type fixed []meta.Leaf

func (f fixed) Leaves(context.Context, string, int) ([]meta.Leaf, error) { return f, nil }
func (fixed) PendingLogs(context.Context) ([]string, error)              { return []string{store}, nil }
func (fixed) PublishedLeaves(context.Context, string, int64) error       { return nil }
func (f fixed) LogSize(context.Context, string) (int64, error)           { return f[len(f)-1].Serial + 1, nil }

// A log that was set back, or whose objects were changed, takes no more leaves: they would cover up what happened.
func TestDamagedLogsTakeNothing(t *testing.T) {
	begin := func() (*memory, *appender) {
		m := &memory{objects: map[string][]byte{}, left: -1}
		a, err := openAppender(t.Context(), Reader{m, store}, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.append(t.Context(), [][]byte{leaf(0), leaf(1), leaf(2)}); err != nil {
			t.Fatal(err)
		}
		return m, a
	}
	m, _ := begin()
	if err := service(fixed{{Serial: 4, Data: leaf(4)}}, m).Flush(t.Context()); !errors.Is(err, ErrGap) {
		t.Error("a gap:", err)
	}
	for name := range m.objects {
		m, _ := begin()
		m.objects[name][len(m.objects[name])/2] ^= 1
		before := fmt.Sprint(m.objects)
		if err := service(fixed{{Serial: 3, Data: leaf(3)}}, m).Flush(t.Context()); err == nil {
			t.Error("appended although changed:", name)
		}
		if fmt.Sprint(m.objects) != before {
			t.Error("something was written although changed:", name)
		}
	}
}

// many is metadata of several stores, each with a few leaves.
type many struct {
	mu   sync.Mutex
	left map[string][]meta.Leaf
}

func (m *many) Leaves(_ context.Context, id string, _ int) ([]meta.Leaf, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left[id], nil
}

func (m *many) PendingLogs(context.Context) (ids []string, err error) {
	for id := range m.left {
		ids = append(ids, id)
	}
	return ids, nil
}

func (m *many) PublishedLeaves(_ context.Context, id string, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left[id] = nil
	return nil
}

func (m *many) LogSize(_ context.Context, id string) (int64, error) { return 1, nil }

// A log that takes no leaves keeps no other from taking its own.
func TestLogsDoNotWaitForEachOther(t *testing.T) {
	m := &memory{objects: map[string][]byte{}, left: -1}
	db := &many{left: map[string][]meta.Leaf{}}
	for i := range 40 {
		db.left[fmt.Sprintf("store-%d", i)] = []meta.Leaf{{Serial: int64(i % 2), Data: leaf(i)}} // every other one has a gap
	}
	s := service(db, m)
	if err := s.Flush(t.Context()); !errors.Is(err, ErrGap) {
		t.Error(err)
	}
	for i := range 40 {
		_, err := Reader{m, fmt.Sprintf("store-%d", i)}.Checkpoint(t.Context())
		if (err == nil) != (i%2 == 0) {
			t.Errorf("store %d: %v", i, err)
		}
	}
	if len(s.told) != 20 {
		t.Errorf("%d errors are told", len(s.told))
	}
}
