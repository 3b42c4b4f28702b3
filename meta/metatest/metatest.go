// Package metatest checks that an implementation of meta.DB keeps the contract. SQLite passes it; so must any other.
package metatest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

// Run checks the database that open gives. open is called once a check with an empty place of its own; called again on
// the same testing.T it opens that same place again, after the first was closed.
func Run(t *testing.T, open func(t *testing.T) meta.DB) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, db meta.DB)
	}{
		{"stores", stores}, {"store names", storeNames}, {"delete store", deleteStore}, {"update", update},
		{"channels", channels}, {"imports", imports}, {"failures", failures}, {"ledger", ledger},
		{"queries", queries}, {"tags", tags}, {"tables", tables}, {"leaves", leaves}, {"standing", standing}, {"retention", retention}, {"recover", recovered}, {"settings", settings}, {"paging", paging},
		{"concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			c.check(t, db)
			no(t, db.Close())
		})
	}
	t.Run("reopen", func(t *testing.T) { reopen(t, open) })
}

var (
	here  = meta.Scope{Account: "111122223333", Region: "eu-west-1"}
	there = meta.Scope{Account: "444455556666", Region: "eu-west-1"}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 123e6, time.UTC)
)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error is %v, want %v", err, target)
	}
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func store(id, name string, sc meta.Scope, created time.Time) meta.EventDataStore {
	return meta.EventDataStore{Scope: sc, ID: id, Name: name, Status: "ENABLED", Kind: 1, MultiRegion: true,
		RetentionDays: 366, BillingMode: "EXTENDABLE_RETENTION_PRICING", TerminationProtection: true,
		Selectors: []byte(`[{"Name":"a\u0000b"}]`), Created: created, Updated: created}
}

func stores(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a := store("a", "first", here, at(2))
	b := store("b", "second", here, at(1))
	b.FederationStatus, b.FederationRoleArn = "ENABLED", "arn:aws:iam::123456789012:role/r"
	c := store("c", "first", there, at(0))
	d := meta.EventDataStore{Scope: meta.Scope{Account: "111122223333"}, ID: "d", Name: "history", Kind: 1, Internal: true,
		Created: at(3), Updated: at(3), DeleteAfter: at(4), Organization: true}
	for _, s := range []meta.EventDataStore{a, b, c, d} {
		no(t, db.CreateStore(ctx, s))
	}
	for _, s := range []meta.EventDataStore{a, b, c, d} {
		got, err := db.Store(ctx, s.ID)
		no(t, err)
		equal(t, got, s)
	}
	_, err := db.Store(ctx, "x")
	want(t, err, meta.ErrNotFound)
	for _, c := range []struct {
		sc   meta.Scope
		want []meta.EventDataStore
	}{
		{here, []meta.EventDataStore{b, a}},
		{there, []meta.EventDataStore{c}},
		{meta.Scope{Account: "111122223333"}, []meta.EventDataStore{d}},
		{meta.Scope{}, []meta.EventDataStore{c, b, a, d}},
		{meta.Scope{Account: "999999999999", Region: "eu-west-1"}, nil},
	} {
		got, err := db.Stores(ctx, c.sc, "", 0)
		no(t, err)
		equal(t, got, c.want)
	}
}

func storeNames(t *testing.T, db meta.DB) {
	ctx := t.Context()
	no(t, db.CreateStore(ctx, store("a", "first", here, at(0))))
	no(t, db.CreateStore(ctx, store("b", "second", here, at(0))))
	want(t, db.CreateStore(ctx, store("a", "other", there, at(0))), meta.ErrExists)
	want(t, db.CreateStore(ctx, store("c", "first", here, at(0))), meta.ErrExists)
	_, err := db.UpdateStore(ctx, "b", func(s *meta.EventDataStore) error { s.Name = "first"; return nil })
	want(t, err, meta.ErrExists)
	got, err := db.Store(ctx, "b")
	no(t, err)
	equal(t, got.Name, "second")
	if err := db.CreateStore(ctx, meta.EventDataStore{ID: "z", Name: "no time"}); err == nil {
		t.Fatal("a store without a time of creation was taken: it has no place in any list")
	}
}

