package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// leaves brings more leaves to a store's log than a tile has hashes.
func (r *rig) leaves(store, prefix string) {
	r.t.Helper()
	for i := range 90 { // each a record, and three days of it
		r.accept(store, prefix, i*3, 3)
	}
	r.flush()
}

// sums are the SHA-256 of every object below a prefix.
func sums(t *testing.T, of objstore.Store, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := of.List(t.Context(), prefix, "", func(o objstore.Object) error {
		text, err := readAll(t.Context(), of, o.Key)
		sum := sha256.Sum256(text)
		all[o.Key] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func checkPoint(t *testing.T, of objstore.Store, name string) []string {
	t.Helper()
	p, err := Find(t.Context(), of, name)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := Check(t.Context(), of, &p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// threeHistories makes points in one place: one, and from it two and three, whose logs have other leaves where they are of one length. The rig goes on after three.
func threeHistories(t *testing.T) (to *objstore.Local, root, store string, after *rig) {
	t.Helper()
	root = t.TempDir()
	to, err := objstore.OpenLocal(root)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, keyed(t), nil, time.Hour)
	store = r.create("main")
	r.accept(store, "a", 0, 3)
	r.flush()
	r.point(to, "one")
	r.leaves(store, "b")
	r.point(to, "two")
	r.close()
	before := sums(t, to, lakePrefix)
	n := restored(t, to, "one")
	n.leaves(store, "c")
	n.point(to, "three")
	for key, sum := range sums(t, to, lakePrefix) {
		if was, ok := before[key]; ok && was != sum {
			t.Errorf("%s, which another point names, was written over", key)
		}
		delete(before, key)
	}
	if len(before) > 0 {
		t.Errorf("%v are gone", before)
	}
	return to, root, store, n
}

// TestPointsAfterARestore: a server that was restored is copied to the place that it was restored from. Its log has other leaves than before under the same paths; every point has its own.
func TestPointsAfterARestore(t *testing.T) {
	to, _, store, n := threeHistories(t)
	copied := map[string]bool{}
	n.point(counting{to, copied}, "four")
	for key := range copied {
		if strings.HasPrefix(key, lakePrefix) {
			t.Errorf("%s was copied, and nothing had changed", key)
		}
	}
	n.close()
	for name, want := range map[string]int{"one": 3, "two": 273, "three": 273, "four": 273} {
		if problems := checkPoint(t, to, name); problems != nil {
			t.Errorf("point %s: %v", name, problems)
		}
		m := restored(t, to, name)
		if got := m.ids(store); len(got) != want {
			t.Errorf("point %s: %d events, not %d", name, len(got), want)
		}
		m.verify()
		m.close()
	}
}

// asVersion1 makes of a point one as programs before version 2 wrote it: whole tiles under their paths alone, where other is not nil those of that one.
func asVersion1(t *testing.T, root string, p, other *Point, name string) {
	t.Helper()
	old := *p
	old.Name, old.Version, old.Files = name, 1, slices.Clone(p.Files)
	for i := range old.Files {
		f := &old.Files[i]
		from := f.Object
		switch {
		case strings.HasPrefix(f.Object, pointsPrefix):
			f.Object = pointKey(name, f.Path)
		case f.Object != f.Path:
			f.Object = f.Path
			if other != nil && strings.Contains(f.Path, "/tile/0/") {
				j := slices.IndexFunc(other.Files, func(o File) bool { return o.Path == f.Path })
				from, f.SHA256 = other.Files[j].Object, other.Files[j].SHA256
			}
		}
		text, err := os.ReadFile(filepath.Join(root, from))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(root, f.Object)), 0o700)
		}
		if err == nil && from != f.Object {
			err = os.WriteFile(filepath.Join(root, f.Object), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	text, err := json.Marshal(sealed{hex.EncodeToString(sum[:]), body})
	if err == nil {
		err = os.WriteFile(filepath.Join(root, pointKey(name, pointFile)), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPointsOfVersion1: a point of version 1 comes back where its log is its own. Where it has another history's tile it says so; neither it nor what lies under its names is taken over by a new point.
func TestPointsOfVersion1(t *testing.T) {
	to, root, store, n := threeHistories(t)
	two, err := Find(t.Context(), to, "two")
	n.ok(err)
	three, err := Find(t.Context(), to, "three")
	n.ok(err)
	asVersion1(t, root, &two, nil, "two-1")
	if problems := checkPoint(t, to, "two-1"); problems != nil {
		t.Error(problems)
	}
	m := restored(t, to, "two-1")
	if got := m.ids(store); len(got) != 273 {
		t.Errorf("%d events, not 273", len(got))
	}
	m.verify()
	m.close()

	// What a program of then did: of two histories' tiles, which are of one length, it kept the first, and of their bundles the last.
	asVersion1(t, root, &three, &two, "three-1")
	for _, name := range []string{"one", "two", "three"} {
		n.ok(os.RemoveAll(filepath.Join(root, pointsPrefix, name)))
	}
	n.ok(to.List(t.Context(), lakePrefix+tlog.Prefix, "", func(o objstore.Object) error {
		if strings.Contains(filepath.Base(o.Key), ".") {
			return to.Delete(t.Context(), o.Key)
		}
		return nil
	}))
	before := sums(t, to, "")

	if problems := checkPoint(t, to, "two-1"); len(problems) != 1 || !strings.Contains(problems[0], "tile/entries/000 has") {
		t.Errorf("%v", problems)
	}
	mixed, err := Find(t.Context(), to, "three-1")
	n.ok(err)
	said := "transparency log of store " + store + " in point three-1: tile/0/000 does not hold the leaves"
	problems := checkPoint(t, to, "three-1")
	if len(problems) != 1 || !strings.Contains(problems[0], said) || !strings.Contains(problems[0], "take another point") {
		t.Errorf("%v", problems)
	}
	dir := keyed(t)
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	n.ok(err)
	if err := Restore(t.Context(), Restoring{From: to, Point: mixed, Dir: dir, Objects: objects}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), said) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, metaFile)); err == nil {
		t.Error("metadata was restored")
	}

	n.point(to, "new")
	n.close()
	now := sums(t, to, "")
	for key, sum := range before {
		if now[key] != sum {
			t.Errorf("%s was changed", key)
		}
	}
	if problems := checkPoint(t, to, "new"); problems != nil {
		t.Error(problems)
	}
	m = restored(t, to, "new")
	if got := m.ids(store); len(got) != 273 {
		t.Errorf("%d events, not 273", len(got))
	}
	m.verify()
}

// TestNamedObjects: where an object that a point names is missing or cut, the next point puts back what it was, and nothing else.
func TestNamedObjects(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 30)
	r.flush()
	root := t.TempDir()
	to, err := objstore.OpenLocal(root)
	r.ok(err)
	one := r.point(to, "one")
	i := slices.IndexFunc(one.Files, func(f File) bool { return strings.HasSuffix(f.Object, ".parquet") })
	f := one.Files[i]
	path := filepath.Join(root, filepath.FromSlash(f.Object))
	good, err := os.ReadFile(path)
	r.ok(err)
	spoil := func(path string, text []byte) {
		t.Helper()
		r.ok(errors.Join(os.Remove(path), os.WriteFile(path, text, 0o600)))
	}
	r.ok(os.Remove(path))
	r.point(to, "two")
	spoil(path, good[:len(good)-1])
	r.point(to, "three")
	for _, name := range []string{"one", "two", "three"} {
		if problems := checkPoint(t, to, name); problems != nil {
			t.Errorf("point %s: %v", name, problems)
		}
	}
	r.ok(os.Remove(path))
	source := filepath.Join(r.dir, filepath.FromSlash(f.Path))
	other := bytes.Clone(good)
	other[len(other)/2] ^= 1
	r.ok(os.Chmod(source, 0o600))
	spoil(source, other)
	if _, err := r.tryPoint(t.Context(), to, "four"); err == nil || !strings.Contains(err.Error(), "another point has under "+f.Object) {
		t.Errorf("%v", err)
	}
	spoil(source, append(other, 0))
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestChangedLogIsNotCopied: a tile or bundle that does not hold what the checkpoint is of becomes no part of a point; where the place of the backups has the right one, that is the point's.
func TestChangedLogIsNotCopied(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	r.leaves(store, "a")
	to := folder(t)
	r.point(to, "good")
	for _, path := range []string{"tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/*", "tile/entries/001.p/*"} {
		all, err := filepath.Glob(filepath.Join(r.dir, "lake", tlog.Prefix, store, path))
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		at := all[0]
		text, err := os.ReadFile(at)
		r.ok(err)
		bad := bytes.Clone(text)
		bad[len(bad)/2] ^= 1
		r.ok(errors.Join(os.Remove(at), os.WriteFile(at, bad, 0o600)))
		if _, err := r.tryPoint(t.Context(), folder(t), "new"); err == nil || !strings.Contains(err.Error(), store) || !strings.Contains(err.Error(), "loch verify tells more") {
			t.Errorf("%s: %v", path, err)
		}
		if !strings.Contains(path, ".p/") {
			name := strings.ReplaceAll(path, "/", "-")
			r.point(to, name)
			m := restored(t, to, name)
			m.verify()
			m.close()
		}
		r.ok(os.WriteFile(at, text, 0o600))
	}
	r.verify()
}

// TestTileRoots: in logs of every height whole tiles have the roots that the tiles above tell, and a tile with another hash is named.
func TestTileRoots(t *testing.T) {
	for _, size := range []int{0, 1, 255, 256, 257, 512, 1000, 65535, 65536, 65537, 65536 + 256*3 + 7, 3 * 65536} {
		var level []proof.Hash
		for i := range size {
			level = append(level, proof.LeafHash(fmt.Append(nil, i)))
		}
		cp := proof.Checkpoint{Size: uint64(size), Root: proof.Root(level)}
		tiles := map[string][]proof.Hash{}
		var want [][]proof.Hash
		for l := 0; len(level) > 0; l++ {
			var up []proof.Hash
			for n := 0; n*proof.TileWidth < len(level); n++ {
				part := level[n*proof.TileWidth : min(len(level), (n+1)*proof.TileWidth)]
				tiles[proof.TilePath(l, uint64(n), len(part))] = part
				if len(part) == proof.TileWidth {
					up = append(up, proof.Root(part))
				}
			}
			want = append(want, up)
			level = up
		}
		read := map[string]bool{}
		tile := func(level int, index uint64, width int) ([]proof.Hash, error) {
			path := proof.TilePath(level, index, width)
			read[path] = true
			if tiles[path] == nil {
				return nil, fmt.Errorf("%s is missing", path)
			}
			return tiles[path], nil
		}
		got, err := tileRoots(cp, tile)
		if err != nil || len(got) != len(want) {
			t.Errorf("%d leaves: %d levels, not %d; %v", size, len(got), len(want), err)
			continue
		}
		for l := range want {
			if !slices.Equal(got[l], want[l]) {
				t.Errorf("%d leaves: level %d has %d roots, not %d, or others", size, l, len(got[l]), len(want[l]))
			}
		}
		for path := range read {
			good := tiles[path]
			tiles[path] = slices.Clone(good)
			tiles[path][len(good)/2][0] ^= 1
			if _, err := tileRoots(cp, tile); err == nil || strings.Contains(path, ".p/") != strings.Contains(err.Error(), "the checkpoint's root") || !strings.Contains(path, ".p/") && !strings.Contains(err.Error(), path) {
				t.Errorf("%d leaves, %s changed: %v", size, path, err)
			}
			delete(tiles, path)
			if _, err := tileRoots(cp, tile); err == nil || !strings.Contains(err.Error(), path+" is missing") {
				t.Errorf("%d leaves, %s missing: %v", size, path, err)
			}
			tiles[path] = good
		}
	}
}
