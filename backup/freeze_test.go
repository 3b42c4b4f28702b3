package backup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// TestSetBackIsNotCopied: of metadata that is older than the logs no point is made, from a running server or a stopped one. An older point that was restored brings its own logs, and is copied and gone on with.
func TestSetBackIsNotCopied(t *testing.T) {
	dir, to := keyed(t), folder(t)
	r := newRig(t, dir, nil, time.Hour)
	store := r.create("main")
	r.accept(store, "a", 0, 10)
	r.flush()
	r.point(to, "one")
	old := filepath.Join(t.TempDir(), metaFile)
	r.ok(r.db.CopyTo(t.Context(), old))
	r.accept(store, "b", 0, 10)
	r.flush()
	r.point(to, "two")
	r.close()

	r.ok(os.Rename(old, filepath.Join(dir, metaFile)))
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, metaFile))
	r.ok(err)
	objects, err := objstore.ReadLocal(filepath.Join(dir, "lake"))
	r.ok(err)
	rooms, closeRooms, err := Stopped(t.Context(), dir, db, objects)
	r.ok(err)
	if _, err := rooms.Freeze(t.Context(), filepath.Join(t.TempDir(), "f")); !errors.Is(err, meta.ErrSetBack) {
		t.Error("stopped:", err)
	}
	r.ok(errors.Join(closeRooms(), db.Close()))
	r = newRig(t, dir, nil, time.Hour)
	for range 2 { // before and after the logs were looked at
		if _, err := r.rooms().Freeze(t.Context(), filepath.Join(t.TempDir(), "f")); !errors.Is(err, meta.ErrSetBack) {
			t.Error("running:", err)
		}
		if err := r.logs.Flush(t.Context()); !errors.Is(err, meta.ErrSetBack) {
			t.Error(err)
		}
	}

	n := restored(t, to, "one")
	n.accept(store, "c", 0, 10)
	n.flush()
	if got := n.ids(store); len(got) != 20 {
		t.Errorf("%d events, not 20", len(got))
	}
	n.point(to, "three")
	n.verify()
}
