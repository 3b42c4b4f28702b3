// Package ingest takes events in: it routes decoded events to the stores that want them, makes them durable in the log before a call
// answers, drops what a store has already, and brings the rest to the tables exactly once.
package ingest

import (
	"context"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
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
	Selectors     Matcher
}

// Stores tells where events go. The registry is one.
type Stores interface {
	// Live gives the enabled stores that live events of the scope may reach, event history among them.
	Live(ctx context.Context, sc meta.Scope) ([]Target, error)
	// Target gives one store, whatever its ingestion state, as imports and channels name it.
	Target(ctx context.Context, storeID string) (Target, error)
}

// Tables is the lake as ingest uses it; *lake.Lake is one.
type Tables interface {
	// Write encodes rows (of one store, any days, any order) into Parquet files, one or more a day, durable but not yet visible. Rows and their
	// events may be reused when it returns. It may be called from several goroutines.
	Write(ctx context.Context, storeID string, rows []lake.Row) (lake.Files, error)
	// Commit makes the files visible, in one snapshot, and records that everything up to the log's sequence applied is in the table. It is called
	// by one goroutine a store, in order; files may be empty, then only the sequence is recorded.
	Commit(ctx context.Context, storeID string, files lake.Files, applied int64) error
	// Applied is the sequence recorded by the last commit.
	Applied(ctx context.Context, storeID string) (int64, error)
}

// Delivery is what one accepting call brings: the decoded records of one payload.
type Delivery struct {
	Payload    []byte // as received; what the log keeps and a restart decodes again
	Encoding   string // how Payload is decoded: "gzip", "json", "audit-events"
	Provenance string // import object's location, channel ARN, or source
	Records    []event.Record
	Read       int64 // records found, good and bad
	Live       bool  // routed by account, region and selectors from Scope; else to Stores
	Scope      meta.Scope
	Stores     []string // store IDs, for imports and channels
}
