// Package lake holds event data stores as Iceberg tables: it writes rows to Parquet files, commits them, plans which
// files a query must read, and keeps what a running query reads. It knows nothing of HTTP or SQL text.
package lake

import (
	"github.com/apache/iceberg-go"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/proof"
)

// Envelope is what Loch adds to an event: the hidden columns of its row.
type Envelope struct {
	Writer     string // this server's identity, made once
	Epoch      int64  // raised at every start of the writer
	Sequence   int64  // the durable log's record that brought the event
	Position   int32  // the event's place in that record
	Accepted   int64  // when, microseconds since the Unix epoch UTC
	Provenance string // import object's location, channel ARN, or source
	Conflict   bool   // the identity was known with another text
}

// Row is one event on its way into a table.
type Row struct {
	Event *event.Record
	Envelope
}

// Op compares a column with values when files are planned.
type Op uint8

// The comparisons that planning understands. What it does not understand it does not prune by.
const (
	Equal Op = iota + 1 // any one of Values
	Less
	LessEqual
	Greater
	GreaterEqual
	StartsWith
	NotNull
)

// Predicate is one condition that every row of an answer fulfils; predicates of a plan are all true together. Planning may leave files out only
// where no row can fulfil them.
type Predicate struct {
	Path   string // dotted lower-case path of a scalar column, for example "useridentity.arn"
	Op     Op
	Values []Value
}

// Value is a typed literal: a string, or a number as event.Field.Num has it.
type Value struct {
	Text string
	Num  int64
}

// Files are data files that were written and not yet committed.
type Files struct {
	Rows    int64
	Bytes   int64
	files   []iceberg.DataFile
	batches []proof.Batch
	sums    map[string]proof.Hash // of the files' bytes, by location
}
