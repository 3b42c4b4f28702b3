package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/selector"
	"github.com/lochlake/loch/tlog"
)

// afar is a lake that does not lie in the data folder, with the rooms that keep data.
type afar struct {
	*rig
	root   string // of the objects
	copies *Copies
}

func newAfar(t *testing.T) *afar {
	t.Helper()
	root := t.TempDir()
	objects, err := objstore.OpenLocal(root)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, keyed(t), objects, time.Hour)
	c := &Copies{cfg: CopiesConfig{Meta: r.db, Objects: objects, Dir: t.TempDir(), Log: quiet, Flush: func(ctx context.Context) error {
		return errors.Join(r.ingest.Flush(ctx), r.logs.Flush(ctx))
	}}, commits: -1, age: newAge(nil)}
	return &afar{r, root, c}
}

// copyNow keeps a copy of the metadata in the lake's store, as a server does by itself.
func (a *afar) copyNow() {
	a.t.Helper()
	a.ok(a.copies.copy(a.t.Context()))
}

// lost gives what lies in the store at this moment, and loses all else. The store's copy lies in another place, as that of a bucket does which was replicated.
func (a *afar) lost(change func(root string)) *objstore.Local {
	a.t.Helper()
	root := filepath.Join(a.t.TempDir(), "replica")
	a.ok(os.CopyFS(root, os.DirFS(a.root)))
	if change != nil {
		change(root)
	}
	objects, err := objstore.OpenLocal(root)
	a.ok(err)
	return objects
}

// recovered makes a new folder from the store, and opens it. The lake must verify, before and after it was opened.
func recovered(t *testing.T, objects objstore.Store) (*rig, Recovered) {
	t.Helper()
	dir := keyed(t)
	found, err := Recover(t.Context(), Recovering{Objects: objects, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, metaFile))
	if err != nil {
		t.Fatal(err)
	}
	verified(t, objects, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, dir, objects, time.Hour)
	r.verify()
	return r, found
}

// TestRecover: everything that was committed comes back from the store alone, with what users set; the same events again add nothing, and all goes on.
func TestRecover(t *testing.T) {
	a := newAfar(t)
	store := a.create("main")
	a.accept(store, "a", 0, 300)
	a.ok(a.db.CreateChannel(t.Context(), meta.Channel{Scope: home, ID: "c", Name: "in", Source: "Custom", Created: begun, Updated: begun}))
	a.ok(a.db.SetTags(t.Context(), "arn:x", map[string]string{"k": "v"}, 50))
	a.copyNow()
	a.accept(store, "b", 0, 30)
	a.flush() // committed and published after the copy
	n, found := recovered(t, a.lost(nil))
	if got := n.ids(store); len(got) != 330 {
		t.Errorf("%d events, not 330", len(got))
	}
	if found.Stores != 1 || found.Rebuilt != nil || found.Unlogged != 0 || found.Notes != nil || found.Copied.IsZero() {
		t.Errorf("%+v", found)
	}
	s, err := n.db.Store(t.Context(), store)
	if err != nil || s.Name != "main" || s.Status != registry.Enabled {
		t.Errorf("%+v, %v", s, err)
	}
	if tags, err := n.db.Tags(t.Context(), []string{"arn:x"}); err != nil || tags["arn:x"]["k"] != "v" {
		t.Errorf("tags %v, %v", tags, err)
	}
	if c, err := n.db.Channel(t.Context(), "c"); err != nil || c.Name != "in" {
		t.Errorf("channel %+v, %v", c, err)
	}
	n.accept(store, "a", 0, 300)
	n.accept(store, "b", 0, 40)
	made := n.create("new")
	n.accept(made, "c", 0, 5)
	n.flush()
	if got := n.ids(store); len(got) != 340 {
		t.Errorf("%d events after the same came again, and ten more; not 340", len(got))
	}
	n.verify()
	// And once more, of what was recovered.
	last, _ := recovered(t, n.objects)
	if got := last.ids(made); len(got) != 5 {
		t.Errorf("%d events of the new store, not 5", len(got))
	}
}

