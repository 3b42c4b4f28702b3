package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// TestPointHasWhatWasAccepted: committed or in the durable log alone, published in the transparency log or not, everything accepted before the point is in it, and a
// restored server goes on with it.
func TestPointHasWhatWasAccepted(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store, other := r.create("main"), r.create("other")
	r.accept(store, "committed", 0, 300)
	r.accept(other, "other", 0, 10)
	r.flush()
	r.accept(store, "unpublished", 0, 20)
	r.ok(r.ingest.Flush(t.Context())) // leaves wait in the metadata
	if _, err := r.accept(store, "logged", 0, 30).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	to := folder(t)
	first := r.point(to, "")
	if first.Stores != 2 || first.Events != 330 || first.ProofKey == "" || first.Keys {
		t.Errorf("%+v", first)
	}
	r.accept(store, "later", 0, 5)
	r.close()

	n := restored(t, to, "")
	n.ok(n.ingest.Flush(t.Context()))
	if got := n.ids(store); len(got) != 350 {
		t.Errorf("%d events, not 350", len(got))
	}
	if got := n.ids(other); len(got) != 10 {
		t.Errorf("%d events of the other store, not 10", len(got))
	}
	n.ok(n.logs.Flush(t.Context()))
	n.verify()
	// The same events again add nothing, new ones are added, and the log goes on.
	n.accept(store, "committed", 0, 300)
	n.accept(store, "logged", 0, 30)
	n.accept(store, "later", 0, 5)
	made := n.create("new") // below the location that the lake had before
	n.accept(made, "new", 0, 3)
	n.flush()
	if got := n.ids(store); len(got) != 355 {
		t.Errorf("%d events after the same came again, and five more; not 355", len(got))
	}
	n.verify()
	// A backup of the restored server, which lies elsewhere than its tables say.
	again := folder(t)
	n.point(again, "again")
	n.close()
	last := restored(t, again, "again")
	if got := last.ids(made); len(got) != 3 {
		t.Errorf("%d events of the new store, not 3", len(got))
	}
	last.verify()
}

// TestSecondPointCopiesWhatIsNew, and both can be restored.
func TestSecondPointCopiesWhatIsNew(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 100)
	r.flush()
	to := folder(t)
	first := r.point(to, "one")
	r.accept(store, "b", 0, 50)
	r.flush()
	copied := map[string]bool{}
	second := r.point(counting{to, copied}, "two")
	for _, f := range first.Files {
		if strings.HasPrefix(f.Object, lakePrefix) && copied[f.Object] {
			t.Errorf("%s was copied again", f.Object)
		}
	}
	if len(copied) == 0 || int(second.NewFiles) >= len(second.Files) || second.Events != 150 {
		t.Errorf("%d of %d files copied, %d events", second.NewFiles, len(second.Files), second.Events)
	}
	clear(copied)
	r.point(counting{to, copied}, "three")
	for key := range copied {
		if strings.HasPrefix(key, lakePrefix) {
			t.Errorf("%s was copied, and nothing had changed", key)
		}
	}
	if _, err := r.tryPoint(t.Context(), to, "two"); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second point of the same name: %v", err)
	}
	points, unfinished, err := Points(t.Context(), to)
	if err != nil || len(points) != 3 || len(unfinished) != 0 || points[0].Name != "one" {
		t.Errorf("%v, %v, %v", points, unfinished, err)
	}
	r.close()
	for name, want := range map[string]int{"one": 100, "two": 150} {
		n := restored(t, to, name)
		if got := n.ids(store); len(got) != want {
			t.Errorf("point %s: %d events, not %d", name, len(got), want)
		}
		n.verify()
		n.close()
	}
}

// counting notes what is written.
type counting struct {
	objstore.Store
	put map[string]bool
}

var countingMu sync.Mutex

func (c counting) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	countingMu.Lock()
	c.put[key] = true
	countingMu.Unlock()
	return c.Store.Put(ctx, key, r, size, onlyNew)
}

// TestPointsWhileEventsComeIn: points of a server that takes events in, commits and merges files, are each consistent.
func TestPointsWhileEventsComeIn(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Millisecond)
	store := r.create("main")
	to := folder(t)
	stop := make(chan struct{})
	var acked []int // after how many events each point began
	var sent int
	var mu sync.Mutex
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			r.accept(store, "e", n*3, 3)
			mu.Lock()
			sent = (n + 1) * 3
			mu.Unlock()
		}
	})
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = r.logs.Flush(context.Background())
				_, _ = r.lake.Compact(context.Background(), store)
			}
		}
	})
	for i := range 4 {
		mu.Lock()
		acked = append(acked, sent)
		mu.Unlock()
		r.point(to, fmt.Sprint("p", i))
	}
	close(stop)
	running.Wait()
	r.flush()
	all := len(r.ids(store))
	r.verify()
	r.close()
	for i, least := range acked {
		n := restored(t, to, fmt.Sprint("p", i))
		n.flush()
		got := len(n.ids(store))
		if got < least || got > all || got%3 != 0 {
			t.Errorf("point %d has %d events; %d were accepted before it, %d in all", i, got, least, all)
		}
		n.verify()
		n.close()
	}
}

