package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// Errors that callers distinguish.
var (
	ErrNoTable = errors.New("store has no table")
	ErrBusy    = errors.New("a running query, or who verifies the store, reads the table")
)

// Config is what a lake needs.
type Config struct {
	Objects    objstore.Store
	Meta       meta.DB
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exposed

	// Check, where not nil, is asked before anything is done with a store's table: it is read and changed only where Check is nil. It is called often.
	Check func(ctx context.Context, storeID string) error

	// KeepFiles is how long the manifests and manifest lists of a forgotten snapshot stay, for readers that began with it. 0 means 10 minutes.
	KeepFiles time.Duration

	// KeepSnapshots is how many of a table's newest snapshots stay readable by others (Trino, PyIceberg) after they were replaced.
	// 0 means 20. Those that a running query of this server reads stay too.
	KeepSnapshots int
}

// Lake holds the tables of event data stores. Its methods may be called from many goroutines.
type Lake struct {
	objects objstore.Store
	db      meta.DB
	check   func(ctx context.Context, storeID string) error
	log     *slog.Logger
	metrics *metrics
	keep    int

	grace                     time.Duration // Config.KeepFiles
	expireEvery               int
	mergeEvery, manifestBytes int
	cache                     *lru[[]byte]   // metadata objects, by key
	footers                   *lru[*footer]  // of data files, by key
	blooms                    *lru[[][]byte] // bits of filters by row group, by key and column

	compaction   Compaction // set by RunCompaction
	worked       bool       // in the present round of RunCompaction
	keepReplaced time.Duration
	orphanAge    time.Duration
	group        bounds // of a rewritten file's row groups
	load         load
	writing      keySet // data files that were written, and are in no snapshot yet
	held         hold

	mu     sync.Mutex
	tables map[string]*tableState
}

// tableState is one table as this server knows it. commit is held for the length of a commit, mu only to read or replace what it guards.
type tableState struct {
	id     string
	kind   event.Kind
	layout *layout

	compact sync.Mutex // held for the length of one job of compaction; guards what follows
	days    map[int32]dayState
	unfit   map[string]int // tries at files that could not be merged

	commit      sync.Mutex
	sinceExpiry int        // commits since snapshots were last expired
	sinceMerge  int        // commits since manifests were last merged; after a start the first merges what many short lives left
	replaced    []replaced // by compaction, in older snapshots still
	garbage     []leftover // of expired snapshots, the oldest first; what a restart forgets goes as an orphan

	mu      sync.Mutex
	tbl     *table.Table
	applied int64
	stale   bool // a commit ended without an answer: what the database has must be read again
	dropped bool
	removed removedDays
	pins    map[int64]int       // running plans by snapshot
	plans   map[*Plan]bool      // those of them that have files
	moving  map[string]coldCopy // files on their way to colder storage, by key
	live    liveFiles
}

// liveFiles are the data files of a snapshot. A commit adds its own to those of its parent, so manifests are read only once, after a start.
type liveFiles struct {
	snapshot int64 // 0: not read yet
	files    []*dataFile
}

// Open makes the lake ready, and brings tables whose schema lacks a newer column up to date. A table that cannot be read is logged and
// fails when it is used; the others work.
func Open(ctx context.Context, cfg Config) (*Lake, error) {
	if cfg.Objects == nil || cfg.Meta == nil {
		return nil, errors.New("lake: Objects and Meta are needed")
	}
	if err := checkLocation(cfg.Objects.URI("tables")); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.KeepFiles <= 0 {
		cfg.KeepFiles = 10 * time.Minute
	}
	if cfg.KeepSnapshots <= 0 {
		cfg.KeepSnapshots = 20
	}
	l := &Lake{
		objects: cfg.Objects,
		db:      cfg.Meta,
		log:     cfg.Logger,
		metrics: newMetrics(cfg.Registerer),
		keep:    cfg.KeepSnapshots,

		grace:         cfg.KeepFiles,
		expireEvery:   expireEvery,
		mergeEvery:    mergeEvery,
		manifestBytes: manifestBytes,
		compaction:    Compaction{Share: 1},

		orphanAge: orphanAge,
		group:     bounds{groupRows, groupBytes},

		keepReplaced: keepReplaced,
		cache:        newLRU[[]byte](metadataCacheBytes),
		footers:      newLRU[*footer](footerCacheBytes),
		blooms:       newLRU[[][]byte](bloomCacheBytes),
		tables:       make(map[string]*tableState),
	}
	if l.check = cfg.Check; l.check == nil {
		l.check = func(context.Context, string) error { return nil }
	}
	rows, err := cfg.Meta.Tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("lake: list tables: %w", err)
	}
	for _, row := range rows {
		if _, ok := l.objects.Key(row.Location); !ok {
			return nil, fmt.Errorf("the table of store %s lies at %s, and not below %s; tables name their files by absolute locations, so start with the place they were made at",
				row.StoreID, row.Location, strings.TrimSuffix(l.objects.URI("tables"), "tables"))
		}
	}
	if err := l.openAll(ctx, rows); err != nil {
		return nil, err
	}
	return l, nil
}