// TestRecoverLostMetadata: where the durable log is left, what had been accepted comes back, too.
func TestRecoverLostMetadata(t *testing.T) {
	a := newAfar(t)
	store, other := a.create("main"), a.create("other")
	a.accept(store, "a", 0, 50)
	a.accept(other, "o", 0, 5)
	a.copyNow()
	a.accept(store, "b", 0, 20)
	a.ok(a.ingest.Flush(t.Context()))
	a.accept(other, "p", 0, 3) // in the log alone, below the sequence of what follows
	_, err := a.accept(store, "c", 0, 7).Wait(t.Context())
	a.ok(err)
	objects := a.lost(nil)
	dir := keyed(t)
	a.ok(os.CopyFS(filepath.Join(dir, "wal"), os.DirFS(filepath.Join(a.dir, "wal"))))
	a.ok(os.CopyFS(filepath.Join(dir, "identity"), os.DirFS(filepath.Join(a.dir, "identity"))))
	a.ok(EmptyDir(dir, Survivors...))
	if err := EmptyDir(dir); err == nil {
		t.Error("a folder with a durable log is empty")
	}
	found, err := Recover(t.Context(), Recovering{Objects: objects, Dir: dir})
	if err != nil || !found.Log || found.Unlogged != 20 {
		t.Fatalf("%+v, %v", found, err)
	}
	n := newRig(t, dir, objects, time.Hour)
	n.flush()
	if got, of := n.ids(store), n.ids(other); len(got) != 77 || len(of) != 8 {
		t.Errorf("%d and %d events, not 77 and 8", len(got), len(of))
	}
	n.accept(store, "c", 0, 8)
	n.flush()
	if got := n.ids(store); len(got) != 78 {
		t.Errorf("%d events after the same came again, and one more; not 78", len(got))
	}
	n.verify()
}

// TestRecoverUnpublished: commits that the log did not tell of when the disk was lost come back, merged with others or not, and the log tells of them then.
func TestRecoverUnpublished(t *testing.T) {
	for _, merged := range []bool{false, true} {
		a := newAfar(t)
		store := a.create("main")
		a.accept(store, "a", 0, 100)
		a.copyNow()
		for i := range 12 { // more than there are old metadata files
			a.accept(store, "b", i*10, 10)
			a.ok(a.ingest.Flush(t.Context()))
		}
		if merged {
			worked, err := a.lake.Compact(t.Context(), store)
			if err != nil || !worked {
				t.Fatalf("nothing was merged: %v", err)
			}
			a.accept(store, "c", 0, 7)
			a.ok(a.ingest.Flush(t.Context()))
		}
		want := a.ids(store)
		n, found := recovered(t, a.lost(nil))
		if got := n.ids(store); !slices.Equal(got, want) || found.Unlogged != int64(len(want)-100) || found.Notes != nil {
			t.Errorf("merged %v: %d events, not %d; %+v", merged, len(got), len(want), found)
		}
		n.accept(store, "b", 0, 121)
		n.flush()
		if got := n.ids(store); len(got) != len(want)+1 {
			t.Errorf("merged %v: %d events after the same came again, and one more", merged, len(got))
		}
		n.verify()
	}
}

// TestRecoverHalfPublished: tiles were written, and the checkpoint over them was not.
func TestRecoverHalfPublished(t *testing.T) {
	a := newAfar(t)
	store := a.create("main")
	a.accept(store, "a", 0, 100)
	a.copyNow()
	log := tlog.Reader{Objects: a.objects, StoreID: store}
	signed, err := log.Checkpoint(t.Context())
	a.ok(err)
	for i := range 100 { // some of the tiles become whole
		a.accept(store, "b", i*3, 3)
	}
	a.flush()
	n, found := recovered(t, a.lost(func(root string) {
		path := filepath.Join(root, filepath.FromSlash(log.Key("checkpoint")))
		a.ok(os.Remove(path))
		a.ok(os.WriteFile(path, signed, 0o600))
	}))
	if got := n.ids(store); len(got) != 400 || found.Unlogged != 300 {
		t.Errorf("%d events; %+v", len(got), found)
	}
	for i := range 10 {
		n.accept(store, "c", i, 1)
		n.flush()
	}
	n.verify()
}

