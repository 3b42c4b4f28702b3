package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

var errRefused = errors.New("refused")

// refusing is a metadata database that takes no change of a table: a crash, or a full disk, between a change's metadata and the change.
type refusing struct{ meta.DB }

func (refusing) SwapTable(context.Context, string, string, string, int64, ...[]byte) error {
	return errRefused
}

func (refusing) RemoveFromTable(context.Context, string, string, string, int64, meta.Removal, ...[]byte) error {
	return errRefused
}

// tied is a lake whose table gets metadata files of one version.
type tied struct {
	*afar
	store  string
	before int      // events, 10 of them of an old day
	keys   []string // of the metadata files of one version, as they were written
	next   int64    // sequence
}

func newTied(t *testing.T) *tied {
	a := newAfar(t)
	x := &tied{afar: a, store: a.create("main"), before: 40, next: 1 << 20}
	a.accept(x.store, "old", 0, 10)
	a.accept(x.store, "a", 0, 30)
	a.ok(a.ingest.Flush(t.Context()))
	_, err := a.reg.SetRetention(t.Context(), home, x.store, 7)
	a.ok(err)
	a.copyNow()
	return x
}

// small makes files that can be merged.
func (x *tied) small() {
	x.t.Helper()
	for i := range 12 {
		x.accept(x.store, "b", i, 1)
		x.ok(x.ingest.Flush(x.t.Context()))
	}
	x.before += 12
}

// change makes a change, whose metadata file is noted; the metadata database refuses it, unless it is committed.
func (x *tied) change(committed bool, by func(l *lake.Lake) error) {
	x.t.Helper()
	ctx := x.t.Context()
	var there map[string]string
	if there = sums(x.t, x.objects, "tables/"+x.store+"/metadata/"); len(there) == 0 {
		x.t.Fatal("no metadata")
	}
	db := x.db
	if !committed {
		db = refusing{db}
	}
	l, err := lake.Open(ctx, lake.Config{Objects: x.objects, Meta: db})
	x.ok(err)
	if err := by(l); (err == nil) != committed || err != nil && !errors.Is(err, errRefused) {
		x.t.Fatalf("committed %v: %v", committed, err)
	}
	x.ok(l.Close())
	for key := range sums(x.t, x.objects, "tables/"+x.store+"/metadata/") {
		if there[key] == "" && strings.HasSuffix(key, ".metadata.json") {
			x.keys = append(x.keys, key)
		}
	}
}

// events commits events, each a record of the durable log, from a sequence on.
func (x *tied) events(from, n int64) func(l *lake.Lake) error {
	return func(l *lake.Lake) error {
		d := event.NewDecoder()
		var rows []lake.Row
		for i := from; i < from+n; i++ {
			rec, err := d.Decode(eventText(fmt.Sprint("t-", i), int(i)))
			x.ok(err)
			rows = append(rows, lake.Row{Event: &rec, Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: x.next + i, Accepted: begun.UnixMicro(), Provenance: "test"}})
		}
		files, err := l.Write(x.t.Context(), x.store, rows)
		x.ok(err)
		return l.Commit(x.t.Context(), x.store, files, x.next+from+n-1)
	}
}

func (x *tied) removal(l *lake.Lake) error {
	day := int32(begun.AddDate(0, 0, -20).Unix() / 86400)
	now := time.Now()
	_, err := l.RemoveDays(x.t.Context(), x.store, []int32{day}, now, proof.Removal{Rule: "retention", Due: proof.Time(now.Add(-time.Hour))}, func(meta.EventDataStore, []meta.Hold) error { return nil })
	return err
}

func (x *tied) erasure(l *lake.Lake) error {
	_, err := l.Erase(x.t.Context(), x.store, lake.Erasure{EventID: "a-3", Reason: "asked for", By: "arn:me", At: time.Now(), Dir: x.t.TempDir()})
	return err
}

func (x *tied) merge(l *lake.Lake) error {
	_, err := l.Compact(x.t.Context(), x.store)
	return err
}

// told has the log, which is smaller than a tile, tell of all changes but for so many of the last leaves.
func (x *tied) told(but int) {
	x.t.Helper()
	ctx := x.t.Context()
	x.ok(x.logs.Flush(ctx))
	log := tlog.Reader{Objects: x.objects, StoreID: x.store}
	signed, err := log.Checkpoint(ctx)
	x.ok(err)
	cp, err := proof.ParseCheckpoint(signed)
	x.ok(err)
	entries, err := log.Entries(ctx, 0, int(cp.Size))
	x.ok(err)
	var hashes []proof.Hash
	var bundle []byte
	for _, e := range entries[:len(entries)-but] {
		hashes = append(hashes, proof.LeafHash(e))
		bundle, err = proof.AppendEntry(bundle, e)
		x.ok(err)
	}
	signed, err = proof.NewKey(seed).Sign(x.store, uint64(len(hashes)), proof.Root(hashes))
	x.ok(err)
	for path, content := range map[string][]byte{proof.CheckpointPath: signed, proof.TilePath(0, 0, len(hashes)): proof.AppendTile(nil, hashes), proof.EntriesPath(0, len(hashes)): bundle} {
		x.ok(x.objects.Put(ctx, log.Key(path), bytes.NewReader(content), int64(len(content)), false))
	}
}

