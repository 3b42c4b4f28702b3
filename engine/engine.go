// Package engine runs checked statements over planned files and gives rows. The embedded engine is DuckDB in child
// processes of this binary; it knows nothing of stores, callers or policies.
package engine

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/lochlake/loch/engine/worker"
	"github.com/lochlake/loch/event"
)

// File is one Parquet file that a statement reads.
type File struct {
	Key   string // in the object store
	Size  int64
	Rows  int64
	Local string // path on this machine, "" where the object store is remote
	// Decoder is the lowest decoder version among the file's rows; 0 where unknown. A file that was written before the
	// schema's newest column is read more slowly, since that column is answered from the events' text.
	Decoder int
}

// Relation is one table of a statement, under the name that the statement's text gives it.
type Relation struct {
	Name    string
	Schema  *event.TableSchema
	Columns []string // top-level columns that the statement names; the relation has no others
	Files   []File
	// NotBefore hides rows whose eventtime lies before it (microseconds since the Unix epoch UTC): what retention has
	// ended. 0: none are hidden, as no event is older than 1970.
	NotBefore int64
	// Where is a condition, in the engine's own SQL over the relation's stored columns, that every row the statement needs
	// fulfils; "" where none is known. Only staging uses it: the statement itself still holds its conditions.
	Where string
	// Equal are equalities that every such row fulfils, too. Only staging uses them.
	Equal []Equality
}

// Equality says that a column of texts, named by its dotted path, has one of the values.
type Equality struct {
	Path   string
	Values []string
}

// Limits bound one query. Zero fields take the engine's defaults.
type Limits struct {
	Memory  int64 // bytes
	Threads int
	Temp    int64 // bytes of temporary files
	Time    time.Duration
}

// Column is one column of the answer.
type Column = worker.Column

// Job is one statement to run.
type Job struct {
	SQL       string // the engine's own SQL, by one of the dialect's writers
	Relations []Relation
	Columns   []Column // of the answer; nil where the engine itself tells them
	Limits    Limits
	// Described, where it is not nil, is told the answer's columns once, before the first row.
	Described func([]Column) error
	// Progress, where it is not nil, is told now and then what the run has cost so far.
	Progress func(Stats)
	// Place turns a place in SQL into that of the caller's statement, for errors of an engine whose messages have one; nil: it is the same.
	Place func(line, column int) (int, int)
}

// Stats is what a run cost.
type Stats struct {
	RowsScanned  int64 // events in the files that were planned
	RowsMatched  int64 // events that passed the scans' conditions
	BytesScanned int64 // bytes read from the files
	Elapsed      time.Duration
}

// Value is one value of an answer in Trino's text form.
type Value = worker.Value

// Engine runs statements. Run calls sink for each row in order (the slice and the texts are reused) and returns when the statement
// ended, failed or ctx was done; it holds nothing after that. An error of the statement itself is a *Error.
type Engine interface {
	Run(ctx context.Context, job Job, sink func([]Value) error) (Stats, error)
	Close() error
}

// Fetcher makes the needed parts of remote objects readable as local files. Its methods may be called from many goroutines.
type Fetcher interface {
	// Budget is how many bytes one statement may hold fetched at once.
	Budget() int64
	// Need tells how many bytes of the file these top-level columns take, its footer among them.
	Need(ctx context.Context, f File, columns []string) (int64, error)
	// Sift writes the rows of files for which one of the equalities holds, with these columns of theirs and of the relation's schema, to a new Parquet file at
	// path, and tells how many bytes of the files were read. Where that is no less work than to read the files it is not ok, and there is no file.
	Sift(ctx context.Context, schema *event.TableSchema, files []File, columns []string, equal []Equality, path string) (read int64, ok bool, err error)
	// Fetch makes those bytes readable at a local path (a sparse file with the object's size and offsets) until release is called.
	Fetch(ctx context.Context, f File, columns []string) (path string, release func(), err error)
}

// WorkerArgument is the hidden command that makes a process of any binary that links this package a child of the engine, before its main runs.
const WorkerArgument = worker.Argument

// WorkerMain ends a process that was started with WorkerArgument, but not as the engine does it.
func WorkerMain() {
	fmt.Fprintln(os.Stderr, WorkerArgument+" is the query engine's own command; it takes no arguments.")
	os.Exit(2)
}