func deleteStore(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a, b := store("a", "first", here, at(0)), store("b", "second", here, at(0))
	for _, s := range []meta.EventDataStore{a, b} {
		no(t, db.CreateStore(ctx, s))
		no(t, db.SetTags(ctx, s.ARN(), map[string]string{"k": "v"}, 50))
		no(t, db.CreateTable(ctx, meta.Table{StoreID: s.ID, Location: "l"}))
		no(t, db.CreateImport(ctx, meta.Import{Scope: here, ID: "i" + s.ID, Stores: []string{s.ID}, Created: at(0), Updated: at(0)}))
		no(t, db.RecordObjects(ctx, s.ID, []string{"f"}, "i"+s.ID, func(*meta.Import) error { return nil }))
	}
	no(t, db.DeleteStore(ctx, "a"))
	want(t, db.DeleteStore(ctx, "a"), meta.ErrNotFound)
	_, err := db.Store(ctx, "a")
	want(t, err, meta.ErrNotFound)
	_, err = db.Table(ctx, "a")
	want(t, err, meta.ErrNotFound)
	got, err := db.Tags(ctx, []string{a.ARN(), b.ARN()})
	no(t, err)
	equal(t, got, map[string]map[string]string{b.ARN(): {"k": "v"}})
	for id, left := range map[string]bool{"a": false, "b": true} {
		known, err := db.ImportedObjects(ctx, id, []string{"f"})
		no(t, err)
		equal(t, known["f"], left)
	}
	_, err = db.Import(ctx, "ia") // imports are history, and stay
	no(t, err)
	no(t, db.CreateStore(ctx, store("a2", "first", here, at(0)))) // the name is free again
}

func update(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a := store("a", "first", here, at(0))
	no(t, db.CreateStore(ctx, a))
	refuse := errors.New("refused")
	_, err := db.UpdateStore(ctx, "a", func(s *meta.EventDataStore) error { s.Name = "x"; return refuse })
	want(t, err, refuse)
	_, err = db.UpdateStore(ctx, "x", func(*meta.EventDataStore) error { return nil })
	want(t, err, meta.ErrNotFound)
	for name, f := range map[string]func(s *meta.EventDataStore){
		"ID": func(s *meta.EventDataStore) { s.ID = "b" }, "account": func(s *meta.EventDataStore) { s.Account = "b" },
		"region": func(s *meta.EventDataStore) { s.Region = "b" },
	} {
		if _, err := db.UpdateStore(ctx, "a", func(s *meta.EventDataStore) error { f(s); return nil }); err == nil {
			t.Fatalf("the %s was changed", name)
		}
	}
	got, err := db.Store(ctx, "a")
	no(t, err)
	equal(t, got, a)
	b := a
	b.Name, b.Status, b.Kind, b.MultiRegion, b.Organization, b.RetentionDays, b.BillingMode = "n", "PENDING_DELETION", 2, false, true, 7, "FIXED"
	b.TerminationProtection, b.Selectors, b.Updated, b.DeleteAfter, b.StatusBefore, b.Internal = false, []byte("[]"), at(9), at(10), "ENABLED", true
	got, err = db.UpdateStore(ctx, "a", func(s *meta.EventDataStore) error {
		*s = b
		s.Updated = b.Updated.Add(999 * time.Microsecond).In(time.FixedZone("", 3600))
		return nil
	})
	no(t, err)
	equal(t, got, b) // to the millisecond, UTC
	got, err = db.Store(ctx, "a")
	no(t, err)
	equal(t, got, b)
}

func channels(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a := meta.Channel{Scope: here, ID: "a", Name: "wiz", Source: "Wiz", Destinations: []byte(`[]`), Created: at(0), Updated: at(0)}
	b := meta.Channel{Scope: there, ID: "b", Name: "wiz", Source: "Custom", Created: at(0), Updated: at(1)}
	no(t, db.CreateChannel(ctx, a))
	no(t, db.CreateChannel(ctx, b))
	c := a
	c.ID = "c"
	want(t, db.CreateChannel(ctx, c), meta.ErrExists)
	got, err := db.Channel(ctx, "b")
	no(t, err)
	equal(t, got, b)
	list, err := db.Channels(ctx, here, "", 0)
	no(t, err)
	equal(t, list, []meta.Channel{a})
	got, err = db.UpdateChannel(ctx, "a", func(c *meta.Channel) error { c.Name, c.Ingestion, c.Updated = "other", []byte("{}"), at(5); return nil })
	no(t, err)
	a.Name, a.Ingestion, a.Updated = "other", []byte("{}"), at(5)
	equal(t, got, a)
	no(t, db.SetTags(ctx, a.ARN(), map[string]string{"k": "v"}, 50))
	no(t, db.DeleteChannel(ctx, "a"))
	want(t, db.DeleteChannel(ctx, "a"), meta.ErrNotFound)
	_, err = db.Channel(ctx, "a")
	want(t, err, meta.ErrNotFound)
	_, err = db.UpdateChannel(ctx, "a", func(*meta.Channel) error { return nil })
	want(t, err, meta.ErrNotFound)
	left, err := db.Tags(ctx, []string{a.ARN()})
	no(t, err)
	equal(t, len(left), 0)
}

