package verify

import (
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/selector"
)

// edited is a copy of the metadata in which somebody with a database tool changed something.
func (b *bed) edited(statements ...string) meta.DB {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "meta.db")
	b.ok(b.db.CopyTo(b.t.Context(), path))
	raw, err := sql.Open("sqlite", path)
	b.ok(err)
	for _, s := range statements {
		done, err := raw.ExecContext(b.t.Context(), s)
		if err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			b.t.Fatalf("%s changes no row: %v", s, err)
		}
	}
	b.ok(raw.Close())
	db, err := meta.OpenSQLite(b.t.Context(), path)
	b.ok(err)
	b.t.Cleanup(func() { db.Close() })
	return db
}

// held places three holds, and lifts the second.
func (b *bed) held() (holds []meta.Hold) {
	b.t.Helper()
	sc := meta.Scope{Account: "111122223333", Region: "us-east-1"}
	day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, to := range []time.Time{{}, day.AddDate(0, 0, 1), day.AddDate(0, 0, 2)} {
		h, err := b.reg.PlaceHold(b.t.Context(), sc, "arn:aws:iam::111122223333:root", b.store, day, to, "case 7")
		b.ok(err)
		holds = append(holds, h)
	}
	var err error
	holds[1], err = b.reg.LiftHold(b.t.Context(), sc, "arn:aws:iam::111122223333:root", holds[1].ID, "it is over")
	b.ok(err)
	return holds
}

// A row of the metadata that decides what comes in, what goes and what must not go cannot say other than the log.
func TestMetadataWithoutLeaves(t *testing.T) {
	b := newBed(t)
	b.commit(2, 6)
	holds := b.held()
	b.flush()
	b.clean(true, nil)
	row, err := b.db.Table(t.Context(), b.store)
	b.ok(err)
	b.commit(1, 6)
	open, over := "metadata: hold "+holds[0].ID, "metadata: hold "+holds[1].ID
	data := ""
	b.ok(b.objects.List(t.Context(), "tables/"+b.store+"/data/", "", func(o objstore.Object) error { data = o.Key; return nil }))
	const store, table = "metadata: store", "metadata: table"
	for _, c := range []struct{ statement, object, problem string }{
		{"UPDATE stores SET retention_days = 7", store, "its retention is 7"},
		{"UPDATE stores SET status = 'STOPPED_INGESTION'", store, "its status is STOPPED_INGESTION, and by the log ENABLED"},
		{"UPDATE stores SET status = 'CREATED'", store, "being made"},
		{"UPDATE stores SET status_before = 'ENABLED'", store, "status before its deletion"},
		{"UPDATE stores SET name = 'x'", store, "its name is x"},
		{"UPDATE stores SET account = '444455556666'", store, "its account is"},
		{"UPDATE stores SET kind = 2", store, "its kind is"},
		{"UPDATE stores SET multi_region = 1 - multi_region", store, "its multi-region is"},
		{"UPDATE stores SET organization = 1 - organization", store, "its organization is"},
		{"UPDATE stores SET termination_protection = 0", store, "its termination protection is false"},
		{"UPDATE stores SET internal = 1", store, "event history is true"},
		{"UPDATE stores SET selectors = CAST('[]' AS BLOB)", store, "its selectors are []"},
		{"UPDATE stores SET delete_after = 1", store, "its time of its removal is 1970"},
		{"UPDATE stores SET remove_after = 1", store, "before which nothing goes"},
		{"DELETE FROM stores", store, "the metadata knows none"},
		{"INSERT INTO stores SELECT 'x', account, region, 'x', status, kind, multi_region, organization, retention_days, billing_mode, termination_protection, selectors, created, updated, delete_after, status_before, internal, federation_status, federation_role, remove_after FROM stores", store, "does not tell of the store's creation"},
		{"DELETE FROM tables", table, "knows no table"},
		{"UPDATE tables SET location = '" + row.Location + "'", table, "by its log at"},
		{"UPDATE tables SET applied = applied - 1", table, "up to sequence"},
		{"UPDATE logs SET next = next - 1", "logs/" + b.store, "the metadata was"},
		{"DELETE FROM leaves WHERE serial = (SELECT max(serial) FROM leaves)", "logs/" + b.store, "the metadata was"},
		{"DELETE FROM leaves WHERE serial = (SELECT min(serial) FROM leaves)", "logs/" + b.store, "the metadata was"},
		{"UPDATE holds SET lifted = 1, lifted_by = 'x', lift_reason = 'x' WHERE id = '" + holds[0].ID + "'", open, "lifted true, and by the log false"},
		{"UPDATE holds SET lifted = NULL, lifted_by = '', lift_reason = '' WHERE id = '" + holds[1].ID + "'", over, "lifted false, and by the log true"},
		{"UPDATE holds SET lifted_by = 'x' WHERE id = '" + holds[1].ID + "'", over, "says other than its leaves"},
		{"UPDATE holds SET lifted = lifted + 1 WHERE id = '" + holds[1].ID + "'", over, "says other than its leaves"},
		{"UPDATE holds SET from_time = from_time + 1 WHERE id = '" + holds[0].ID + "'", open, "says other than its leaves"},
		{"UPDATE holds SET to_time = 1 WHERE id = '" + holds[0].ID + "'", open, "says other than its leaves"},
		{"UPDATE holds SET reason = 'x' WHERE id = '" + holds[0].ID + "'", open, "says other than its leaves"},
		{"UPDATE holds SET region = 'x' WHERE id = '" + holds[0].ID + "'", open, "is of account 111122223333 and region x"},
		{"UPDATE holds SET store_id = 'x' WHERE id = '" + holds[0].ID + "'", open, "the metadata knows none"},
		{"DELETE FROM holds WHERE id = '" + holds[0].ID + "'", open, "the metadata knows none"},
		{"DELETE FROM holds WHERE id = '" + holds[1].ID + "'", over, "the metadata knows none"},
		{"INSERT INTO holds SELECT 'x', account, region, store_id, from_time, to_time, reason, placed, placed_by, lifted, lifted_by, lift_reason FROM holds WHERE id = '" + holds[0].ID + "'", "metadata: hold x", "the log does not tell of it"},
		{"INSERT INTO removed_files (store_id, key, day, rows, bytes, removed) VALUES ('" + b.store + "', '" + data + "', 1, 1, 1, 1)", "metadata: removed file " + data, "waits to be deleted"},
	} {
		r, err := Run(t.Context(), Options{Objects: b.objects, Meta: b.edited(c.statement), Key: key.Public()})
		b.ok(err)
		if !says(r, c.object, c.problem) {
			t.Errorf("%.80s: not found: %v", c.statement, r.Findings)
		}
	}
}