// TestRecoverSettings: what was set after the last copy comes back from the logs: new stores, changed and deleted ones, holds.
func TestRecoverSettings(t *testing.T) {
	a := newAfar(t)
	ctx := t.Context()
	changed, deleted, gone, held := a.create("changed"), a.create("deleted"), a.create("gone"), a.create("held")
	a.accept(gone, "g", 0, 5)
	lift, err := a.reg.PlaceHold(ctx, home, "arn:me", held, time.Time{}, time.Time{}, "first")
	a.ok(err)
	a.copyNow()
	days := int32(40)
	_, err = a.reg.UpdateStore(ctx, home, changed, registry.StoreSettings{RetentionDays: &days, Name: new("renamed")})
	a.ok(err)
	_, err = a.reg.UpdateStore(ctx, home, held, registry.StoreSettings{Name: new("changed")})
	a.ok(err)
	no := false
	for _, id := range []string{deleted, gone} {
		_, err = a.reg.UpdateStore(ctx, home, id, registry.StoreSettings{TerminationProtection: &no})
		a.ok(err)
		a.ok(a.reg.DeleteStore(ctx, home, id))
	}
	made := a.create("made")
	a.accept(made, "m", 0, 9)
	a.ok(a.reg.EnsureHistory(ctx, "222222222222"))
	hold, err := a.reg.PlaceHold(ctx, home, "arn:me", held, begun.Add(-time.Hour), begun, "second")
	a.ok(err)
	_, err = a.reg.LiftHold(ctx, home, "arn:you", lift.ID, "over")
	a.ok(err)
	a.flush()
	n, found := recovered(t, a.lost(nil))
	if found.Stores != 6 || len(found.Rebuilt) != 2 {
		t.Errorf("%+v", found)
	}
	for _, id := range []string{changed, deleted, gone, held, made, registry.HistoryID("222222222222")} {
		was, err := a.db.Store(ctx, id)
		a.ok(err)
		is, err := n.db.Store(ctx, id)
		a.ok(err)
		is.Created, is.Updated = was.Created, was.Updated // of a new store: when it was ready
		if string(is.Selectors) != string(was.Selectors) {
			t.Errorf("store %s: selectors %s, not %s", was.Name, is.Selectors, was.Selectors)
		}
		is.Selectors, was.Selectors = nil, nil
		if !sameStore(is, was) {
			t.Errorf("store %s:\n%+v, not\n%+v", was.Name, is, was)
		}
	}
	holds, err := n.db.Holds(ctx, held)
	want, werr := a.db.Holds(ctx, held)
	if err != nil || werr != nil || len(holds) != 2 || !slices.Equal(holds, want) || holds[1].ID != hold.ID {
		t.Errorf("holds %+v, not %+v; %v, %v", holds, want, err, werr)
	}
	if got := n.ids(made); len(got) != 9 {
		t.Errorf("%d events of the store that the copy does not know, not 9", len(got))
	}
	if _, err := n.reg.RestoreStore(ctx, home, gone); err != nil {
		t.Errorf("a deleted store could not be restored: %v", err)
	}
}

func sameStore(a, b meta.EventDataStore) bool {
	a.Selectors, b.Selectors = nil, nil
	return a.ID == b.ID && a.Scope == b.Scope && a.Name == b.Name && a.Status == b.Status && a.Kind == b.Kind && a.MultiRegion == b.MultiRegion && a.Organization == b.Organization &&
		a.RetentionDays == b.RetentionDays && a.BillingMode == b.BillingMode && a.TerminationProtection == b.TerminationProtection && a.DeleteAfter.Equal(b.DeleteAfter) &&
		a.StatusBefore == b.StatusBefore && a.Internal == b.Internal && a.FederationStatus == b.FederationStatus && a.RemoveAfter.Equal(b.RemoveAfter)
}