func imports(t *testing.T, db meta.DB) {
	ctx := t.Context()
	a := meta.Import{Scope: here, ID: "a", Stores: []string{"s1", "s2"}, Source: []byte(`{"Local":1}`), Status: "IN_PROGRESS",
		StartTime: time.UnixMilli(0).UTC(), EndTime: at(1), Created: at(2), Updated: at(3), Cursor: "c", PrefixesFound: 1, PrefixesDone: 2, Files: 3,
		FilesKnown: 4, Bytes: 1 << 50, Counts: meta.Counts{Read: 5, Stored: 6, Known: 7, Filtered: 8, Expired: 9, Bad: 10, Foreign: 11, Conflict: 12}, Failed: 13}
	b := meta.Import{Scope: here, ID: "b", Status: "COMPLETED", Created: at(4), Updated: at(4)}
	c := meta.Import{Scope: here, ID: "c", Status: "COMPLETED", Stores: []string{"s2"}, Created: at(1), Updated: at(1)}
	d := meta.Import{Scope: there, ID: "d", Created: at(1), Updated: at(1)}
	for _, i := range []meta.Import{a, b, c, d} {
		no(t, db.CreateImport(ctx, i))
		got, err := db.Import(ctx, i.ID)
		no(t, err)
		equal(t, got, i)
	}
	want(t, db.CreateImport(ctx, a), meta.ErrExists)
	for _, q := range []struct {
		store, status, after string
		limit                int
		want                 string
	}{
		{"", "", "", 0, "b a c"}, {"s2", "", "", 0, "a c"}, {"s1", "", "", 0, "a"}, {"", "COMPLETED", "", 0, "b c"}, {"s2", "COMPLETED", "", 0, "c"},
		{"", "", "b", 1, "a"}, {"", "", "b", 0, "a c"}, {"s", "", "", 0, ""}, {"", "", meta.Position(at(3), "zz"), 0, "a c"},
	} {
		got, err := db.Imports(ctx, here, q.store, q.status, q.after, q.limit)
		no(t, err)
		var ids []string
		for _, i := range got {
			ids = append(ids, i.ID)
		}
		equal(t, strings.Join(ids, " "), q.want)
	}
	got, err := db.UpdateImport(ctx, "a", func(i *meta.Import) error { i.Counts.Stored++; i.Stores = nil; return nil })
	no(t, err)
	a.Counts.Stored, a.Stores = 7, nil
	equal(t, got, a)
	_, err = db.UpdateImport(ctx, "x", func(*meta.Import) error { return nil })
	want(t, err, meta.ErrNotFound)
}

func failures(t *testing.T, db meta.DB) {
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		no(t, db.CreateImport(ctx, meta.Import{Scope: here, ID: id, Created: at(0), Updated: at(0)}))
	}
	no(t, db.AddFailures(ctx, nil))
	want(t, db.AddFailures(ctx, []meta.Failure{{ImportID: "x"}}), meta.ErrNotFound)
	var all []meta.Failure
	for i := range 10 {
		all = append(all, meta.Failure{ImportID: "a", Location: fmt.Sprint("s3://b/", i), Offset: int64(i - 1), Type: "T", Message: "m", Status: "FAILED", Updated: at(i)})
	}
	no(t, db.AddFailures(ctx, all[:4]))
	no(t, db.AddFailures(ctx, []meta.Failure{{ImportID: "b", Location: "other"}}))
	no(t, db.AddFailures(ctx, all[4:]))
	var seen []meta.Failure
	var after int64
	for {
		page, err := db.Failures(ctx, "a", after, 3)
		no(t, err)
		if len(page) == 0 {
			break
		}
		for i := range page {
			if page[i].Seq <= after {
				t.Fatalf("sequence %d after %d", page[i].Seq, after)
			}
			after = page[i].Seq
			page[i].Seq = 0
		}
		seen = append(seen, page...)
	}
	equal(t, seen, all)
}

