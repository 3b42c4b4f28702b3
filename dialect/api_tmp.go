package dialect

import "context"

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
