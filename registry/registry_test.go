package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/selector"
)

var _ ingest.Stores = (*Registry)(nil)

// tables is a Lake that remembers which tables there are.
type tables struct {
	mu                   sync.Mutex
	kinds                map[string]event.Kind
	failCreate, failDrop error
	failRetire           error
	dropping             func()
}

func (l *tables) RetireTable(context.Context, string) error { return l.failRetire }

func (l *tables) CreateTable(_ context.Context, id string, k event.Kind) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failCreate != nil {
		return l.failCreate
	}
	l.kinds[id] = k
	return nil
}

func (l *tables) DropTable(_ context.Context, id string) error {
	if l.dropping != nil {
		l.dropping()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failDrop != nil {
		return l.failDrop
	}
	delete(l.kinds, id)
	return nil
}

// rig is a registry over a real database, with a clock of its own.
type rig struct {
	*Registry
	t      *testing.T
	db     meta.DB
	path   string
	tables *tables
	clock  time.Time
	cfg    Config
}

var (
	here  = meta.Scope{Account: "111122223333", Region: "eu-west-1"}
	west  = meta.Scope{Account: "111122223333", Region: "us-west-2"}
	other = meta.Scope{Account: "444455556666", Region: "eu-west-1"}
)

func newRig(t *testing.T, edit ...func(*Config)) *rig {
	g := &rig{t: t, path: filepath.Join(t.TempDir(), "meta.db"), tables: &tables{kinds: map[string]event.Kind{}},
		clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	g.cfg = Config{Lake: g.tables, Now: func() time.Time { return g.clock }, Log: slog.New(slog.DiscardHandler), ManagementAccount: here.Account}
	for _, e := range edit {
		e(&g.cfg)
	}
	g.open()
	t.Cleanup(func() { _ = g.db.Close() })
	return g
}

func (g *rig) open() {
	g.t.Helper()
	db, err := meta.OpenSQLite(g.t.Context(), g.path)
	if err != nil {
		g.t.Fatal(err)
	}
	g.db, g.cfg.DB = db, db
	if g.Registry, err = New(g.t.Context(), g.cfg); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) restart() {
	g.t.Helper()
	g.ok(g.Close(g.t.Context()))
	g.ok(g.db.Close())
	g.open()
}

func (g *rig) ok(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// code fails unless err is the named API error and its message has every one of the words.
func (g *rig) code(err error, code string, words ...string) {
	g.t.Helper()
	if !awserr.Is(err, code) {
		g.t.Fatalf("error is %v, want %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			g.t.Fatalf("error %q lacks %q", err, w)
		}
	}
}

func (g *rig) make(name string, edit ...func(*StoreSettings)) meta.EventDataStore {
	g.t.Helper()
	in := StoreSettings{Name: &name}
	for _, e := range edit {
		e(&in)
	}
	g.clock = g.clock.Add(time.Second)
	s, err := g.CreateStore(g.t.Context(), here, in)
	g.ok(err)
	return s
}

func selectors(category string) []byte {
	return fmt.Appendf(nil, `[{"FieldSelectors":[{"Field":"eventCategory","Equals":[%q]}]}]`, category)
}

func outside(in *StoreSettings)     { in.Selectors = selectors("ActivityAuditLog") }
func unprotected(in *StoreSettings) { in.TerminationProtection = new(bool) }
func stopped(in *StoreSettings)     { in.StartIngestion = new(bool) }

func p[T any](v T) *T { return &v }

func (g *rig) live(sc meta.Scope) []string {
	g.t.Helper()
	targets, err := g.Live(g.t.Context(), sc)
	g.ok(err)
	var ids []string
	for _, t := range targets {
		ids = append(ids, t.StoreID)
	}
	return ids
}

func (g *rig) reaches(sc meta.Scope, id string) bool { return slices.Contains(g.live(sc), id) }

func TestLive(t *testing.T) {
	g := newRig(t)
	all := g.make("all-regions")
	one := g.make("one-region", func(in *StoreSettings) { in.MultiRegion = p(false) })
	org := g.make("organisation", func(in *StoreSettings) { in.Organization = p(true) })
	not := g.make("stopped", stopped)
	out := g.make("outside", outside)
	for _, c := range []struct {
		sc   meta.Scope
		want []string
	}{
		{here, []string{all.ID, one.ID, org.ID, out.ID, HistoryID(here.Account)}},
		{west, []string{all.ID, org.ID, out.ID, HistoryID(here.Account)}},
		{other, []string{org.ID, HistoryID(other.Account)}},
		{meta.Scope{Account: "none", Region: "eu-west-1"}, []string{org.ID}},
	} {
		got := g.live(c.sc)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.sc, got, c.want)
		}
	}
	target, err := g.Target(t.Context(), not.ID)
	g.ok(err)
	if target.Scope != here || target.Kind != event.CloudTrail || target.RetentionDays != 366 || !target.MultiRegion || target.Selectors == nil {
		t.Errorf("%+v", target)
	}
	if _, err := g.Target(t.Context(), "none"); !errors.Is(err, meta.ErrNotFound) {
		t.Error(err)
	}
	if k := g.tables.kinds[out.ID]; k != event.Activity {
		t.Errorf("table of kind %v", k)
	}
}

func TestHistory(t *testing.T) {
	g := newRig(t)
	id := HistoryID(here.Account)
	if id != HistoryID(here.Account) || id == HistoryID(other.Account) {
		t.Fatal("the ID is not the account's own")
	}
	targets, err := g.Live(t.Context(), here)
	g.ok(err)
	if len(targets) != 1 || targets[0].StoreID != id || targets[0].RetentionDays != 90 || targets[0].Kind != event.CloudTrail {
		t.Fatalf("%+v", targets)
	}
	for text, want := range map[string]bool{
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Management"}`: true, `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data"}`: false,
	} {
		r, err := event.NewDecoder().Decode([]byte(text))
		g.ok(err)
		if targets[0].Selectors.Match(&r) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	// It is nobody's to see or change.
	_, err = g.Store(t.Context(), here, id)
	g.code(err, "EventDataStoreNotFoundException")
	_, err = g.Store(t.Context(), meta.Scope{Account: here.Account}, id)
	g.code(err, "EventDataStoreNotFoundException")
	_, err = g.StoreByName(t.Context(), meta.Scope{Account: here.Account}, "event-history")
	g.code(err, "EventDataStoreNotFoundException")
	list, _, err := g.Stores(t.Context(), here, "", 0)
	g.ok(err)
	if len(list) != 0 {
		t.Fatalf("%v", list)
	}
	g.restart()
	if !g.reaches(here, id) {
		t.Fatal("gone after a restart")
	}

	// A table that cannot be made fails the call and leaves nothing; the next call makes it.
	g.tables.failCreate = errors.New("no room")
	if _, err := g.Live(t.Context(), other); err == nil {
		t.Fatal("no error")
	}
	g.tables.failDrop = errors.New("no room either")
	if _, err := g.Live(t.Context(), other); err == nil {
		t.Fatal("no error")
	}
	g.tables.failCreate, g.tables.failDrop = nil, nil
	if !g.reaches(other, HistoryID(other.Account)) {
		t.Fatal("not made later")
	}
}

func TestSweep(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	s := g.make("gone", unprotected)
	kept := g.make("kept")
	g.ok(g.AddTags(ctx, here, s.ARN(), []Tag{{"a", "b"}}))
	g.ok(g.DeleteStore(ctx, here, s.ID))
	if g.reaches(here, s.ID) {
		t.Fatal("a deleted store takes live events")
	}
	g.clock = g.clock.Add(deletionWait - time.Millisecond)
	g.ok(g.Sweep(ctx))
	_, err := g.RestoreStore(ctx, here, s.ID)
	g.ok(err)
	g.ok(g.DeleteStore(ctx, here, s.ID))
	g.restart()
	g.clock = g.clock.Add(deletionWait)
	_, err = g.RestoreStore(ctx, here, s.ID)
	g.code(err, "EventDataStoreNotFoundException") // too late

	g.tables.failRetire = errors.New("a query reads it")
	if err := g.Sweep(ctx); err == nil || !strings.Contains(err.Error(), s.ID) {
		t.Fatal(err)
	}
	if _, err := g.Target(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	g.tables.failRetire, g.tables.failDrop = nil, errors.New("no such bucket")
	if err := g.Sweep(ctx); err == nil || !strings.Contains(err.Error(), s.ID) {
		t.Fatal(err)
	}
	g.restart() // the store is gone, and what is left of its files goes later
	if _, ok := g.tables.kinds[s.ID]; !ok {
		t.Fatal("the table is gone")
	}
	g.tables.failDrop = nil
	// While the table goes, the clock steps back and somebody wants the store again.
	g.tables.dropping = func() {
		g.clock = g.clock.Add(-time.Hour)
		_, err := g.RestoreStore(ctx, here, s.ID)
		g.code(err, "EventDataStoreNotFoundException")
		g.clock = g.clock.Add(time.Hour)
	}
	g.ok(g.Sweep(ctx))
	g.tables.dropping = nil
	if _, err := g.Target(ctx, s.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
	if _, ok := g.tables.kinds[s.ID]; ok {
		t.Fatal("the table is there")
	}
	_, err = g.Store(ctx, here, s.ID)
	g.code(err, "EventDataStoreNotFoundException")
	if left, err := g.db.Tags(ctx, []string{s.ARN()}); err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
	if !g.reaches(here, kept.ID) {
		t.Fatal("another store is gone")
	}
	g.make("gone") // the name is free
}

// TestHalfMade: a store that a crash left half made is not there after the restart.
func TestHalfMade(t *testing.T) {
	g := newRig(t)
	half := meta.EventDataStore{Scope: here, ID: "0233062b-51c6-4d18-8dec-a8c90da840d9", Name: "half", Status: Created, Kind: uint8(event.CloudTrail),
		Selectors: []byte(selector.Default), RetentionDays: 366, Created: g.clock, Updated: g.clock}
	g.ok(g.db.CreateStore(t.Context(), half))
	g.tables.kinds[half.ID] = event.CloudTrail
	g.restart()
	if _, err := g.db.Store(t.Context(), half.ID); !errors.Is(err, meta.ErrNotFound) || len(g.tables.kinds) != 0 {
		t.Fatal(err, g.tables.kinds)
	}
	g.tables.failCreate = errors.New("no room")
	if _, err := g.CreateStore(t.Context(), here, StoreSettings{Name: p("later")}); err == nil || awserr.From(err).Status != 500 {
		t.Fatal(err)
	}
	g.tables.failCreate = nil
	g.make("later")

	// Tables that are away can be neither made nor removed. When they are back the name is free, after a restart meanwhile, too.
	for _, restart := range []bool{false, true} {
		g.tables.failCreate, g.tables.failDrop = errors.New("away"), errors.New("away")
		name := fmt.Sprint("away-", restart)
		for range 2 {
			if _, err := g.CreateStore(t.Context(), here, StoreSettings{Name: &name}); err == nil || awserr.From(err).Status != 500 {
				t.Fatal(err)
			}
		}
		if restart {
			g.restart()
		}
		g.tables.failCreate, g.tables.failDrop = nil, nil
		s := g.make(name)
		all, err := g.db.Stores(t.Context(), here, "", 0)
		all = slices.DeleteFunc(all, func(s meta.EventDataStore) bool { return s.Name != name })
		if err != nil || len(all) != 1 || all[0].ID != s.ID {
			t.Fatal(all, err)
		}
	}
}

// TestConcurrent: every change that returned is in what ingest sees, whatever else goes on.
func TestConcurrent(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Quotas.Stores = 100 })
	ctx := t.Context()
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			name := fmt.Sprint("store-", w)
			s, err := g.CreateStore(ctx, here, StoreSettings{Name: &name})
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				if err := g.StopIngestion(ctx, here, s.ID); err != nil || g.reaches(here, s.ID) {
					t.Error("stopped", err)
				}
				if err := g.StartIngestion(ctx, here, s.ARN()); err != nil || !g.reaches(here, s.ID) {
					t.Error("started", err)
				}
			}
		})
		wg.Go(func() {
			for i := range 5 {
				sc := meta.Scope{Account: fmt.Sprintf("%012d", i), Region: "eu-west-1"}
				if !g.reaches(sc, HistoryID(sc.Account)) {
					t.Error("no history")
				}
			}
		})
	}
	wg.Wait()
	if n := len(g.live(here)); n != 7 {
		t.Fatalf("%d live stores", n)
	}
	before := g.current.Load().stores
	g.restart()
	for id, s := range g.current.Load().stores {
		if b := before[id]; b == nil || b.Status != s.Status || !b.Updated.Equal(s.Updated) {
			t.Errorf("%+v was %+v", s.EventDataStore, b)
		}
	}
}

func TestUnfiltered(t *testing.T) {
	g := newRig(t)
	s, err := g.CreateUnfiltered(t.Context(), here, "logs", event.CloudTrail)
	g.ok(err)
	for range 2 {
		target, err := g.Target(t.Context(), s.ID)
		g.ok(err)
		if target.Selectors != nil || target.RetentionDays < 365*250 || target.Kind != event.CloudTrail {
			t.Errorf("%+v", target)
		}
		g.restart()
	}
	_, err = g.CreateUnfiltered(t.Context(), here, "logs", event.CloudTrail)
	g.code(err, "EventDataStoreAlreadyExistsException")
	if _, err := g.StoreByName(t.Context(), here, "logs"); err != nil {
		t.Error(err)
	}
}
