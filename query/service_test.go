package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

var scope = meta.Scope{Account: "111122223333", Region: "eu-west-1"}

const me = "arn:aws:iam::111122223333:root"

// bed is a service over a real lake, metadata and engine in a folder of the test's.
type bed struct {
	*Service
	dir     string
	db      meta.DB
	objects objstore.Store
	lake    *lake.Lake
	engine  *engine.DuckDB
	now     time.Time
}

// bedTime is when a bed is made, by its clock.
var bedTime = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func newBed(t testing.TB, change func(*Config)) *bed {
	t.Helper()
	b := &bed{dir: t.TempDir(), now: bedTime}
	var err error
	if b.db, err = meta.OpenSQLite(t.Context(), filepath.Join(b.dir, "meta.db")); err != nil {
		t.Fatal(err)
	}
	if b.objects, err = objstore.OpenLocal(filepath.Join(b.dir, "objects")); err != nil {
		t.Fatal(err)
	}
	if b.lake, err = lake.Open(t.Context(), lake.Config{Objects: b.objects, Meta: b.db}); err != nil {
		t.Fatal(err)
	}
	if b.engine, err = engine.NewDuckDB(engine.Config{TempDir: filepath.Join(b.dir, "engine")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), b.engine.Close(), b.db.Close()); err != nil {
			t.Error(err)
		}
	})
	b.reopen(t, change)
	return b
}

