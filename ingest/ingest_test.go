package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

var (
	quiet   = slog.New(slog.DiscardHandler)
	loud    = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})) // where no error is meant to be
	home    = meta.Scope{Account: "111111111111", Region: "us-east-1"}
	base    = time.Now().UTC().Truncate(24 * time.Hour)
	forever = 365 * 300
)

// storeList is Stores as a registry has them.
type storeList struct {
	mu      sync.Mutex
	targets map[string]Target
}

func (s *storeList) Live(_ context.Context, sc meta.Scope) ([]Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []Target
	for _, t := range s.targets {
		live = append(live, t)
	}
	return live, nil
}

func (s *storeList) Target(_ context.Context, id string) (Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.targets[id]
	if !ok {
		return t, meta.ErrNotFound
	}
	return t, nil
}

// server is a whole ingest over real metadata, a real object store and a real lake in a folder.
type server struct {
	*Ingest
	db     meta.DB
	lake   *lake.Lake
	stores *storeList
	dir    string
	once   sync.Once
}

func storeID(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint("store", n))).String()
}

func start(t testing.TB, dir string, targets []Target, change func(*Config)) *server {
	t.Helper()
	s, err := tryStart(context.Background(), dir, targets, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func tryStart(ctx context.Context, dir string, targets []Target, change func(*Config)) (*server, error) {
	return tryStartOver(ctx, dir, targets, change, func(db meta.DB, objects objstore.Store) (meta.DB, objstore.Store) { return db, objects })
}

// tryStartOver lets a test put something before the lake's metadata and objects.
func tryStartOver(ctx context.Context, dir string, targets []Target, change func(*Config), before func(meta.DB, objstore.Store) (meta.DB, objstore.Store)) (*server, error) {
	s := &server{dir: dir, stores: &storeList{targets: map[string]Target{}}}
	var err error
	if s.db, err = meta.OpenSQLite(ctx, filepath.Join(dir, "meta.db")); err != nil {
		return nil, err
	}
	objects, err := objstore.OpenLocal(filepath.Join(dir, "objects"))
	if err != nil {
		return nil, err
	}
	db, store := before(s.db, objects)
	if s.lake, err = lake.Open(ctx, lake.Config{Objects: store, Meta: db, Logger: quiet}); err != nil {
		return nil, err
	}
	for _, t := range targets {
		s.stores.targets[t.StoreID] = t
		if _, err := s.db.Table(ctx, t.StoreID); errors.Is(err, meta.ErrNotFound) {
			err = s.db.CreateStore(ctx, meta.EventDataStore{Scope: t.Scope, ID: t.StoreID, Name: t.StoreID, Kind: uint8(t.Kind), Created: base, Updated: base})
			if err != nil && !errors.Is(err, meta.ErrExists) {
				return nil, err
			}
			if err := s.lake.CreateTable(ctx, t.StoreID, t.Kind); err != nil {
				return nil, err
			}
		}
	}
	cfg := Config{Dir: dir, Stores: s.stores, Tables: s.lake, Meta: s.db, Logger: loud, Backoff: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	s.Ingest, err = Open(ctx, cfg)
	return s, err
}

func (s *server) stop(t testing.TB) {
	t.Helper()
	s.once.Do(func() {
		if err := errors.Join(s.Close(context.Background()), s.lake.Close(), s.db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// rows gives how often each identity and text stands in a store's table.
func (s *server) rows(t testing.TB, store string) map[string]int {
	t.Helper()
	n := map[string]int{}
	err := s.lake.Identities(context.Background(), store, -1, func(r *lake.Stored) error {
		n[fmt.Sprintf("%s %x", r.EventID, r.Hash[:4])]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func everything(n int) Target {
	return Target{Scope: home, StoreID: storeID(n), Kind: event.CloudTrail, RetentionDays: forever}
}

type ev struct {
	id, account, region, name string
	at                        time.Time
	extra                     string
}

func (e ev) text() string {
	if e.account == "" {
		e.account = home.Account
	}
	if e.region == "" {
		e.region = home.Region
	}
	if e.at.IsZero() {
		e.at = base
	}
	return fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"Root","accountId":%q},"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":%q,"awsRegion":%q,"requestID":"r","eventID":%q,"eventCategory":"Management","managementEvent":true,"recipientAccountId":%q,"additionalEventData":{"x":%q}}`,
		e.account, e.at.Format(time.RFC3339), "Do"+e.name, e.region, e.id, e.account, e.extra)
}

func records(t testing.TB, events ...ev) []event.Record {
	t.Helper()
	d := event.NewDecoder()
	var out []event.Record
	for _, e := range events {
		r, err := d.Decode([]byte(e.text()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// logFile makes a gzip log file of events and the delivery that an import makes of it.
func logFile(t testing.TB, stores []string, events ...ev) Delivery {
	t.Helper()
	d, err := fileOf(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	d.Stores = stores
	return d
}

func fileOf(ctx context.Context, events []ev) (Delivery, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, `{"Records":[`)
	for i, e := range events {
		if i > 0 {
			fmt.Fprint(z, ",")
		}
		fmt.Fprint(z, e.text())
	}
	fmt.Fprint(z, `]}`)
	if err := z.Close(); err != nil {
		return Delivery{}, err
	}
	rs, err := Decode(ctx, "gzip", b.Bytes())
	return Delivery{Payload: b.Bytes(), Encoding: "gzip", Provenance: "test", Records: rs, Read: int64(len(rs)), Scope: home}, err
}

func accept(t testing.TB, in *Ingest, d Delivery) meta.Counts {
	t.Helper()
	ticket, err := in.Accept(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ticket.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Read != c.Stored+c.Known+c.Filtered+c.Expired+c.Bad {
		t.Errorf("counts do not add up: %+v", c)
	}
	return c
}

func flush(t testing.TB, in *Ingest) {
	t.Helper()
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func ids(prefix string, n int) []ev {
	events := make([]ev, n)
	for i := range events {
		events[i] = ev{id: fmt.Sprint(prefix, i), name: fmt.Sprint(i % 7), at: base.Add(-time.Duration(i%40) * time.Hour)}
	}
	return events
}

func TestStoredOnce(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1)}, nil)
	stores := []string{storeID(1)}
	d := logFile(t, stores, ids("a", 100)...)
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 100, Stored: 100}) {
		t.Errorf("first: %+v", c)
	}
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 100, Known: 100}) {
		t.Errorf("again: %+v", c)
	}
	flush(t, s.Ingest)
	forged := ids("a", 1)
	forged[0].extra = "forged"
	mixed := append(append(forged, forged...), ids("b", 2)...)
	d = Delivery{Records: records(t, mixed...), Read: 6, Stores: stores} // two were bad
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 6, Stored: 3, Conflict: 1, Known: 1, Bad: 2}) {
		t.Errorf("mixed: %+v", c)
	}
	s.stop(t)

	s = start(t, dir, []Target{everything(1)}, nil)
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 6, Known: 4, Bad: 2}) {
		t.Errorf("after a restart: %+v", c)
	}
	rows := s.rows(t, storeID(1))
	for k, n := range rows {
		if n != 1 {
			t.Errorf("%s stored %d times", k, n)
		}
	}
	if len(rows) != 103 {
		t.Errorf("%d rows", len(rows))
	}
}

type nameIs string

func (n nameIs) Match(r *event.Record) bool {
	v, _, ok := r.Value(event.Schema(event.CloudTrail).Must("eventname"))
	return ok && string(v) == string(n)
}

func TestRouting(t *testing.T) {
	other := meta.Scope{Account: "222222222222", Region: home.Region}
	events := []ev{
		{id: "1", name: "A"},
		{id: "2", name: "A", region: "eu-west-1"},
		{id: "3", name: "A", account: other.Account},
		{id: "4", name: "B"},
		{id: "5", name: "A", at: base.AddDate(0, 0, -100)},
	}
	for name, c := range map[string]struct {
		change func(*Target)
		live   bool
		want   meta.Counts
	}{
		"live":           {func(*Target) {}, true, meta.Counts{Stored: 3, Filtered: 2}},
		"multi-region":   {func(t *Target) { t.MultiRegion = true }, true, meta.Counts{Stored: 4, Filtered: 1}},
		"organization":   {func(t *Target) { t.Organization = true }, true, meta.Counts{Stored: 4, Filtered: 1}},
		"selectors":      {func(t *Target) { t.Selectors = nameIs("DoA") }, true, meta.Counts{Stored: 2, Filtered: 3}},
		"retention":      {func(t *Target) { t.RetentionDays = 99 }, true, meta.Counts{Stored: 2, Filtered: 2, Expired: 1}},
		"to the day":     {func(t *Target) { t.RetentionDays = 100 }, true, meta.Counts{Stored: 3, Filtered: 2}},
		"other kind":     {func(t *Target) { t.Kind = event.Activity }, true, meta.Counts{Filtered: 5}},
		"import":         {func(*Target) {}, false, meta.Counts{Stored: 5, Foreign: 2}},
		"import, select": {func(t *Target) { t.Selectors = nameIs("DoA"); t.RetentionDays = 99 }, false, meta.Counts{Stored: 3, Filtered: 1, Expired: 1, Foreign: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			target := everything(1)
			c.change(&target)
			s := start(t, t.TempDir(), []Target{target}, func(cfg *Config) { cfg.Now = func() time.Time { return base.Add(time.Hour) } }) // of base's day, also when that ends meanwhile
			d := Delivery{Records: records(t, events...), Read: 5, Live: c.live, Scope: home}
			if !c.live {
				d.Stores = []string{target.StoreID}
			}
			c.want.Read = 5
			if got := accept(t, s.Ingest, d); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestFanOut(t *testing.T) {
	second := everything(2)
	second.Selectors = nameIs("DoA")
	third := everything(3)
	third.MultiRegion, third.Organization = true, true
	s := start(t, t.TempDir(), []Target{everything(1), second, third}, nil)
	d := Delivery{Live: true, Scope: home, Read: 4, Records: records(t, ev{id: "1", name: "A"}, ev{id: "2", name: "B"},
		ev{id: "3", name: "A", region: "eu-west-1"}, ev{id: "4", name: "A", account: "222222222222"})}
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 4, Stored: 4}) {
		t.Errorf("%+v", c)
	}
	if c := accept(t, s.Ingest, d); c != (meta.Counts{Read: 4, Known: 4}) {
		t.Errorf("again: %+v", c)
	}
	flush(t, s.Ingest)
	for n, want := range []int{0, 2, 1, 4} {
		if n > 0 && len(s.rows(t, storeID(n))) != want {
			t.Errorf("store %d has %v, want %d", n, s.rows(t, storeID(n)), want)
		}
	}
}

func TestUnknownStore(t *testing.T) {
	s := start(t, t.TempDir(), nil, nil)
	if _, err := s.Accept(t.Context(), Delivery{Records: records(t, ids("a", 1)...), Read: 1, Stores: []string{"none"}}); !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestSmallMemory: with room for a few events only, everything still goes through, in chunks smaller than a record.
func TestSmallMemory(t *testing.T) {
	targets := []Target{everything(1), everything(2)}
	s := start(t, t.TempDir(), targets, func(c *Config) { c.Memory, c.ChunkRows, c.IndexKeys = 50_000, 13, 50 })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2 {
				d := Delivery{Live: true, Scope: home, Read: 40, Records: records(t, ids(fmt.Sprintf("%d-%d-", g/2, i), 40)...)}
				if _, err := s.Accept(context.Background(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	flush(t, s.Ingest)
	for n := 1; n <= 2; n++ {
		rows := s.rows(t, storeID(n))
		if len(rows) != 160 {
			t.Errorf("store %d: %d rows", n, len(rows))
		}
		for k, n := range rows {
			if n != 1 {
				t.Errorf("%s stored %d times", k, n)
			}
		}
	}
	if err := s.Room(t.Context(), 1<<40); err != nil {
		t.Errorf("no room for what would have all of it: %v", err)
	}
	if !s.room.TryAcquire(50_000) {
		t.Error("room was not given back")
	}
}

// failing makes the lake fail now and then, before or after it did its work.
type failing struct {
	*lake.Lake
	mu    sync.Mutex
	rand  *rand.Rand
	share float64
}

var errFlaky = errors.New("flaky")

func (f *failing) fail() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rand.Float64() < f.share
}

func (f *failing) Write(ctx context.Context, id string, rows []lake.Row) (lake.Files, error) {
	if f.fail() {
		return lake.Files{}, errFlaky
	}
	files, err := f.Lake.Write(ctx, id, rows)
	if f.fail() {
		return lake.Files{}, errFlaky
	}
	return files, err
}

func (f *failing) Commit(ctx context.Context, id string, files lake.Files, applied int64) error {
	if f.fail() {
		return errFlaky
	}
	err := f.Lake.Commit(ctx, id, files, applied)
	if f.fail() {
		return errFlaky // done, but the answer was lost
	}
	return err
}

func TestFailingTables(t *testing.T) {
	s := start(t, t.TempDir(), []Target{everything(1)}, func(c *Config) {
		c.Tables = &failing{Lake: c.Tables.(*lake.Lake), rand: rand.New(rand.NewPCG(1, 2)), share: 0.3}
		c.ChunkRows, c.Logger = 10, quiet
	})
	for i := range 10 {
		accept(t, s.Ingest, Delivery{Stores: []string{storeID(1)}, Read: 25, Records: records(t, ids(fmt.Sprint(i%8, "-"), 25)...)})
	}
	flush(t, s.Ingest)
	rows := s.rows(t, storeID(1))
	if len(rows) != 200 {
		t.Errorf("%d rows", len(rows))
	}
	for k, n := range rows {
		if n != 1 {
			t.Errorf("%s stored %d times", k, n)
		}
	}
}

// stuck makes commits wait until let go.
type stuck struct {
	*lake.Lake
	gate chan struct{}
}

func (f *stuck) Commit(ctx context.Context, id string, files lake.Files, applied int64) error {
	select {
	case <-f.gate:
		return f.Lake.Commit(ctx, id, files, applied)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestBackPressure: while the tables take nothing, memory and log stay within bounds and deliveries are refused, not dropped.
func TestBackPressure(t *testing.T) {
	gate := make(chan struct{})
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1)}, func(c *Config) {
		c.Tables, c.LogBytes, c.ChunkRows = &stuck{c.Tables.(*lake.Lake), gate}, 60_000, 20
	})
	<-s.replayed // until then all that does not wait is refused
	accepted := 0
	var err error
	for i := 0; i < 10_000; i++ {
		d := Delivery{Stores: []string{storeID(1)}, Read: 20, Records: records(t, ids(fmt.Sprint(i, "-"), 20)...), NoWait: true}
		if _, err = s.Accept(t.Context(), d); err != nil {
			break
		}
		accepted++
	}
	if !errors.Is(err, ErrBusy) || accepted == 0 {
		t.Fatalf("after %d: %v", accepted, err)
	}
	left := s.cfg.Memory - s.held.Load()
	if err := s.Room(t.Context(), left); err != nil {
		t.Errorf("%d bytes are left: %v", left, err)
	}
	if err := s.Room(t.Context(), left+1); !errors.Is(err, ErrBusy) {
		t.Errorf("%d bytes are left, and for more: %v", left, err)
	}
	waiting := make(chan error)
	go func() {
		_, err := s.Accept(context.Background(), Delivery{Stores: []string{storeID(1)}, Read: 20, Records: records(t, ids("last-", 20)...)})
		waiting <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Accept(ctx, Delivery{Stores: []string{storeID(1)}, Read: 20, Records: records(t, ids("never-", 20)...)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(gate)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(1))); n != 20*accepted+20 {
		t.Errorf("%d rows of %d accepted", n, 20*accepted+20)
	}
}

// TestImportsLeaveRoom: while imports fill the room that they may have and wait for more, a call that does not wait is served.
func TestImportsLeaveRoom(t *testing.T) {
	gate := make(chan struct{})
	s := start(t, t.TempDir(), []Target{everything(1)}, func(c *Config) {
		c.Tables, c.Memory, c.ChunkRows = &stuckWrites{c.Tables.(*lake.Lake), gate}, 400_000, 10
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			_, err := s.Accept(ctx, Delivery{Stores: []string{storeID(1)}, Read: 30, Records: records(t, ids(fmt.Sprint("i", i, "-"), 30)...)})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for s.waiting.Load() == 0 {
		runtime.Gosched()
	}
	if _, err := s.Accept(t.Context(), Delivery{Stores: []string{storeID(1)}, Read: 5, Records: records(t, ids("call-", 5)...), NoWait: true}); err != nil {
		t.Error(err)
	}
	cancel()
	wg.Wait()
	close(gate)
	flush(t, s.Ingest)
}

// stuckWrites makes writes wait until let go.
type stuckWrites struct {
	*lake.Lake
	gate chan struct{}
}

func (f *stuckWrites) Write(ctx context.Context, id string, rows []lake.Row) (lake.Files, error) {
	select {
	case <-f.gate:
		return f.Lake.Write(ctx, id, rows)
	case <-ctx.Done():
		return lake.Files{}, ctx.Err()
	}
}

// TestDeletedStore: events of a store that is deleted are dropped, and hold up nothing.
func TestDeletedStore(t *testing.T) {
	gate := make(chan struct{})
	s := start(t, t.TempDir(), []Target{everything(1), everything(2)}, func(c *Config) {
		c.Tables, c.ChunkRows, c.Logger = &stuck{c.Tables.(*lake.Lake), gate}, 5, quiet
	})
	d := Delivery{Live: true, Scope: home, Read: 20, Records: records(t, ids("a", 20)...)}
	accept(t, s.Ingest, d)
	s.stores.mu.Lock()
	delete(s.stores.targets, storeID(1))
	s.stores.mu.Unlock()
	if err := s.lake.DropTable(t.Context(), storeID(1)); err != nil {
		t.Fatal(err)
	}
	close(gate)
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(2))); n != 20 {
		t.Errorf("%d rows in the other", n)
	}
	if !s.room.TryAcquire(s.cfg.Memory) {
		t.Error("room was not given back")
	}
}

// TestTimely: without a flush, an event is in the table when the chunk's time has come.
func TestTimely(t *testing.T) {
	s := start(t, t.TempDir(), []Target{everything(1)}, func(c *Config) { c.ChunkDelay = time.Millisecond })
	accept(t, s.Ingest, Delivery{Stores: []string{storeID(1)}, Read: 1, Records: records(t, ids("a", 1)...)})
	for {
		freed := s.freed()
		if len(s.rows(t, storeID(1))) > 0 {
			break
		}
		<-freed
	}
}

func TestClosed(t *testing.T) {
	s := start(t, t.TempDir(), []Target{everything(1)}, nil)
	s.stop(t)
	if _, err := s.Accept(t.Context(), Delivery{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}
