// Package functions holds the scalar functions that DuckDB lacks, or has otherwise than Trino: they are written in Go and registered in a worker's
// DuckDB under names that begin with Prefix. Only the dialect's templates name them; a caller's own function names never reach DuckDB.
//
// A function is added by a line in one of the families' files:
//
//	d.define("loch_crc32(varbinary) bigint", func(a Row, r *Result) { … })
//	d.failing("loch_from_base(varchar, bigint) bigint", func(a Row, r *Result) error { … })
//
// It is called for one row at a time, by several goroutines at once. Where an argument is NULL the result is NULL and the function is not called,
// unless its field nulls says so. An error is what Trino says of the row's values; the dialect must write a failing function's call by its
// fallible, which raises the error only where the row's result is wanted: DuckDB also computes rows that no one asks for.
package functions

import (
	"fmt"
	"strings"
	"sync"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Prefix begins the names of all functions.
const Prefix = "loch_"

// Raised begins the text of an error that a failing function gives for a row.
const Raised = "loch: "

// function is one scalar function.
type function struct {
	name     string
	args     []*typ
	result   *typ
	nulls    bool // is called for rows with NULLs too
	fails    bool // its result in DuckDB is a struct of the value, v, and the error's text, e
	volatile bool // may answer differently for the same arguments
	row      func(Row, *Result) error
}

// families are the functions, one file each.
var families = []func(definer){text, hashes, binaries, mathematics, statistics, urls, units, dates, jsons, addresses, aggregates, regexps}

// table is filled by the families' files once one function is asked for: a worker that needs none shall not pay for any.
var table = sync.OnceValue(func() map[string]*function {
	t := map[string]*function{}
	for _, family := range families {
		family(func(f *function) {
			if t[f.name] != nil {
				panic("functions: " + f.name + " is defined twice")
			}
			t[f.name] = f
		})
	}
	return t
})

// definer adds a function to the table.
type definer func(*function)

// define adds a function that never fails.
func (d definer) define(signature string, row func(Row, *Result)) *function {
	f := parseSignature(signature)
	f.row = func(a Row, r *Result) error { row(a, r); return nil }
	d(f)
	return f
}

// failing adds a function that may fail for a row.
func (d definer) failing(signature string, row func(Row, *Result) error) *function {
	f := parseSignature(signature)
	f.fails, f.row = true, row
	d(f)
	return f
}

// named are the functions that a text of SQL names, in any order.
func named(sql string) []*function {
	var list []*function
	seen := map[string]bool{}
	for {
		i := strings.Index(sql, Prefix)
		if i < 0 {
			return list
		}
		n := i + len(Prefix)
		for n < len(sql) && (sql[n] == '_' || sql[n] >= 'a' && sql[n] <= 'z' || sql[n] >= '0' && sql[n] <= '9') {
			n++
		}
		name := sql[i:n]
		sql = sql[n:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if f := table()[name]; f != nil {
			list = append(list, f)
		}
	}
}

// Register makes the functions that a text of SQL names known to a connection's database. Calls are answered while a Serve lasts.
func Register(conn duckdb.Connection, sql string) error {
	for _, f := range named(sql) {
		if err := f.register(conn); err != nil {
			return fmt.Errorf("register %s: %w", f.name, err)
		}
	}
	return nil
}

// errorf makes an error of Trino's words for it.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// maxResult bounds a text or binary that a function makes, in bytes. Trino's own bound is not much larger, and its clients' far smaller.
const maxResult = 64 << 20

var errTooLarge = errorf("The result is larger than 64 MiB")