// Of a store that was removed for good the metadata has nothing left, and of one whose seven days are over while a hold keeps it, everything.
func TestMetadataOfDeletedStores(t *testing.T) {
	b := newBed(t)
	b.commit(1, 6)
	here := meta.Scope{Account: "111122223333", Region: "us-east-1"}
	now := time.Now()
	reg := func() *registry.Registry {
		r, err := registry.New(t.Context(), registry.Config{DB: b.db, Lake: b.lake, Now: func() time.Time { return now }})
		b.ok(err)
		return r
	}
	off := false
	_, err := reg().UpdateStore(t.Context(), here, b.store, registry.StoreSettings{TerminationProtection: &off})
	b.ok(err)
	now = now.AddDate(0, 0, -30)
	b.ok(reg().DeleteStore(t.Context(), here, b.store))
	b.flush()
	b.clean(true, nil)
	r, err := Run(t.Context(), Options{Objects: b.objects, Meta: b.edited("UPDATE stores SET status_before = 'STOPPED_INGESTION'"), Key: key.Public()})
	b.ok(err)
	if !says(r, "metadata: store", "its status before its deletion is STOPPED_INGESTION, and by the log ENABLED") {
		t.Error(r.Findings)
	}
	hold, err := reg().PlaceHold(t.Context(), here, "me", b.store, time.Time{}, time.Time{}, "case 7")
	b.ok(err)
	b.flush()
	b.clean(true, nil)
	before := b.snapshot()
	b.ok(b.lake.DropTable(t.Context(), b.store))
	if r := b.verify(false, nil); len(r.Findings) == 0 {
		t.Error("the files of a store that is held are gone, and nothing is found")
	}
	b.restore(before, "tables/")
	_, err = reg().LiftHold(t.Context(), here, "me", hold.ID, "it is over")
	b.ok(err)
	b.lake, err = lake.Open(t.Context(), lake.Config{Objects: b.objects, Meta: b.liar})
	b.ok(err)
	old := b.edited("UPDATE holds SET reason = reason")
	now = now.AddDate(0, 0, 8)
	b.ok(reg().Sweep(t.Context()))
	b.flush()
	b.clean(true, nil)
	r, err = Run(t.Context(), Options{Objects: b.objects, Meta: old, Key: key.Public()})
	b.ok(err)
	for object, problem := range map[string]string{"metadata: store": "has it still", "metadata: table": "has its table still", "metadata: hold " + hold.ID: "does not tell of it"} {
		if !says(r, object, problem) {
			t.Errorf("%s of a removed store is not found: %v", object, r.Findings)
		}
	}
	if !strings.Contains(holdText(hold), "from - to -, placed ") {
		t.Error(holdText(hold))
	}
}

// TestStoreThatNeverWas: making a store may end, by a crash or an error, when its table was made, and the log has told of that. The store is undone then, and its log stays.
func TestStoreThatNeverWas(t *testing.T) {
	b := newBed(t)
	b.commit(1, 6)
	at := time.Now().UTC().Truncate(time.Millisecond)
	s := meta.EventDataStore{Scope: meta.Scope{Account: "111122223333", Region: "us-east-1"}, ID: uuid.NewString(), Name: "half", Status: registry.Created, Kind: uint8(event.CloudTrail), Selectors: []byte(selector.Default), Created: at, Updated: at}
	b.ok(b.db.CreateStore(t.Context(), s))
	b.ok(b.lake.CreateTable(t.Context(), s.ID, event.CloudTrail))
	b.flush()
	b.clean(true, nil) // it is being made
	_, err := registry.New(t.Context(), registry.Config{DB: b.db, Lake: b.lake, Log: slog.New(slog.DiscardHandler)})
	b.ok(err)
	if _, err := b.db.Store(t.Context(), s.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal("it was not undone:", err)
	}
	b.clean(true, nil)
	r, err := Run(t.Context(), Options{Objects: b.objects, Key: key.Public(), Full: true})
	if b.ok(err); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
}