// reopen opens the service anew over the same folder, as a restart does.
func (b *bed) reopen(t testing.TB, change func(*Config)) {
	t.Helper()
	cfg := Config{DB: b.db, Planner: b.lake, Engine: b.engine, Dir: filepath.Join(b.dir, "results"), Now: func() time.Time { return b.now },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Service = s
}

// store makes a store with n events, one an hour backwards from now.
func (b *bed) store(t testing.TB, name string, n int) string {
	t.Helper()
	id := uuid.NewString()
	if err := b.db.CreateStore(t.Context(), meta.EventDataStore{Scope: scope, ID: id, Name: name, Kind: uint8(event.CloudTrail), Status: "ENABLED",
		RetentionDays: 90, Created: b.now, Updated: b.now}); err != nil {
		t.Fatal(err)
	}
	if err := b.lake.CreateTable(t.Context(), id, event.CloudTrail); err != nil {
		t.Fatal(err)
	}
	var rows []lake.Row
	for i := range n {
		text := fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"%s","eventID":"%s-%d","eventName":"Name%d","eventSource":"s3.amazonaws.com","userIdentity":{"arn":"arn:aws:iam::1:user/u%d"}}`,
			b.now.Add(-time.Duration(i)*time.Hour).Format(time.RFC3339), name, i, i%7, i%3)
		d := event.NewDecoder()
		r, err := d.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "w", Sequence: int64(i), Provenance: "test"}})
	}
	f, err := b.lake.Write(t.Context(), id, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.lake.Commit(t.Context(), id, f, 1); err != nil {
		t.Fatal(err)
	}
	return id
}

// wait gives a query once it has ended.
func (b *bed) wait(t testing.TB, id string) meta.Query {
	t.Helper()
	b.mu.Lock()
	j := b.active[id]
	b.mu.Unlock()
	if j != nil {
		<-j.done
	}
	q, err := b.Describe(context.Background(), scope, id, "")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func (b *bed) start(t testing.TB, sql string) string {
	t.Helper()
	q, err := b.Start(t.Context(), scope, me, Request{SQL: sql})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return q.ID
}

// rows reads all of a query's answer, in pages of n.
func (b *bed) rows(t testing.TB, id string, n int) []string {
	t.Helper()
	var out []string
	for at := int64(0); at >= 0; {
		var err error
		_, at, err = b.Results(t.Context(), scope, id, "", at, n, func(names []string, texts [][]byte) {
			line := ""
			for i, x := range texts {
				line += names[i] + "=" + string(x) + ";"
				if x == nil {
					line += "NULL"
				}
			}
			out = append(out, line)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestQuery(t *testing.T) {
	b := newBed(t, nil)
	store := b.store(t, "mine", 50)
	for _, name := range []string{store, `"` + store + `"`, "mine", `"arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/` + store + `"`} {
		id := b.start(t, "SELECT eventID, eventTime, errorCode FROM "+name+" WHERE eventName = 'Name3' ORDER BY eventTime DESC LIMIT 2")
		q := b.wait(t, id)
		if q.Status != Finished || q.Error != "" || q.Rows != 2 || q.Scanned != 50 || q.Matched < 2 || q.BytesScanned == 0 || q.Execution <= 0 || !slices.Equal(q.Stores, []string{store}) {
			t.Errorf("%+v", q)
		}
		want := []string{"eventID=mine-3;eventTime=2026-11-22 07:00:00.000;errorCode=;NULL", "eventID=mine-10;eventTime=2026-11-22 00:00:00.000;errorCode=;NULL"}
		if got := b.rows(t, id, 1); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	id := b.start(t, "SELECT count(*) FROM mine WHERE eventName = 'Name3'")
	if q := b.wait(t, id); q.Status != Finished || q.Scanned != 50 || q.Matched != 7 {
		t.Errorf("%+v", q)
	}
	list, err := b.List(t.Context(), scope, store, Finished, time.Time{}, time.Time{}, "", 0)
	if err != nil || len(list) != 5 {
		t.Error(list, err)
	}
	// What is not the caller's is not there.
	other := meta.Scope{Account: scope.Account, Region: "us-east-1"}
	if _, err := b.Describe(t.Context(), other, list[0].ID, ""); !awserr.Is(err, "QueryIdNotFoundException") {
		t.Error(err)
	}
	if _, err := b.Describe(t.Context(), scope, list[0].ID, uuid.NewString()); !awserr.Is(err, "QueryIdNotFoundException") {
		t.Error(err)
	}
	if _, err := b.Cancel(t.Context(), scope, list[0].ID, store); !awserr.Is(err, "InactiveQueryException") {
		t.Error(err)
	}
}

func TestStartRefuses(t *testing.T) {
	b := newBed(t, nil)
	store := b.store(t, "mine", 1)
	gone := b.store(t, "gone", 1)
	if _, err := b.db.UpdateStore(t.Context(), gone, func(s *meta.EventDataStore) error { s.Status = "PENDING_DELETION"; return nil }); err != nil {
		t.Fatal(err)
	}
	hidden := b.store(t, "hidden", 1)
	if _, err := b.db.UpdateStore(t.Context(), hidden, func(s *meta.EventDataStore) error { s.Internal = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ sql, code, text string }{
		{"SELECT eventName FROM " + uuid.NewString(), "EventDataStoreNotFoundException", "line 1:23: "},
		{"SELECT eventName FROM nosuchstore", "EventDataStoreNotFoundException", "nosuchstore"},
		{"SELECT eventName FROM " + hidden, "EventDataStoreNotFoundException", ""},
		{"SELECT eventName FROM \"arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/" + store + `"`, "EventDataStoreNotFoundException", ""},
		{"SELECT eventName FROM \"arn:aws:cloudtrail:eu-west-1:999999999999:eventdatastore/" + store + `"`, "EventDataStoreNotFoundException", ""},
		{"SELECT eventName FROM \"arn:aws:s3:::bucket\"", "EventDataStoreARNInvalidException", ""},
		{"SELECT eventName FROM " + gone, "InactiveEventDataStoreException", ""},
		{"SELECT eventName FROM gone", "InactiveEventDataStoreException", ""},
		{"DROP TABLE x", "InvalidQueryStatementException", "line 1:1: "},
		{"SELECT evntname FROM " + store, "InvalidQueryStatementException", "line 1:8: "},
		{"SELECT '" + strings.Repeat("x", maxStatement) + "' FROM " + store, "InvalidQueryStatementException", "characters"},
	} {
		_, err := b.Start(t.Context(), scope, me, Request{SQL: tt.sql})
		if !awserr.Is(err, tt.code) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%.80s: got %v, want %s %s", tt.sql, err, tt.code, tt.text)
		}
	}
}

