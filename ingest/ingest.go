// Package ingest takes events in: it routes decoded events to the stores that want them, makes them durable in the log before a call
// answers, drops what a store has already, and brings the rest to the tables exactly once.
//
// The path of a delivery: Accept routes it (route.go), waits for room in memory, and appends one record to the durable log (entry.go): the
// payload as received, and for each store which of its events go there. The log's writer hands the records on in order of sequence; each store
// has an applier (store.go) that takes its part of each, asks the identity index, gathers what is new into chunks, has these written to
// Parquet by several goroutines at once, and commits them in order (commit.go).
//
// Invariants:
//   - What the log acknowledged is in the table or will be: a failing write or commit is tried again for ever, and a start replays every record that
//     is above a store's Applied. Only the deletion of a store ends that.
//   - A store's Applied is raised to a record's sequence by the commit, and in the same transaction as the commit, that completes the record. A record may lie
//     in several commits; those before the last raise Applied only to the record before. After a crash between them the identity index
//     knows the part that the table holds, since it is filled from the table up to what was committed.
//   - An identity is in the index on disk only if its event is in the table (identity.Index has more on this).
//   - A segment of the log is released when every store has applied what lies in it, or has nothing new in it.
//   - Where an event goes is decided once, when it is accepted, and is in the log: a replay does not ask today's selectors.
//   - Memory holds at most Config.Memory of events that are accepted and not yet written, however many stores there are. A store whose table takes nothing holds at most
//     a quarter of it, and one delivery more; others go on while the log has room.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
)

// Errors that callers distinguish. wal.ErrFailed, wal.ErrLarge and meta.ErrSetBack come through as they are.
var (
	ErrBusy   = errors.New("ingest is busy") // there is no room now and the delivery does not wait: try again later
	ErrClosed = errors.New("ingest is closed")
)

// Matcher tells whether a store's selectors let an event through. *selector.Set is one.
type Matcher interface {
	Match(r *event.Record) bool
}

// Target is a store as ingest sees it.
type Target struct {
	meta.Scope
	StoreID       string
	Kind          event.Kind
	MultiRegion   bool
	Organization  bool
	RetentionDays int
	Selectors     Matcher // nil: everything
}

// Stores tells where events go. The registry is one.
type Stores interface {
	// Live gives the enabled stores that live events of the scope may reach, event history among them.
	Live(ctx context.Context, sc meta.Scope) ([]Target, error)
	// Target gives one store, whatever its ingestion state, as imports and channels name it. A store that is no more is meta.ErrNotFound.
	Target(ctx context.Context, storeID string) (Target, error)
}

// Tables is the lake as ingest uses it; *lake.Lake is one.
type Tables interface {
	// Write encodes rows (of one store, any days, any order) into Parquet files, one or more a day, durable but not yet visible. Rows and their
	// events may be reused when it returns. It may be called from several goroutines.
	Write(ctx context.Context, storeID string, rows []lake.Row) (lake.Files, error)
	// Commit makes the files visible, in one snapshot, and records that everything up to the log's sequence applied is in the table. It is called
	// by one goroutine a store, in order; files may be empty, then only the sequence is recorded. The same commit may be tried again after an error.
	Commit(ctx context.Context, storeID string, files lake.Files, applied int64) error
	// Applied is the sequence recorded by the last commit.
	Applied(ctx context.Context, storeID string) (int64, error)
	// Identities calls fn for every row of the table that came by records of the log after since, in any order. fn's Stored is valid until it returns.
	Identities(ctx context.Context, storeID string, since int64, fn func(*lake.Stored) error) error
	// Removals tells the days of eventTime of which events were ever taken out of the table, each with a number that rises from removal to removal, and the least that the
	// next one can have.
	Removals(ctx context.Context, storeID string) (days map[int32]int64, next int64, err error)
}

// Meta is the metadata that ingest keeps; meta.DB is one.
type Meta interface {
	Value(ctx context.Context, key string) (string, error)
	SetValue(ctx context.Context, key, value string) error
	Tables(ctx context.Context) ([]meta.Table, error)
}

// Delivery is what one accepting call brings: the decoded records of one payload.
type Delivery struct {
	// Payload is what was received; the log keeps it, and a restart decodes it again. Nil where no one payload stands behind the records (a part of a
	// large file): then the log keeps their texts, and each record must be what event.Decoder's Decode makes of its text.
	Payload    []byte
	Encoding   string // how Payload is decoded: "gzip", "json", AuditEventsEncoding; see Decode
	Provenance string // import object's location, channel ARN, or source
	Records    []event.Record
	Read       int64 // records found, good and bad
	Live       bool  // routed by account, region and selectors from Scope; else to Stores
	Scope      meta.Scope
	Stores     []string // store IDs, for imports and channels
	NoWait     bool     // where there is no room, fail with ErrBusy at once rather than wait for it
}

// Config is what ingest needs; of the sizes and times, zero is the default.
type Config struct {
	Dir        string // the log lies in its folder wal, the identity indexes in identity
	Stores     Stores
	Tables     Tables
	Meta       Meta
	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: the metrics are not registered
	FS         disk.FS               // nil: disk.OS

	// Sound, where not nil, tells at once whether the metadata is as new as the tables. While it is not (any error) no store is taken for deleted because the metadata does not know it. Of a meta.ErrSetBack
	// everything that comes is refused, and what the log holds stays there.
	Sound func() error

	Memory     int64         // bytes of accepted events in memory, decoded; 192 MiB
	LogBytes   int64         // of the durable log; 1 GiB
	ChunkRows  int           // a chunk is written when it has so many rows; 16,384
	ChunkBytes int64         // or so many bytes, decoded; a quarter of Memory
	ChunkDelay time.Duration // or is so old; 2 s
	Writers    int           // chunks written at once; GOMAXPROCS
	Backoff    time.Duration // between tries of what failed, at first; doubled to a hundred times that; 100 ms
	IndexKeys  int           // identity.Options.Memory

	Now func() time.Time // nil: time.Now
	// Believed is the time that retention counts from when events are taken: no later than the clock is believed, so that one that runs ahead turns nothing away. nil: Now.
	Believed func() time.Time
}