func ledger(t *testing.T, db meta.DB) {
	ctx := t.Context()
	no(t, db.CreateImport(ctx, meta.Import{Scope: here, ID: "i", Created: at(0), Updated: at(0)}))
	count := func(i *meta.Import) error { i.Files++; return nil }
	no(t, db.RecordObjects(ctx, "live:x", []string{"f1", "f2"}, "i", count))
	no(t, db.RecordObjects(ctx, "live:x", []string{"f2", "f3"}, "i", count)) // f2 again: no error
	no(t, db.RecordObjects(ctx, "s", []string{"f4"}, "i", count))
	no(t, db.RecordObjects(ctx, "s", nil, "i", count))
	want(t, db.RecordObjects(ctx, "s", []string{"f5"}, "none", count), meta.ErrNotFound)
	refuse := errors.New("refused")
	want(t, db.RecordObjects(ctx, "s", []string{"f6"}, "i", func(i *meta.Import) error { i.Files = 99; return refuse }), refuse)
	for target, want := range map[string]map[string]bool{
		"live:x": {"f1": true, "f2": true, "f3": true}, "s": {"f4": true}, "never": {},
	} {
		got, err := db.ImportedObjects(ctx, target, []string{"f1", "f2", "f3", "f4", "f5", "f6", "f1"})
		no(t, err)
		for _, f := range []string{"f1", "f2", "f3", "f4", "f5", "f6"} {
			equal(t, got[f], want[f])
		}
	}
	got, err := db.ImportedObjects(ctx, "s", nil)
	no(t, err)
	equal(t, len(got), 0)
	i, err := db.Import(ctx, "i")
	no(t, err)
	equal(t, i.Files, 4)
}

func queries(t *testing.T, db meta.DB) {
	ctx := t.Context()
	q := meta.Query{Scope: here, ID: "a", Stores: []string{"s1"}, SQL: "SELECT 'é'", Alias: "al", Parameters: []string{"main", "it's"}, Status: "RUNNING", Error: "e", DeliveryURI: "s3://x", Delivery: "PENDING",
		Principal: "arn", Created: at(0), Ended: at(1), Execution: 1234567 * time.Nanosecond, Rows: 1, Scanned: 2, Matched: 3, BytesScanned: 4}
	no(t, db.CreateQuery(ctx, q))
	want(t, db.CreateQuery(ctx, q), meta.ErrExists)
	got, err := db.Query(ctx, "a")
	no(t, err)
	equal(t, got, q)
	for i, id := range []string{"b", "c", "d"} {
		no(t, db.CreateQuery(ctx, meta.Query{Scope: here, ID: id, Stores: []string{"s1", "s2"}, Status: "FINISHED", Created: at(i + 1)}))
	}
	no(t, db.CreateQuery(ctx, meta.Query{Scope: there, ID: "e", Created: at(5)}))
	for _, c := range []struct {
		store, status string
		from, to      time.Time
		after         string
		limit         int
		want          string
	}{
		{want: "d c b a"}, {store: "s2", want: "d c b"}, {status: "RUNNING", want: "a"}, {from: at(1), to: at(2), want: "c b"},
		{store: "s2", status: "FINISHED", from: at(2), after: "d", limit: 5, want: "c"}, {limit: 2, want: "d c"}, {after: "c", limit: 2, want: "b a"},
	} {
		list, err := db.Queries(ctx, here, c.store, c.status, c.from, c.to, c.after, c.limit)
		no(t, err)
		var ids []string
		for _, q := range list {
			ids = append(ids, q.ID)
		}
		equal(t, strings.Join(ids, " "), c.want)
	}
	got, err = db.LastQuery(ctx, here, "al")
	no(t, err)
	equal(t, got, q)
	_, err = db.LastQuery(ctx, there, "al")
	want(t, err, meta.ErrNotFound)
	_, err = db.LastQuery(ctx, here, "") // queries without a template have none in common
	want(t, err, meta.ErrNotFound)
	pending, err := db.PendingDeliveries(ctx, 10)
	no(t, err)
	equal(t, len(pending), 0) // it still runs
	for i, id := range []string{"d", "c"} {
		_, err = db.UpdateQuery(ctx, id, func(q *meta.Query) error { q.Delivery, q.Ended, q.Alias = "PENDING", at(9-i), "al"; return nil })
		no(t, err)
	}
	pending, err = db.PendingDeliveries(ctx, 10)
	no(t, err)
	equal(t, pending[0].ID+pending[1].ID, "cd")
	pending, err = db.PendingDeliveries(ctx, 1)
	no(t, err)
	equal(t, len(pending), 1)
	got, err = db.LastQuery(ctx, here, "al")
	no(t, err)
	equal(t, got.ID, "d")
	got, err = db.UpdateQuery(ctx, "a", func(q *meta.Query) error { q.Status = "CANCELLED"; q.Ended = time.Time{}; return nil })
	no(t, err)
	q.Status, q.Ended = "CANCELLED", time.Time{}
	equal(t, got, q)
	gone, err := db.ExpiredQueries(ctx, at(2))
	no(t, err)
	equal(t, len(gone), 2)
	equal(t, gone[0], q)
	_, err = db.Query(ctx, "a")
	want(t, err, meta.ErrNotFound)
	_, err = db.Query(ctx, "c") // created at that time, not before it
	no(t, err)
}