// TestDamagedBackup: a changed, cut or missing file is named, and nothing that could be served is left.
func TestDamagedBackup(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 100)
	r.flush()
	root := t.TempDir()
	to, err := objstore.OpenLocal(root)
	r.ok(err)
	p := r.point(to, "p")
	r.close()
	damage := func(object string, change func(path string)) {
		t.Helper()
		path := filepath.Join(root, filepath.FromSlash(object))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		change(path)
		dir := keyed(t)
		objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
		r.ok(err)
		found, err := Find(t.Context(), to, "p")
		if err == nil {
			problems, cerr := Check(t.Context(), to, &found, nil)
			if cerr != nil || len(problems) != 1 || !strings.Contains(problems[0], object) {
				t.Errorf("%s: the check found %v, %v", object, problems, cerr)
			}
			err = Restore(t.Context(), Restoring{From: to, Point: found, Dir: dir, Objects: objects})
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), object) {
			t.Errorf("%s: %v", object, err)
		}
		if _, err := os.Stat(filepath.Join(dir, metaFile)); err == nil {
			t.Errorf("%s: metadata was restored", object)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(path string) {
		b, _ := os.ReadFile(path)
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tried := map[string]bool{}
	for _, f := range p.Files {
		kind := filepath.Ext(f.Path)
		if strings.Contains(f.Path, "/logs/") {
			kind = "log"
		}
		if tried[kind] {
			continue
		}
		tried[kind] = true
		damage(f.Object, flip)
		damage(f.Object, func(path string) {
			if err := os.Truncate(path, f.Size-1); err != nil {
				t.Fatal(err)
			}
		})
		damage(f.Object, func(path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		})
	}
	if len(tried) < 5 {
		t.Errorf("only files of the kinds %v were damaged", tried)
	}
	damage(pointKey("p", pointFile), flip)
	restored(t, to, "p").verify() // all is as it was
}

// errKilled is what a backup that is killed sees, as far as its files are concerned.
var errKilled = errors.New("killed")

// killed writes so many objects and no more.
type killed struct {
	objstore.Store
	mu   sync.Mutex
	left int
}

func (k *killed) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left < 0 {
		return errKilled
	}
	return k.Store.Put(ctx, key, r, size, onlyNew)
}

// TestKilledBackup: wherever a backup is killed, the points before it are good, it is none, and the next one is.
func TestKilledBackup(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 100)
	r.flush()
	to := folder(t)
	files := len(r.point(to, "good").Files)
	r.accept(store, "b", 0, 10)
	r.flush()
	n := 0
	for ; n <= files+10; n++ {
		name := fmt.Sprint("killed", n)
		if _, err := r.tryPoint(t.Context(), &killed{Store: to, left: n}, name); err == nil {
			break // it was done before
		} else if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := Find(t.Context(), to, name); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("%s can be found: %v", name, err)
		}
	}
	if n < 3 {
		t.Errorf("a backup wrote %d objects", n)
	}
	good, err := Find(t.Context(), to, "good")
	r.ok(err)
	if problems, err := Check(t.Context(), to, &good, nil); err != nil || problems != nil {
		t.Errorf("%v, %v", problems, err)
	}
	r.point(to, "next")
	r.close()
	for name, want := range map[string]int{"good": 100, "next": 110} {
		m := restored(t, to, name)
		if got := m.ids(store); len(got) != want {
			t.Errorf("point %s: %d events, not %d", name, len(got), want)
		}
		m.verify()
		m.close()
	}
}

// TestStopped: a stopped server's folder, with events in its durable log, is copied as well.
func TestStopped(t *testing.T) {
	dir := keyed(t)
	r := newRig(t, dir, nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 40)
	r.close()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, metaFile))
	r.ok(err)
	objects, err := objstore.ReadLocal(filepath.Join(dir, "lake"))
	r.ok(err)
	rooms, closeRooms, err := Stopped(t.Context(), dir, db, objects)
	r.ok(err)
	frozen := filepath.Join(t.TempDir(), "f")
	release, err := rooms.Freeze(t.Context(), frozen)
	r.ok(err)
	to := folder(t)
	res, err := Run(t.Context(), Options{Frozen: frozen, Objects: objects, To: to, KeyDir: dir, Keys: true})
	r.ok(err)
	r.ok(errors.Join(release(t.Context()), closeRooms(), db.Close()))
	if !res.Keys || res.Events != 40 {
		t.Errorf("%+v", res.Point)
	}
	at := t.TempDir() // without the key: the point has it
	lakeAt, err := objstore.OpenLocal(filepath.Join(at, "lake"))
	r.ok(err)
	r.ok(Restore(t.Context(), Restoring{From: to, Point: res.Point, Dir: at, Objects: lakeAt}))
	if got, err := access.ReadSecret(at, proofKeyFile); err != nil || string(got) != string(seed) {
		t.Errorf("the restored key: %v", err)
	}
	n := newRig(t, at, lakeAt, time.Hour)
	if got := n.ids(store); len(got) != 40 {
		t.Errorf("%d events, not 40", len(got))
	}
	n.verify()
}