const (
	openTime    = 5 * time.Second // how long a start waits for tables: while the object store fails, events can be taken without them
	opensAtOnce = 8
)

// openAll opens tables, so that columns are added and faults told at the start. What cannot be opened now is, when it is used.
func (l *Lake) openAll(ctx context.Context, rows []meta.Table) error {
	soon, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(opensAtOnce)
	for _, row := range rows {
		g.Go(func() error {
			if _, err := l.table(soon, row.StoreID); err != nil && ctx.Err() == nil {
				l.log.Error("table cannot be opened", "store", row.StoreID, "error", err)
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// checkLocation refuses a place that no table could be committed to: iceberg-go parses a table's location as a URL and joins names to it, and what
// it makes must lie below the location as it was given.
func checkLocation(location string) error {
	u, err := url.Parse(location)
	if err == nil && u.JoinPath("metadata").String() == location+"/metadata" {
		return nil
	}
	return fmt.Errorf("tables cannot lie at %s: its path may hold letters, digits and %s only", location, "-._~/!$&'()*+,;=:@")
}

// Close forgets the tables. Nothing is left to write: what Commit answered is durable.
func (l *Lake) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables = nil
	return nil
}

// kindProperty is the table property that names the kind of the store, so that a table can be opened without the store's settings.
const kindProperty = "loch.kind"

// tableProperties are set on every new table. Old metadata files are removed as commits go. How manifests are merged each commit says for itself (Lake.manifests).
func tableProperties(kind event.Kind) iceberg.Properties {
	return iceberg.Properties{
		kindProperty: fmt.Sprint(uint8(kind)),
		table.MetadataDeleteAfterCommitEnabledKey: "true",
		table.MetadataPreviousVersionsMaxKey:      "10",
		table.CommitNumRetriesKey:                 "20",
		table.CommitMinRetryWaitMsKey:             "5",
		table.CommitMaxRetryWaitMsKey:             "500",
		"write.parquet.compression-codec":         "zstd",
	}
}

// CreateTable makes the empty table of a store. If the store has one already, that is no error.
func (l *Lake) CreateTable(ctx context.Context, storeID string, kind event.Kind) error {
	if _, err := uuid.Parse(storeID); err != nil {
		return fmt.Errorf("store ID %q is no UUID", storeID)
	}
	if err := l.check(ctx, storeID); err != nil {
		return fmt.Errorf("create table of store %s: %w", storeID, err)
	}
	ts := event.Schema(kind)
	if ts == nil {
		return fmt.Errorf("no schema for events of kind %d", kind)
	}
	sc, err := icebergSchema(ts)
	if err != nil {
		return err
	}
	day, err := dayPartition(sc)
	if err != nil {
		return err
	}
	b, err := table.NewMetadataBuilder(2)
	if err != nil {
		return err
	}
	location := l.objects.URI("tables/" + storeID)
	// The builder, not table.NewMetadata: that one numbers the fields anew, and ours are fixed.
	if err := errors.Join(
		b.SetUUID(uuid.New()),
		b.SetLoc(location),
		b.AddSchema(sc), b.SetCurrentSchemaID(-1),
		b.AddPartitionSpec(&day, true), b.SetDefaultSpecID(-1),
		b.AddSortOrder(&table.UnsortedSortOrder), b.SetDefaultSortOrderID(-1),
		b.SetProperties(tableProperties(kind)),
	); err != nil {
		return fmt.Errorf("metadata of store %s: %w", storeID, err)
	}
	m, err := b.Build()
	if err != nil {
		return fmt.Errorf("metadata of store %s: %w", storeID, err)
	}
	at := metadataLocation(location, 0)
	sum, err := l.writeMetadata(ctx, at, m)
	if err != nil {
		return err
	}
	made, err := l.snapshotOf(ctx, nil, m, at, sum, nil)
	if err != nil {
		return fmt.Errorf("leaves of store %s: %w", storeID, err)
	}
	told, err := leaves(nil, made)
	if err != nil {
		return fmt.Errorf("leaves of store %s: %w", storeID, err)
	}
	err = l.db.CreateTable(ctx, meta.Table{StoreID: storeID, Location: at}, told...)
	if errors.Is(err, meta.ErrExists) {
		if key, ok := l.objects.Key(at); ok {
			l.cache.remove(key)
			return l.objects.Delete(ctx, key)
		}
		return nil
	}
	return err
}

// DropTable removes every object of a store's table. It fails with ErrBusy while a query reads the table; dropping what is half
// dropped or not there is no error. The row in the metadata is the caller's to delete afterwards.
func (l *Lake) DropTable(ctx context.Context, storeID string) error {
	if _, err := uuid.Parse(storeID); err != nil {
		return fmt.Errorf("store ID %q is no UUID", storeID)
	}
	if err := l.check(ctx, storeID); err != nil {
		return fmt.Errorf("drop table of store %s: %w", storeID, err)
	}
	if l.held.held() {
		return fmt.Errorf("drop table of store %s: a copy of the lake is being made: %w", storeID, ErrBusy)
	}
	l.mu.Lock()
	t := l.tables[storeID]
	l.mu.Unlock()
	if t != nil {
		t.commit.Lock()
		defer t.commit.Unlock()
		t.mu.Lock()
		busy := len(t.pins) > 0
		t.dropped = !busy
		t.mu.Unlock()
		if busy {
			return fmt.Errorf("drop table of store %s: %w", storeID, ErrBusy)
		}
		l.mu.Lock()
		delete(l.tables, storeID)
		l.mu.Unlock()
	}
	return l.objects.List(ctx, "tables/"+storeID+"/", "", func(o objstore.Object) error {
		l.cache.remove(o.Key)
		l.footers.remove(o.Key)
		return l.objects.Delete(ctx, o.Key)
	})
}

// RetireTable refuses every further use of a store's table, whose row in the metadata is about to be deleted and its objects after that. It fails with ErrBusy while a query
// reads the table or a commit goes on.
func (l *Lake) RetireTable(ctx context.Context, storeID string) error {
	if err := l.check(ctx, storeID); err != nil {
		return fmt.Errorf("retire table of store %s: %w", storeID, err)
	}
	l.mu.Lock()
	t := l.tables[storeID]
	l.mu.Unlock()
	if t == nil {
		return nil // nobody uses it
	}
	if !t.commit.TryLock() {
		return fmt.Errorf("retire table of store %s: %w", storeID, ErrBusy)
	}
	defer t.commit.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pins) > 0 {
		return fmt.Errorf("retire table of store %s: %w", storeID, ErrBusy)
	}
	t.dropped = true
	return nil
}

// table gives a store's table, reading it on first use.
func (l *Lake) table(ctx context.Context, storeID string) (*tableState, error) {
	if err := l.check(ctx, storeID); err != nil {
		return nil, fmt.Errorf("table of store %s: %w", storeID, err)
	}
	l.mu.Lock()
	t, ok := l.tables[storeID]
	l.mu.Unlock()
	if ok {
		return t, nil
	}
	row, err := l.db.Table(ctx, storeID)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, fmt.Errorf("store %s: %w", storeID, ErrNoTable)
	}
	if err != nil {
		return nil, fmt.Errorf("table of store %s: %w", storeID, err)
	}
	m, err := l.readMetadata(ctx, row.Location)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", storeID, err)
	}
	var kind uint8
	if _, err := fmt.Sscan(m.Properties()[kindProperty], &kind); err != nil {
		return nil, fmt.Errorf("store %s: table property %s: %w", storeID, kindProperty, err)
	}
	ts := event.Schema(event.Kind(kind))
	if ts == nil {
		return nil, fmt.Errorf("store %s: no schema for events of kind %d", storeID, kind)
	}
	lay, err := layoutOf(ts)
	if err != nil {
		return nil, err
	}
	t = &tableState{
		id: storeID, kind: event.Kind(kind), layout: lay,
		tbl:     (&commitCatalog{lake: l, storeID: storeID}).table(m, row.Location),
		applied: row.Applied,
		pins:    make(map[int64]int),
		plans:   make(map[*Plan]bool),
		moving:  make(map[string]coldCopy),
		unfit:   make(map[string]int),

		sinceMerge: l.mergeEvery,
	}
	if err := l.evolve(ctx, t); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tables == nil {
		return nil, errors.New("lake is closed")
	}
	if other, ok := l.tables[storeID]; ok {
		return other, nil // somebody was quicker
	}
	l.tables[storeID] = t
	return t, nil
}

// evolve adds the columns that the table's schema lacks. Rows written before answer NULL for them (or from the text: event.Column.Since).
func (l *Lake) evolve(ctx context.Context, t *tableState) error {
	want, err := icebergSchema(t.layout.schema)
	if err != nil {
		return err
	}
	have := t.tbl.Schema()
	if have.Equals(want) {
		return nil
	}
	if err := additive(have, want); err != nil {
		return fmt.Errorf("store %s: schema cannot change: %w", t.id, err)
	}
	cat := &commitCatalog{lake: l, storeID: t.id, base: t.tbl}
	m, location, err := cat.CommitTable(ctx, table.Identifier{t.id},
		[]table.Requirement{table.AssertCurrentSchemaID(have.ID)},
		[]table.Update{table.NewAddSchemaUpdate(want), table.NewSetCurrentSchemaUpdate(-1)})
	if err != nil {
		return fmt.Errorf("store %s: add columns: %w", t.id, err)
	}
	t.tbl = cat.table(m, location)
	l.log.Info("table has new columns", "store", t.id, "schema", t.tbl.Schema().ID)
	return nil
}