func tags(t *testing.T, db meta.DB) {
	ctx := t.Context()
	no(t, db.SetTags(ctx, "x", map[string]string{"a": "1", "b": ""}, 3))
	no(t, db.SetTags(ctx, "x", map[string]string{"a": "2", "c": "3"}, 3))
	want(t, db.SetTags(ctx, "x", map[string]string{"a": "9", "d": "4"}, 3), meta.ErrConflict)
	no(t, db.SetTags(ctx, "y", map[string]string{"a": "y"}, 1))
	got, err := db.Tags(ctx, []string{"x", "z"})
	no(t, err)
	equal(t, got, map[string]map[string]string{"x": {"a": "2", "b": "", "c": "3"}})
	no(t, db.RemoveTags(ctx, "x", []string{"a", "nothing"}))
	got, err = db.Tags(ctx, []string{"x", "y"})
	no(t, err)
	equal(t, got, map[string]map[string]string{"x": {"b": "", "c": "3"}, "y": {"a": "y"}})
	got, err = db.Tags(ctx, nil)
	no(t, err)
	equal(t, len(got), 0)
}

func tables(t *testing.T, db meta.DB) {
	ctx := t.Context()
	_, err := db.Table(ctx, "s")
	want(t, err, meta.ErrNotFound)
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "s", Location: "1"}))
	want(t, db.CreateTable(ctx, meta.Table{StoreID: "s", Location: "other"}), meta.ErrExists)
	no(t, db.SwapTable(ctx, "s", "1", "2", 10))
	want(t, db.SwapTable(ctx, "s", "1", "3", 11), meta.ErrConflict)
	want(t, db.SwapTable(ctx, "none", "1", "3", 11), meta.ErrNotFound)
	got, err := db.Table(ctx, "s")
	no(t, err)
	equal(t, got, meta.Table{StoreID: "s", Location: "2", Previous: "1", Applied: 10})
	no(t, db.SwapTable(ctx, "s", "2", "3", 5)) // Applied never falls
	no(t, db.SwapTable(ctx, "s", "3", "3", 12))
	got, err = db.Table(ctx, "s")
	no(t, err)
	equal(t, got, meta.Table{StoreID: "s", Location: "3", Previous: "2", Applied: 12})
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "r", Location: "1", Previous: "0", Applied: 3}))
	all, err := db.Tables(ctx)
	no(t, err)
	equal(t, all, []meta.Table{{StoreID: "r", Location: "1", Previous: "0", Applied: 3}, got})
}