// TestHeld: while a state is frozen nothing that it names goes, and afterwards it does.
func TestHeld(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	leases, err := OpenLeases(filepath.Join(r.dir, "backup"), r.rooms(), quiet)
	r.ok(err)
	now := time.Now()
	leases.now = func() time.Time { return now }
	l, err := leases.Begin(t.Context())
	r.ok(err)
	// A table keeps ten old metadata files, and these commits make more.
	for i := range 15 {
		r.accept(store, "a", i, 1)
		r.flush()
	}
	before, err := r.db.Table(t.Context(), store)
	r.ok(err)
	count := func() (n int) {
		r.ok(r.objects.List(t.Context(), "tables/"+store+"/metadata/", "", func(o objstore.Object) error {
			if strings.HasSuffix(o.Key, ".metadata.json") {
				n++
			}
			return nil
		}))
		return n
	}
	if n := count(); n < 16 {
		t.Errorf("%d metadata files while they are held, of 16 commits", n)
	}
	if err := r.lake.DropTable(t.Context(), store); err == nil {
		t.Error("a table was dropped while its files were held")
	}
	r.ok(leases.Renew(t.Context(), l.ID))
	now = now.Add(LeaseTime + time.Second)
	leases.expire(t.Context())
	if n := count(); n > 11 {
		t.Errorf("%d metadata files after the hold", n)
	}
	if _, err := r.objects.Stat(t.Context(), mustKey(r.objects, before.Location)); err != nil {
		t.Error(err)
	}
	if err := leases.Renew(t.Context(), l.ID); !errors.Is(err, ErrNoLease) {
		t.Errorf("a lease whose time was over: %v", err)
	}
	if _, err := os.Stat(l.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
	r.ok(leases.Close())
	r.verify()
}

func mustKey(s objstore.Store, uri string) string {
	key, _ := s.Key(uri)
	return key
}

// TestPrune: old points go, and what they alone named; what is left can be restored. Nothing goes while a point may be in the making.
func TestPrune(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	store := r.create("main")
	root := t.TempDir()
	to, err := objstore.OpenLocal(root)
	r.ok(err)
	for i := range 4 {
		r.accept(store, "a", i*10, 10)
		r.flush()
		if i == 2 {
			for {
				worked, err := r.lake.Compact(t.Context(), store)
				r.ok(err)
				if !worked {
					break
				}
			}
		}
		r.point(to, fmt.Sprint("p", i))
	}
	if _, err := Prune(t.Context(), to, 0); err == nil {
		t.Error("every point was removed")
	}
	if _, err := r.tryPoint(t.Context(), &killed{Store: to, left: 2}, "cut"); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if _, err := Prune(t.Context(), to, 2); err == nil || !strings.Contains(err.Error(), "point cut is being made") {
		t.Errorf("beside a point in the making: %v", err)
	}
	long := time.Now().Add(-2 * cutOff)
	r.ok(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, long, long))
	}))
	gone, err := Prune(t.Context(), to, 2)
	if err != nil || len(gone.Points) != 2 || gone.Points[0] != "p0" || gone.Files == 0 {
		t.Errorf("%+v, %v", gone, err)
	}
	points, unfinished, err := Points(t.Context(), to)
	if err != nil || len(points) != 2 || unfinished != nil {
		t.Errorf("left are %d points, %v, %v", len(points), unfinished, err)
	}
	named := map[string]bool{}
	for _, p := range points {
		for _, f := range p.Files {
			named[f.Object] = true
		}
	}
	r.ok(to.List(t.Context(), lakePrefix, "", func(o objstore.Object) error {
		if !named[o.Key] {
			t.Errorf("%s is left", o.Key)
		}
		return nil
	}))
	r.close()
	for name, want := range map[string]int{"p2": 30, "p3": 40} {
		n := restored(t, to, name)
		if got := n.ids(store); len(got) != want {
			t.Errorf("point %s: %d events, not %d", name, len(got), want)
		}
		n.verify()
		n.close()
	}
}