// orders gives what is left of the lake when its disk is lost, for each of the orders in which the files of one version may seem to have been written, and for none.
func (x *tied) orders() map[string]*objstore.Local {
	x.t.Helper()
	if len(x.keys) != 2 || lake.MetadataVersion(x.keys[0]) != lake.MetadataVersion(x.keys[1]) {
		x.t.Fatalf("%v are not two of one version", x.keys)
	}
	all := map[string]*objstore.Local{}
	for name, second := range map[string]time.Duration{"as written": time.Second, "the other way round": -time.Second, "within one second": 0} {
		all[name] = x.lost(func(root string) {
			for i, key := range x.keys {
				at := begun.Add(time.Duration(i) * second)
				x.ok(os.Chtimes(filepath.Join(root, filepath.FromSlash(key)), at, at))
			}
		})
	}
	return all
}

// TestRecoverTie: of several metadata files of one version, at most one of which was committed, none that may have been is undone, whichever seems to be the newest.
func TestRecoverTie(t *testing.T) {
	for _, c := range []struct {
		name    string
		make    func(x *tied)
		events  int // that come back beside those of before
		notes   int
		removed bool // the old day's
		erased  bool
		taken   int // which of the two files is gone on with; -1: neither, or any
	}{
		{"a refused removal and a commit", func(x *tied) { x.change(false, x.removal); x.change(true, x.events(0, 5)) }, 5, 1, false, false, 1},
		{"a refused erasure and a commit", func(x *tied) { x.change(false, x.erasure); x.change(true, x.events(0, 5)) }, 5, 1, false, false, 1},
		{"a refused merge and a commit", func(x *tied) { x.small(); x.change(false, x.merge); x.change(true, x.events(0, 5)) }, 5, 0, false, false, 1},
		{"a refused removal and a merge", func(x *tied) { x.small(); x.change(false, x.removal); x.change(true, x.merge) }, 0, 1, false, false, 1},
		{"a commit that was cut off, and a longer one", func(x *tied) { x.change(false, x.events(0, 3)); x.change(true, x.events(0, 5)) }, 5, 0, false, false, 1},
		{"a commit that was cut off, and a shorter one", func(x *tied) { x.change(false, x.events(0, 5)); x.change(true, x.events(0, 3)) }, 5, 0, false, false, 0},
		{"the same commit twice", func(x *tied) { x.change(false, x.events(0, 5)); x.change(true, x.events(0, 5)) }, 5, 0, false, false, -1},
		{"two refused removals", func(x *tied) { x.change(false, x.removal); x.change(false, x.erasure) }, 0, 1, false, false, -1},
		{"a refused removal and a commit of which the log tells in part", func(x *tied) { x.change(false, x.removal); x.change(true, x.events(0, 5)); x.told(1) }, 5, 0, false, false, 1},
		{"a refused merge and a commit of which the log tells in part", func(x *tied) { x.small(); x.change(false, x.merge); x.change(true, x.events(0, 5)); x.told(1) }, 5, 0, false, false, 1},
		{"a commit that was cut off, and a removal of which the log tells in part", func(x *tied) { x.change(false, x.events(0, 5)); x.change(true, x.removal); x.told(1) }, -10, 0, true, false, 1},
		{"a commit that was cut off, and an erasure of which the log tells in part", func(x *tied) { x.change(false, x.events(0, 5)); x.change(true, x.erasure); x.told(1) }, 0, 0, false, true, 1},
		{"a commit of which the log tells", func(x *tied) { x.change(false, x.removal); x.change(true, x.events(0, 5)); x.told(0) }, 5, 0, false, false, 1},
	} {
		x := newTied(t)
		c.make(x)
		var objects *objstore.Local
		taken := map[string]bool{}
		for _, objects = range x.orders() {
			dir := keyed(t)
			if _, err := Recover(t.Context(), Recovering{Objects: objects, Dir: dir}); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, metaFile))
			x.ok(err)
			table, err := db.Table(t.Context(), x.store)
			x.ok(errors.Join(err, db.Close()))
			taken[filepath.Base(table.Location)] = true
		}
		if len(taken) != 1 {
			t.Errorf("%s: it depends on the files' times what is gone on with: %v", c.name, taken)
		}
		if c.taken >= 0 && !taken[filepath.Base(x.keys[c.taken])] {
			t.Errorf("%s: %v is gone on with, of %v", c.name, taken, x.keys)
		}
		n, found := recovered(t, objects)
		got := n.ids(x.store)
		if len(got) != x.before+c.events || len(found.Notes) != c.notes {
			t.Errorf("%s: %d events, not %d; %+v", c.name, len(got), x.before+c.events, found)
		}
		if slices.Contains(got, "old-3") == c.removed {
			t.Errorf("%s: the old day is there: %v", c.name, !c.removed)
		}
		erased := false
		n.ok(n.lake.Under(t.Context(), x.store, "a-3", func(k *lake.Kept, _ []byte) error { erased = k.Erased; return nil }))
		if erased != c.erased {
			t.Errorf("%s: the event is erased: %v", c.name, erased)
		}
		n.accept(x.store, "more", 0, 4)
		n.flush()
		n.verify()
		n.close()
		x.close()
	}
}

// TestRecoverTieRefuses: where two metadata files of one version have events that the other has not, nobody knows which of them was committed.
func TestRecoverTieRefuses(t *testing.T) {
	x := newTied(t)
	x.change(false, x.events(0, 5))
	x.change(true, x.events(3, 6))
	for order, objects := range x.orders() {
		_, err := Recover(t.Context(), Recovering{Objects: objects, Dir: keyed(t)})
		for _, key := range x.keys {
			if err == nil || !strings.Contains(err.Error(), filepath.Base(key)) {
				t.Errorf("%s: %v", order, err)
			}
		}
	}
}
