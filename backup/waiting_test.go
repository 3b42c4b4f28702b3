package backup

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/retention"
)

// waiting has a store's old day leave the table, and gives the files that wait to be deleted.
func (r *rig) waiting(store string) []meta.RemovedFile {
	r.t.Helper()
	_, err := r.reg.SetRetention(r.t.Context(), home, store, 12)
	r.ok(err)
	r.retain(begun)
	files, err := r.db.RemovedFiles(r.t.Context(), store)
	r.ok(err)
	if len(files) == 0 {
		r.t.Fatal("no file waits")
	}
	return files
}

// waited is when the files that wait now have waited long enough, and nothing else is due.
var waited = begun.AddDate(0, 0, 8)

// retain removes what is due at a time, as the server does it.
func (r *rig) retain(now time.Time) {
	r.t.Helper()
	ctx := r.t.Context()
	l, err := lake.Open(ctx, lake.Config{Objects: r.objects, Meta: r.db, KeepSnapshots: 1}) // so that no older snapshot names what is to go
	r.ok(err)
	s, err := retention.Open(ctx, retention.Config{DB: r.db, Tables: l, Stores: r.reg, Now: func() time.Time { return now }, Log: quiet})
	r.ok(err)
	_, err = s.ConfirmClock(ctx, now.UTC().Format(time.DateOnly))
	r.ok(errors.Join(err, s.Round(ctx), l.Close()))
}

// TestPointHasWhatWaits: the files of removed days are in a point for as long as they wait, and come back with it. What a hold keeps stays, and what none keeps goes in its time.
func TestPointHasWhatWaits(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, keyed(t), nil, time.Hour)
	stores := map[string]bool{r.create("held"): true, r.create("free"): false}
	files := map[string]meta.RemovedFile{}
	for store, held := range stores {
		r.accept(store, "old", 0, 10)
		r.accept(store, "new", 0, 9)
		r.flush()
		files[store] = r.waiting(store)[0]
		if held {
			_, err := r.reg.PlaceHold(ctx, home, "arn:me", store, time.Time{}, time.Time{}, "case 7")
			r.ok(err)
		}
	}
	r.flush()
	to := folder(t)
	p := r.point(to, "one")
	if p.Missing != nil || p.Events != 18 {
		t.Errorf("%+v", p)
	}
	copied := map[string]bool{}
	r.point(counting{to, copied}, "two")
	was := sums(t, r.objects, "tables/")
	r.retain(waited)
	for store, held := range stores {
		if _, err := r.objects.Stat(ctx, files[store].Key); (err == nil) != held {
			t.Errorf("held %v: %v", held, err)
		}
		if key := lakePrefix + files[store].Key; copied[key] {
			t.Errorf("%s was copied again", key)
		}
	}
	three := r.point(to, "three") // of which only the one that is on hold has its old day still
	if three.Missing != nil {
		t.Errorf("%v", three.Missing)
	}
	r.close()

	for _, name := range []string{"one", "three"} {
		n := restored(t, to, name)
		for store, held := range stores {
			f := files[store]
			if held || name == "one" {
				text, err := readAll(ctx, n.objects, f.Key)
				if err != nil {
					t.Errorf("point %s, held %v: %v", name, held, err)
					continue
				}
				if got := sums(t, n.objects, f.Key)[f.Key]; got != was[f.Key] || int64(len(text)) != f.Bytes {
					t.Errorf("point %s, held %v: %d bytes, not %d, or others", name, held, len(text), f.Bytes)
				}
			}
			if got := n.ids(store); len(got) != 9 {
				t.Errorf("point %s: %d events, not 9", name, len(got))
			}
		}
		n.verify()
		n.retain(waited)
		for store, held := range stores {
			if _, err := n.objects.Stat(ctx, files[store].Key); (err == nil) != held {
				t.Errorf("point %s, held %v: %v", name, held, err)
			}
		}
		n.verify()
		n.close()
	}
}

// TestWaitingFilesThatAreGone: what is being deleted when a point is made, and so is named by the metadata and not there, ends no backup. Where a hold should keep it, that is said.
func TestWaitingFilesThatAreGone(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, keyed(t), nil, time.Hour)
	held, free := r.create("held"), r.create("free")
	var key string
	for _, store := range []string{held, free} {
		r.accept(store, "old", 0, 10)
		r.flush()
		for _, f := range r.waiting(store) {
			if store == held {
				key = f.Key
			}
			r.ok(r.objects.Delete(ctx, f.Key))
		}
	}
	_, err := r.reg.PlaceHold(ctx, home, "arn:me", held, begun.AddDate(0, 0, -20), time.Time{}, "case 7")
	r.ok(err)
	to := folder(t)
	if p := r.point(to, "p"); !slices.Equal(p.Missing, []string{key}) {
		t.Errorf("%v are missing, not %s", p.Missing, key)
	}
	r.close()
	n := restored(t, to, "p")
	n.retain(waited)
	if files, err := n.db.RemovedFiles(ctx, free); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}
