package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	seed  = bytes.Repeat([]byte{7}, proof.SeedSize)
	begun = time.Now() // the same event has the same text
	home  = meta.Scope{Account: "111122223333", Region: "us-east-1"}
)

// rig is the rooms of a server that keep data.
type rig struct {
	t       *testing.T
	dir     string
	objects objstore.Store
	db      meta.DB
	lake    *lake.Lake
	reg     *registry.Registry
	logs    *tlog.Service
	ingest  *ingest.Ingest
	closed  bool
}

// newRig opens the rooms of a data folder; delay is how long events wait before they are committed, unless Flush is called.
func newRig(t *testing.T, dir string, objects objstore.Store, delay time.Duration) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir, objects: objects}
	ctx := t.Context()
	if r.objects == nil {
		local, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
		r.ok(err)
		r.objects = local
	}
	var err error
	r.db, err = meta.OpenSQLite(ctx, filepath.Join(dir, metaFile))
	r.ok(err)
	r.ok(lake.Locate(ctx, r.objects, r.db))
	r.lake, err = lake.Open(ctx, lake.Config{Objects: r.objects, Meta: r.db})
	r.ok(err)
	key, err := OpenProofKey(ctx, r.db, dir)
	r.ok(err)
	r.logs = tlog.Open(tlog.Config{Meta: r.db, Objects: r.objects, Key: key, Every: time.Hour})
	r.reg, err = registry.New(ctx, registry.Config{DB: r.db, Lake: r.lake, Log: quiet})
	r.ok(err)
	r.ingest, err = ingest.Open(ctx, ingest.Config{Dir: dir, Stores: r.reg, Tables: r.lake, Meta: r.db, Logger: quiet, ChunkDelay: delay})
	r.ok(err)
	t.Cleanup(r.close)
	return r
}

// keyed makes a data folder with the tests' key for proofs.
func keyed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := access.WriteSecret(dir, proofKeyFile, seed); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// close ends the rooms in order: what was accepted is committed, and every leaf published.
func (r *rig) close() {
	if r.closed {
		return
	}
	r.closed = true
	ctx := context.Background()
	if err := errors.Join(r.ingest.Close(ctx), r.reg.Close(ctx), r.logs.Close(ctx), r.lake.Close(), r.db.Close()); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) rooms() Rooms {
	return Rooms{Meta: r.db, Objects: r.objects, HoldLake: r.lake.Hold, PauseLogs: r.logs.Pause, HoldLog: r.ingest.Hold, CopyLog: r.ingest.CopyLog}
}

func (r *rig) create(name string) string {
	r.t.Helper()
	s, err := r.reg.CreateStore(r.t.Context(), home, registry.StoreSettings{Name: &name})
	r.ok(err)
	return s.ID
}

// eventText is one of a store's events.
func eventText(id string, n int) []byte {
	at := begun.AddDate(0, 0, -n%3)
	if strings.HasPrefix(id, "old") {
		at = begun.AddDate(0, 0, -20)
	}
	return fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u%d"},"eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"Get",`+
		`"awsRegion":"us-east-1","eventID":"%s","recipientAccountId":"111122223333","eventCategory":"Management"}`, n%3, at.UTC().Format(time.RFC3339), id)
}

// accept brings events with the IDs prefix-from to prefix-(from+n-1) to the durable log.
func (r *rig) accept(store, prefix string, from, n int) *ingest.Ticket {
	r.t.Helper()
	d := event.NewDecoder()
	var records []event.Record
	for i := from; i < from+n; i++ {
		rec, err := d.Decode(eventText(fmt.Sprint(prefix, "-", i), i))
		r.ok(err)
		records = append(records, rec)
	}
	ticket, err := r.ingest.Accept(r.t.Context(), ingest.Delivery{Provenance: "test", Records: records, Read: int64(n), Scope: home, Stores: []string{store}})
	r.ok(err)
	return ticket
}

func (r *rig) flush() {
	r.t.Helper()
	r.ok(errors.Join(r.ingest.Flush(r.t.Context()), r.logs.Flush(r.t.Context())))
}

// ids are the events that a store's table has.
func (r *rig) ids(store string) []string {
	r.t.Helper()
	got := map[string]bool{}
	n := 0
	r.ok(r.lake.Identities(r.t.Context(), store, -1, func(s *lake.Stored) error {
		n++
		got[string(s.EventID)] = true
		return nil
	}))
	if n != len(got) {
		r.t.Errorf("%d rows of %d events", n, len(got))
	}
	return slices.Sorted(maps.Keys(got))
}

// verify holds the lake against its logs, once these are published.
func (r *rig) verify() {
	r.t.Helper()
	r.ok(r.logs.Flush(r.t.Context()))
	verified(r.t, r.objects, r.db)
}

func verified(t *testing.T, objects objstore.Store, db meta.DB) {
	t.Helper()
	rep, err := verify.Run(t.Context(), verify.Options{Objects: objects, Meta: db, Key: proof.NewKey(seed).Public(), Full: true, Now: time.Now().AddDate(0, 0, 9)}) // some tests remove what is due in eight days
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		t.Errorf("%s %s: %s", f.Store, f.Object, f.Problem)
	}
	if rep.Stores == 0 {
		t.Error("nothing was verified")
	}
}

// point makes a point of the running rooms.
func (r *rig) point(to objstore.Store, name string) Result {
	r.t.Helper()
	res, err := r.tryPoint(r.t.Context(), to, name)
	r.ok(err)
	return res
}

func (r *rig) tryPoint(ctx context.Context, to objstore.Store, name string) (res Result, err error) {
	dir := filepath.Join(r.t.TempDir(), "frozen")
	release, err := r.rooms().Freeze(ctx, dir)
	r.ok(err)
	defer func() { err = errors.Join(err, release(context.WithoutCancel(ctx))) }()
	return Run(ctx, Options{Frozen: dir, Objects: r.objects, To: to, Name: name, KeyDir: r.dir})
}

func folder(t *testing.T) *objstore.Local {
	t.Helper()
	s, err := objstore.OpenLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// restored puts a point back into a new folder, and opens it.
func restored(t *testing.T, from objstore.Store, name string) *rig {
	t.Helper()
	p, err := Find(t.Context(), from, name)
	if err != nil {
		t.Fatal(err)
	}
	dir := keyed(t)
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), Restoring{From: from, Point: p, Dir: dir, Objects: objects}); err != nil {
		t.Fatal(err)
	}
	return newRig(t, dir, objects, time.Hour)
}