func TestRetentionHidesOldEvents(t *testing.T) {
	b := newBed(t, nil)
	store := b.store(t, "mine", 24*10)
	if _, err := b.db.UpdateStore(t.Context(), store, func(s *meta.EventDataStore) error { s.RetentionDays = 7; return nil }); err != nil {
		t.Fatal(err)
	}
	id := b.start(t, "SELECT count(*), min(eventTime) FROM "+store)
	if q := b.wait(t, id); q.Status != Finished {
		t.Fatalf("%+v", q)
	}
	if got := b.rows(t, id, 10); !strings.Contains(got[0], "=179;") || !strings.Contains(got[0], "=2026-11-15 00:00:00.000;") {
		t.Error(got) // 7 days of 24 hours back to midnight, and 10 hours and now of today
	}
}

// A clock that jumped ahead makes no event old: what is not removed is answered, and the answer is kept.
func TestClockAheadHidesNothing(t *testing.T) {
	believed := bedTime
	b := newBed(t, func(c *Config) { c.Believed = func() time.Time { return believed } })
	store := b.store(t, "mine", 24*10)
	b.now = b.now.AddDate(10, 0, 0)
	id := b.start(t, "SELECT count(*) FROM "+store)
	if q := b.wait(t, id); q.Status != Finished {
		t.Fatalf("%+v", q)
	}
	if err := b.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(t, id, 10); !strings.Contains(got[0], "=240;") {
		t.Error(got)
	}
	b.now = believed.Add(-time.Hour) // set right; the query is known on
	if list, err := b.List(t.Context(), scope, store, "", time.Time{}, time.Time{}, "", 10); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}

const endless = "SELECT count(*) FROM mine a, mine b, mine c, mine d, mine e, mine f WHERE a.eventID || b.eventID || c.eventID || d.eventID || e.eventID || f.eventID = 'x'"

func TestQuotaCancelAndTurns(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Running, c.PerScope = 1, 3 })
	b.store(t, "mine", 100)
	running, first, second := b.start(t, endless), b.start(t, "SELECT 1"), b.start(t, "SELECT 2")
	if _, err := b.Start(t.Context(), scope, me, Request{SQL: "SELECT 3"}); !awserr.Is(err, "MaxConcurrentQueriesException") {
		t.Error(err)
	}
	elsewhere := meta.Scope{Account: "999999999999", Region: scope.Region}
	other, err := b.Start(t.Context(), elsewhere, "arn:aws:iam::999999999999:root", Request{SQL: "SELECT 4"})
	if err != nil {
		t.Fatal(err)
	}
	if q, err := b.Cancel(t.Context(), scope, second, ""); err != nil || q.Status != Cancelled {
		t.Error(q, err)
	}
	if q, err := b.Cancel(t.Context(), scope, running, ""); err != nil || q.Status != Cancelled { // left alone it would run for hours
		t.Error(q, err)
	}
	if q := b.wait(t, first); q.Status != Finished {
		t.Errorf("%+v", q)
	}
	b.Wait(t.Context(), other.ID, time.Hour)
	if q, err := b.Describe(t.Context(), elsewhere, other.ID, ""); err != nil || q.Status != Finished {
		t.Errorf("%+v %v", q, err)
	}
	entries, err := os.ReadDir(b.cfg.Dir)
	if err != nil || len(entries) != 2 {
		t.Error(entries, err)
	}
}

func TestTimeOut(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Limits.Time = 100 * time.Millisecond })
	b.store(t, "mine", 100)
	if q := b.wait(t, b.start(t, endless)); q.Status != TimedOut || q.Error == "" {
		t.Errorf("%+v", q)
	}
}

func TestFailureIsTold(t *testing.T) {
	b := newBed(t, nil)
	b.store(t, "mine", 3)
	q := b.wait(t, b.start(t, "SELECT CAST(eventName AS integer) FROM mine"))
	if q.Status != Failed || !strings.Contains(q.Error, "Name") || strings.Contains(q.Error, b.dir) {
		t.Errorf("%+v", q)
	}
	if n, err := os.ReadDir(b.cfg.Dir); err != nil || len(n) != 0 {
		t.Error(n, err)
	}
	if n := b.room.used.Load(); n != 0 {
		t.Errorf("%d bytes are still entered", n)
	}
}

