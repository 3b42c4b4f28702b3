package dialect

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Error is what is wrong with a statement, at the place where it is wrong. Lines and columns count from 1; columns count characters.
type Error struct {
	Line    int
	Column  int
	Message string
}

// Error reads as Trino's errors do: "line 3:14: Column 'evntname' cannot be resolved".
func (e *Error) Error() string {
	return fmt.Sprintf("line %d:%d: %s", e.Line, e.Column, e.Message)
}

// ErrNoTable is what a Catalog answers where no table has the name; the checker turns it into an *Error at the name's place. Any other error
// of a Catalog comes out of Check wrapped, so that errors.Is and errors.As find it.
var ErrNoTable = errors.New("dialect: no such table")

// Ident is one part of a name as the statement has it.
type Ident struct {
	Name   string // as written, without quotes
	Quoted bool
}

// TableName is a name after FROM or JOIN. An event data store's ID and ARN are one part, quoted or not.
type TableName struct {
	Parts  []Ident
	Line   int
	Column int
}

// String is the name as one text: the parts with dots between them.
func (n TableName) String() string {
	s := ""
	for i, p := range n.Parts {
		if i > 0 {
			s += "."
		}
		s += p.Name
	}
	return s
}

// Catalog finds the tables that a statement names. Names are compared without regard to case, as all names in Trino are.
type Catalog interface {
	// Resolve answers ErrNoTable where there is none. It is asked once for every place that names a table.
	Resolve(ctx context.Context, name TableName) (*Table, error)
}

// Table is what a Catalog knows of a table.
type Table struct {
	ID      string // the caller's own; handed back in Use
	Columns []TableColumn
	// Aliases lead top-level names that are no column of the table to a member of one ("eventname" to "eventdata.eventname"). A key may
	// name a member too ("useridentity.arn"). A step of the path that goes through a map is a key of that map, matched exactly.
	Aliases map[string]string
}

// TableColumn is one top-level column of a table.
type TableColumn struct {
	Name     string // lower case
	Type     Type
	Hidden   bool // outside SELECT *, but may be named
	Computed bool // the relation answers it, the files do not hold it
}

// Session is what a statement may ask of its surroundings.
type Session struct {
	Start time.Time // now(), current_date and their like
	User  string    // current_user
}

// Column is one column of an answer.
type Column struct {
	Name string // as Trino names it: aliases and plain names keep their case, expressions are _col0, _col1, …
	Type Type
}

// Use is one place of a statement that reads a table.
type Use struct {
	Table    *Table
	Relation string // the name that the written SQL reads it by: store_0, store_1, …
	Columns  []string
	// Predicates hold, all together, for every row that can have a part in the answer. What is not among them may hold or not.
	Predicates []Predicate

	pos int // where the statement names the table
}

// Op compares a column with literals.
type Op uint8

// The comparisons of a Predicate. The values are those of the lake's planner.
const (
	Equal Op = iota + 1 // any one of Values
	Less
	LessEqual
	Greater
	GreaterEqual
	StartsWith
	NotNull // has no Values
)

// Predicate is one condition on a scalar column or a scalar member of a struct.
type Predicate struct {
	Path   string // dotted, lower case: "useridentity.arn"
	Op     Op
	Values []Value
}

// Value is a literal of a predicate: a string in Text; booleans (0 and 1), integers and timestamps (microseconds since the Unix epoch, UTC) in Num.
type Value struct {
	Text string
	Num  int64
}