// TestRecoverRemovedStore: a store that was removed for good after the last copy stays so.
func TestRecoverRemovedStore(t *testing.T) {
	a := newAfar(t)
	ctx := t.Context()
	store, other := a.create("gone"), a.create("other")
	a.accept(store, "g", 0, 5)
	no := false
	at := func(now time.Time) *registry.Registry {
		r, err := registry.New(ctx, registry.Config{DB: a.db, Lake: a.lake, Log: quiet, Now: func() time.Time { return now }})
		a.ok(err)
		return r
	}
	then := at(time.Now().AddDate(0, 0, -8))
	_, err := then.UpdateStore(ctx, home, store, registry.StoreSettings{TerminationProtection: &no})
	a.ok(err)
	a.ok(then.DeleteStore(ctx, home, store))
	a.ok(a.db.SetTags(ctx, "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/"+store, map[string]string{"k": "v"}, 50))
	a.copyNow()
	later := at(time.Now())
	a.ok(later.Sweep(ctx))
	a.flush()
	n, found := recovered(t, a.lost(nil))
	if _, err := n.db.Store(ctx, store); !errors.Is(err, meta.ErrNotFound) || found.Gone != 1 || found.Stores != 1 {
		t.Errorf("%v; %+v", err, found)
	}
	if tags, err := n.db.Tags(ctx, []string{"arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/" + store}); err != nil || len(tags) > 0 && len(tags["arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/"+store]) > 0 {
		t.Errorf("tags %v, %v", tags, err)
	}
	if n.create("gone") == "" || len(n.ids(other)) != 0 {
		t.Error("the name is not free")
	}
}

// TestRecoverGoneLogs: of stores that no copy of the metadata knows, that were removed for good or never made to the end, the logs are left. The metadata that is made anew knows of them: else it would be
// older than they are, and nothing would be gone on with.
func TestRecoverGoneLogs(t *testing.T) {
	for _, copied := range []bool{false, true} {
		a := newAfar(t)
		ctx := t.Context()
		store, other := a.create("gone"), a.create("other")
		a.accept(other, "o", 0, 5)
		a.accept(store, "g", 0, 5)
		a.flush()
		at := func(now time.Time) *registry.Registry {
			r, err := registry.New(ctx, registry.Config{DB: a.db, Lake: a.lake, Log: quiet, Now: func() time.Time { return now }})
			a.ok(err)
			return r
		}
		no, half := false, meta.EventDataStore{Scope: home, ID: uuid.NewString(), Name: "half", Status: registry.Created, Kind: uint8(event.CloudTrail), Selectors: []byte(selector.Default), Created: begun, Updated: begun}
		then := at(time.Now().AddDate(0, 0, -8))
		_, err := then.UpdateStore(ctx, home, store, registry.StoreSettings{TerminationProtection: &no})
		a.ok(err)
		a.ok(then.DeleteStore(ctx, home, store))
		a.ok(at(time.Now()).Sweep(ctx))
		a.ok(a.db.CreateStore(ctx, half))
		if copied {
			a.copyNow()
		}
		a.ok(a.lake.CreateTable(ctx, half.ID, event.CloudTrail))
		a.flush()
		n, found := recovered(t, a.lost(nil))
		guard := tlog.NewGuard(tlog.GuardConfig{Meta: n.db, Objects: n.objects, Key: proof.NewKey(seed).Public()})
		if err := guard.Check(ctx, ""); err != nil || found.Gone != 1 || found.Stores != 1 {
			t.Errorf("copied %t: %v; %+v", copied, err, found)
		}
		if got := n.ids(other); len(got) != 5 {
			t.Errorf("copied %t: %d events, not 5", copied, len(got))
		}
	}
}