func TestRestart(t *testing.T) {
	one := func(c *Config) { c.Running = 1 }
	b := newBed(t, one)
	b.store(t, "mine", 100)
	done := b.start(t, "SELECT eventID FROM mine ORDER BY eventTime DESC LIMIT 3")
	b.wait(t, done)
	running, waiting := b.start(t, endless), b.start(t, "SELECT 2 AS two")
	if err := b.Service.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(t.Context(), scope, me, Request{SQL: "SELECT 1"}); err == nil {
		t.Error("a closed service started a query")
	}
	for _, id := range []string{running, waiting} {
		if q, err := b.Describe(t.Context(), scope, id, ""); err != nil || q.Status != Queued {
			t.Errorf("%+v %v", q, err)
		}
	}
	// As after a crash: one runs, and its half-written results lie there, with those of a query that is forgotten.
	if _, err := b.db.UpdateQuery(t.Context(), running, func(q *meta.Query) error { q.Status = Running; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{running + resultSuffix + partial, uuid.NewString() + resultSuffix} {
		if err := os.WriteFile(filepath.Join(b.cfg.Dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.reopen(t, one)
	if q := b.wait(t, running); q.Status != Failed || !strings.Contains(q.Error, "stopped") {
		t.Errorf("%+v", q)
	}
	if q := b.wait(t, waiting); q.Status != Finished {
		t.Errorf("%+v", q)
	}
	if got := b.rows(t, done, 1000); len(got) != 3 || got[0] != "eventID=mine-0;" {
		t.Error(got)
	}
	if got := b.rows(t, waiting, 1000); len(got) != 1 || got[0] != "two=2;" {
		t.Error(got)
	}
	if n, err := os.ReadDir(b.cfg.Dir); err != nil || len(n) != 2 {
		t.Error(n, err)
	}
}

func TestResultsExpire(t *testing.T) {
	b := newBed(t, nil)
	id := b.start(t, "SELECT 1")
	b.wait(t, id)
	if err := b.Service.Close(); err != nil { // which looks for old results by itself
		t.Fatal(err)
	}
	b.now = b.now.Add(7*24*time.Hour - time.Minute)
	if err := b.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(t, id, 1); len(got) != 1 {
		t.Error(got)
	}
	b.now = b.now.Add(2 * time.Minute)
	if err := b.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Describe(t.Context(), scope, id, ""); !awserr.Is(err, "QueryIdNotFoundException") {
		t.Error(err)
	}
	if n, err := os.ReadDir(b.cfg.Dir); err != nil || len(n) != 0 || b.room.used.Load() != 0 {
		t.Error(n, err)
	}
}

// A statement that names a store twice sees one state of it, though events are committed meanwhile.
func TestOneSnapshot(t *testing.T) {
	b := newBed(t, nil)
	b.store(t, "mine", 5)
	b.cfg.Planner = &committing{b.lake, func() { b.addOne(t) }}
	id := b.start(t, "SELECT (SELECT count(*) FROM mine) - (SELECT count(*) FROM mine) AS d, (SELECT count(*) FROM mine WHERE eventName = 'none') AS n")
	if q := b.wait(t, id); q.Status != Finished {
		t.Fatalf("%+v", q)
	}
	if got := b.rows(t, id, 1); got[0] != "d=0;n=0;" {
		t.Error(got)
	}
}

// committing commits an event after each plan.
type committing struct {
	*lake.Lake
	commit func()
}

func (c *committing) Plan(ctx context.Context, storeID string, preds []lake.Predicate) (*lake.Plan, error) {
	p, err := c.Lake.Plan(ctx, storeID, preds)
	c.commit()
	return p, err
}

func (b *bed) addOne(t *testing.T) {
	stores, err := b.db.Stores(context.Background(), scope, "", 0)
	if err != nil {
		t.Error(err)
		return
	}
	r, err := event.NewDecoder().Decode([]byte(`{"eventVersion":"1.08","eventTime":"2026-11-22T09:00:00Z","eventID":"` + uuid.NewString() + `"}`))
	if err != nil {
		t.Error(err)
		return
	}
	f, err := b.lake.Write(context.Background(), stores[0].ID, []lake.Row{{Event: &r}})
	if err == nil {
		err = b.lake.Commit(context.Background(), stores[0].ID, f, 2)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestQueueTakesTurns(t *testing.T) {
	q := newQueue()
	add := func(who, id string) *job {
		j := &job{q: meta.Query{ID: id, Principal: who}}
		q.push(j)
		return j
	}
	add("a", "a1")
	add("a", "a2")
	gone := add("a", "a3")
	add("b", "b1")
	only := add("c", "c1")
	add("b", "b2")
	add("a", "a4")
	if !q.remove(gone) || !q.remove(only) || q.remove(only) {
		t.Error("removal")
	}
	got := ""
	for j := q.pop(); j != nil; j = q.pop() {
		got += j.q.ID + " "
	}
	if got != "a1 b1 a2 b2 a4 " || q.n != 0 {
		t.Error(got, q.n)
	}
}

// A machine that stops may lose what was not on disk yet: such a query has failed, and says so, and the others have their results.
func TestResultsLostWithTheMachine(t *testing.T) {
	b := newBed(t, nil)
	store := b.store(t, "s", 5)
	var ids []string
	for range 4 {
		id := b.start(t, "SELECT eventid FROM "+store)
		if q := b.wait(t, id); q.Status != Finished {
			t.Fatal(q.Status, q.Error)
		}
		ids = append(ids, id)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	size := func(id string) int64 {
		info, err := os.Stat(b.resultPath(id))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if err := errors.Join(os.Remove(b.resultPath(ids[0])), os.Truncate(b.resultPath(ids[1]), size(ids[1])-9), os.Truncate(b.resultPath(ids[2]), 0)); err != nil {
		t.Fatal(err)
	}
	b.reopen(t, nil)
	for i, id := range ids {
		q, err := b.Describe(t.Context(), scope, id, "")
		if err != nil {
			t.Fatal(err)
		}
		if i < 3 && (q.Status != Failed || q.Error != lostResults) || i == 3 && q.Status != Finished {
			t.Errorf("query %d is %s: %s", i, q.Status, q.Error)
		}
	}
	if rows := b.rows(t, ids[3], 10); len(rows) != 5 {
		t.Errorf("%d rows", len(rows))
	}
	if used := b.room.used.Load(); used != size(ids[3]) {
		t.Errorf("results take %d bytes, not %d", used, size(ids[3]))
	}
}

// What queries over a store answered is forgotten: of those that have ended at once, of one that runs when it ends; others keep theirs.
func TestForgottenResults(t *testing.T) {
	b := newBed(t, nil)
	first := b.store(t, "first", 5)
	b.store(t, "second", 5)
	start := func(sql string) string {
		t.Helper()
		q, err := b.Start(t.Context(), scope, me, Request{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		return q.ID
	}
	run := func(sql string) string {
		t.Helper()
		id := start(sql)
		b.wait(t, id)
		return id
	}
	of, other := run("SELECT eventName FROM first"), run("SELECT eventName FROM second")
	failed := run("SELECT cast(eventName AS bigint) FROM first")
	if q, err := b.Describe(t.Context(), scope, failed, ""); err != nil || q.Status != Failed || !strings.Contains(q.Error, "Name") {
		t.Fatalf("%+v, %v", q, err)
	}
	ids, err := b.Forget(t.Context(), first)
	if err != nil || len(ids) != 0 {
		t.Fatal(ids, err)
	}
	for id, want := range map[string]string{of: Failed, failed: Failed, other: Finished} {
		q, err := b.Describe(t.Context(), scope, id, "")
		if err != nil || q.Status != want || (want == Failed) != (q.Error == erasedResults) {
			t.Errorf("%+v, %v", q, err)
		}
		if _, err := os.Stat(b.resultPath(id)); (err == nil) != (want == Finished) {
			t.Errorf("results of a query that is %s: %v", want, err)
		}
	}
	again := run("SELECT eventName FROM first")
	if err := b.ForgetEnded(t.Context(), again); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.resultPath(again)); !errors.Is(err, os.ErrNotExist) {
		t.Error("left:", err)
	}
	if err := b.ForgetEnded(t.Context(), uuid.NewString()); err != nil {
		t.Error("of a query that is forgotten:", err)
	}
}