// leaves: those of a change are entered with it or not at all, with serials that have no gap and outlive the store.
func leaves(t *testing.T, db meta.DB) {
	ctx := t.Context()
	l := func(texts ...string) (out [][]byte) {
		for _, s := range texts {
			out = append(out, []byte(s))
		}
		return out
	}
	is := func(id string, first int64, texts ...string) {
		t.Helper()
		got, err := db.Leaves(ctx, id, 100)
		no(t, err)
		var rows []meta.Leaf
		for i, s := range texts {
			rows = append(rows, meta.Leaf{Serial: first + int64(i), Data: []byte(s)})
		}
		equal(t, got, rows)
	}
	s := store("a", "first", here, at(0))
	no(t, db.CreateStore(ctx, s))
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "1"}, l("made")...))
	want(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "1"}, l("made again")...), meta.ErrExists)
	no(t, db.SwapTable(ctx, "a", "1", "2", 1, l("x", "y")...))
	want(t, db.SwapTable(ctx, "a", "1", "3", 2, l("lost")...), meta.ErrConflict)
	no(t, db.SwapTable(ctx, "a", "2", "2", 2))
	refuse := errors.New("no")
	_, err := db.UpdateStore(ctx, "a", func(*meta.EventDataStore) error { return refuse }, l("refused")...)
	want(t, err, refuse)
	_, err = db.UpdateStore(ctx, "a", func(s *meta.EventDataStore) error { s.RetentionDays = 9; return nil }, l("z")...)
	no(t, err)
	is("a", 0, "made", "x", "y", "z")
	got, err := db.Leaves(ctx, "a", 2)
	no(t, err)
	equal(t, len(got), 2)
	no(t, db.PublishedLeaves(ctx, "a", 3))
	is("a", 3, "z")
	pending, err := db.PendingLogs(ctx)
	no(t, err)
	equal(t, pending, []string{"a"})
	no(t, db.DeleteStore(ctx, "a", l("gone")...))
	is("a", 3, "z", "gone")
	no(t, db.PublishedLeaves(ctx, "a", 5))
	is("a", 5)
	pending, err = db.PendingLogs(ctx)
	no(t, err)
	equal(t, len(pending), 0)
	for id, n := range map[string]int64{"a": 5, "b": 0} {
		size, err := db.LogSize(ctx, id)
		no(t, err)
		equal(t, size, n)
	}
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "1"}, l("again")...))
	is("a", 5, "again")
}

func settings(t *testing.T, db meta.DB) {
	ctx := t.Context()
	_, err := db.Value(ctx, "k")
	want(t, err, meta.ErrNotFound)
	for _, v := range []string{"1", "", "2"} {
		no(t, db.SetValue(ctx, "k", v))
		got, err := db.Value(ctx, "k")
		no(t, err)
		equal(t, got, v)
	}
}

func paging(t *testing.T, db meta.DB) {
	ctx := t.Context()
	for i := range 7 { // several of one time: the ID decides
		id := fmt.Sprintf("%c", 'g'-i)
		no(t, db.CreateStore(ctx, store(id, id, here, at(i/3))))
	}
	var ids string
	after := ""
	for {
		page, err := db.Stores(ctx, here, after, 2)
		no(t, err)
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			ids += s.ID
			after = s.ID
		}
	}
	equal(t, ids, "efg"+"bcd"+"a")
	b, err := db.Store(ctx, "b")
	no(t, err)
	no(t, db.DeleteStore(ctx, "b"))
	_, err = db.Stores(ctx, here, "b", 2)
	want(t, err, meta.ErrNotFound)
	page, err := db.Stores(ctx, here, meta.Position(b.Created, b.ID), 2) // a position outlives its row
	no(t, err)
	equal(t, len(page), 2)
	equal(t, page[0].ID, "c")
	if _, err := db.Stores(ctx, here, "x:y", 2); err == nil {
		t.Fatal("a position that is none was taken")
	}
}

func concurrent(t *testing.T, db meta.DB) {
	ctx := t.Context()
	no(t, db.CreateImport(ctx, meta.Import{Scope: here, ID: "i", Created: at(0), Updated: at(0)}))
	const workers, rounds = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				if _, err := db.UpdateImport(ctx, "i", func(i *meta.Import) error { i.Files++; return nil }); err != nil {
					t.Error(err)
				}
				if _, err := db.Import(ctx, "i"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	i, err := db.Import(ctx, "i")
	no(t, err)
	equal(t, i.Files, workers*rounds)
}

func reopen(t *testing.T, open func(t *testing.T) meta.DB) {
	ctx := t.Context()
	db := open(t)
	a := store("a", "first", here, at(0))
	no(t, db.CreateStore(ctx, a))
	no(t, db.CreateTable(ctx, meta.Table{StoreID: "a", Location: "1", Applied: 7}))
	no(t, db.Close())
	if err := db.SetValue(ctx, "k", "v"); err == nil {
		t.Fatal("written after Close")
	}
	if _, err := db.Store(ctx, "a"); err == nil {
		t.Fatal("read after Close")
	}
	db = open(t)
	got, err := db.Store(ctx, "a")
	no(t, err)
	equal(t, got, a)
	table, err := db.Table(ctx, "a")
	no(t, err)
	equal(t, table.Applied, 7)
	no(t, db.Close())
}
