// Package engine runs checked statements over planned files and gives rows. The embedded engine is DuckDB in child
// processes of this binary; it knows nothing of stores, callers or policies.
package engine

import (
	"context"
	"time"

	"github.com/lochlake/loch/event"
)

// File is one Parquet file that a statement reads.
type File struct {
	Key   string // in the object store
	Size  int64
	Rows  int64
	Local string // path on this machine, "" where the object store is remote
}

// Relation is one table of a statement, under the name that the statement's text gives it.
type Relation struct {
	Name    string
	Schema  *event.TableSchema
	Columns []string // top-level columns that the statement names
	Files   []File
}

// Limits bound one query.
type Limits struct {
	Memory  int64 // bytes
	Threads int
	Temp    int64 // bytes of temporary files
	Time    time.Duration
}

// Column is one column of the answer, with its type as Trino writes it, for example "map(varchar, varchar)".
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Job is one statement to run.
type Job struct {
	SQL       string // the engine's own SQL, by the dialect's writer
	Relations []Relation
	Columns   []Column
	Limits    Limits
}

// Stats is what a run cost.
type Stats struct {
	RowsScanned  int64 // events read from files
	RowsMatched  int64 // events that passed the scans' conditions
	BytesScanned int64
	Elapsed      time.Duration
}

// Value is one value of an answer in Trino's text form; Null where it is NULL.
type Value struct {
	Text []byte
	Null bool
}

// Engine runs statements. Run calls sink for each row in order (the slice is reused) and returns when the statement ended, failed or ctx
// was done; it holds nothing after that.
type Engine interface {
	Run(ctx context.Context, job Job, sink func([]Value) error) (Stats, error)
	Close() error
}
