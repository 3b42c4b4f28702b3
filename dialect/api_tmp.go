package dialect

import "context"

// Query is a parsed statement.
type Query struct{}

// Parse reads one SELECT statement of at most 10,000 characters. Anything else is an *Error.
func Parse(sql string) (*Query, error) { return nil, &Error{1, 1, "the parser is not there yet"} }

// Statement is a checked statement.
type Statement struct {
	Columns []Column
	Uses    []Use
	duckdb  string
}

// Check resolves and types a statement.
func Check(ctx context.Context, q *Query, cat Catalog, session Session) (*Statement, error) {
	return nil, &Error{1, 1, "the checker is not there yet"}
}

// DuckDB is the statement in DuckDB's SQL. Its columns are named c0, c1, … in the order of Columns.
func (s *Statement) DuckDB() string { return s.duckdb }