// TestRecoverRemoval: a removal by retention, or an erasure, that the log did not tell of comes back where later changes show that it was committed; else it is undone, since it
// may have been refused.
func TestRecoverRemoval(t *testing.T) {
	for _, committed := range []bool{false, true} {
		for _, how := range []string{"removal", "erasure"} {
			a := newAfar(t)
			ctx := t.Context()
			store := a.create("main")
			a.accept(store, "old", 0, 10)
			a.accept(store, "a", 0, 30)
			a.ok(a.ingest.Flush(ctx))
			_, err := a.reg.SetRetention(ctx, home, store, 7)
			a.ok(err)
			a.copyNow()
			a.accept(store, "b", 0, 5)
			a.ok(a.ingest.Flush(ctx))
			refused := errors.New("refused")
			day := int32(begun.AddDate(0, 0, -20).Unix() / 86400)
			switch {
			case how == "erasure":
				gone, err := a.lake.Erase(ctx, store, lake.Erasure{EventID: "a-3", Reason: "asked for", By: "arn:me", At: time.Now(), Dir: t.TempDir()})
				if err != nil || len(gone) != 1 {
					t.Fatalf("%d erased, %v", len(gone), err)
				}
			case committed:
				_, err = a.lake.RemoveDays(ctx, store, []int32{day}, time.Now(), proof.Removal{Rule: "retention", Due: proof.Time(time.Now())}, func(meta.EventDataStore, []meta.Hold) error { return nil })
				a.ok(err)
			default:
				_, err = a.lake.RemoveDays(ctx, store, []int32{day}, time.Now(), proof.Removal{Rule: "retention", Due: proof.Time(time.Now())}, func(meta.EventDataStore, []meta.Hold) error { return refused })
				if !errors.Is(err, refused) {
					t.Fatal(err)
				}
			}
			if committed {
				a.accept(store, "c", 0, 4)
				a.ok(a.ingest.Flush(ctx))
				if how == "removal" { // the removal is not the last change, and so is known to be one; nor is what follows
					a.accept(store, "d", 0, 1)
					a.ok(a.ingest.Flush(ctx))
				}
			}
			want := len(a.ids(store))
			n, found := recovered(t, a.lost(nil))
			if got := n.ids(store); len(got) != want {
				t.Errorf("%s, committed %v: %d events, not %d; %+v", how, committed, len(got), want, found)
			}
			waiting, err := n.db.RemovedFiles(ctx, store)
			a.ok(err)
			days, err := n.db.RemovedDays(ctx, store)
			a.ok(err)
			if wantFiles := committed && how == "removal"; (len(waiting) > 0) != wantFiles || (len(days) > 0) != wantFiles {
				t.Errorf("%s, committed %v: %d files wait to be deleted, of the days %v", how, committed, len(waiting), days)
			}
			if !committed && len(found.Notes) != 1 {
				t.Errorf("%s: %+v", how, found)
			}
		}
	}
}

// TestRecoverCopies: of damaged copies an older one is used, and said; without any, tables and logs are enough for the events.
func TestRecoverCopies(t *testing.T) {
	a := newAfar(t)
	store := a.create("main")
	for i := range 5 {
		a.accept(store, "a", i, 1)
		a.copyNow()
	}
	a.copyNow() // nothing has changed
	all, err := listCopies(t.Context(), a.objects)
	if err != nil || len(all) != copiesKept {
		t.Fatalf("%d copies, %v", len(all), err)
	}
	newest := filepath.Join(filepath.FromSlash(all[len(all)-1].key))
	n, found := recovered(t, a.lost(func(root string) {
		path := filepath.Join(root, newest)
		b, err := os.ReadFile(path)
		a.ok(err)
		b[len(b)/2] ^= 1
		a.ok(os.Remove(path))
		a.ok(os.WriteFile(path, b, 0o600))
	}))
	if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], all[len(all)-1].key) || len(n.ids(store)) != 5 {
		t.Errorf("%+v, %d events", found, len(n.ids(store)))
	}
	n, found = recovered(t, a.lost(func(root string) { a.ok(os.RemoveAll(filepath.Join(root, "metadata"))) }))
	if len(found.Rebuilt) != 1 || !found.Copied.IsZero() || len(n.ids(store)) != 5 {
		t.Errorf("%+v, %d events", found, len(n.ids(store)))
	}
}

// TestRecoverRefuses what it could not go on with, and leaves no folder that could be served.
func TestRecoverRefuses(t *testing.T) {
	a := newAfar(t)
	store := a.create("main")
	a.accept(store, "a", 0, 10)
	a.copyNow()
	try := func(name, want string, dir string, objects objstore.Store) {
		t.Helper()
		_, err := Recover(t.Context(), Recovering{Objects: objects, Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, metaFile)); err == nil {
			t.Errorf("%s: there is metadata", name)
		}
	}
	try("no key", "proof.key is missing", t.TempDir(), a.lost(nil))
	other := t.TempDir()
	a.ok(access.WriteSecret(other, proofKeyFile, []byte(strings.Repeat("x", 32))))
	try("another key", "signature", other, a.lost(nil))
	try("an empty bucket", "holds no lake", keyed(t), folder(t))
	try("a log that was set back", "set back", keyed(t), a.lost(func(root string) { a.ok(os.RemoveAll(filepath.Join(root, "logs"))) }))
	try("a file of the table missing", "missing", keyed(t), a.lost(func(root string) {
		a.ok(os.RemoveAll(filepath.Join(root, "tables", store, "metadata")))
	}))
}
