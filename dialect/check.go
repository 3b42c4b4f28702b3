package dialect

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// maxWritten bounds the SQL that a statement may become; a view of the statement's own size, not of the data's.
const maxWritten = 2 << 20

// Statement is a checked statement: every name resolved, every expression typed.
type Statement struct {
	Columns []Column
	Uses    []Use // in the order of the statement; one for every place that names a table
	// OldestFirst says that the statement wants its rows by eventtime, the oldest first, so that files are best read in that order.
	OldestFirst bool
	duckdb      string
}

// DuckDB is the statement in DuckDB's SQL. Its columns are named c0, c1, … in the order of Columns. Their types are DuckDB's own: VARCHAR for json,
// TIMESTAMP WITH TIME ZONE for the instant of a timestamp with time zone, whose Type says the zone, INTERVAL for both kinds of interval.
func (s *Statement) DuckDB() string { return s.duckdb }

// Check resolves and types a statement. What is wrong with it is an *Error; a Catalog's own errors come wrapped. A Query is checked once.
func Check(ctx context.Context, q *Query, catalog Catalog, session Session) (s *Statement, err error) {
	c := &checker{ctx: ctx, catalog: catalog, session: session, text: q.text, parametric: q.parametric}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			s, err = nil, e
		case catalogError:
			s, err = nil, e.error
		default:
			panic(e)
		}
	}()
	out := c.query(q.root, nil)
	s = &Statement{OldestFirst: oldestFirst(q.root)}
	inner := false
	exprs := make([]string, len(out.fields))
	for i, f := range out.fields {
		s.Columns = append(s.Columns, Column{f.label, f.typ})
		col := "c" + itoa(i)
		if exprs[i] = c.printed(col, f.typ); exprs[i] != col {
			inner = true
			exprs[i] += " AS " + col
		}
	}
	s.duckdb = out.sql
	if inner {
		s.duckdb = "SELECT " + strings.Join(exprs, ", ") + " FROM (" + out.sql + ") AS answer"
	}
	if len(s.duckdb) > maxWritten {
		c.fail(0, "the statement is too large once it is written out")
	}
	for _, u := range c.uses {
		use := Use{Table: u.table, Relation: u.relation, Predicates: u.predicates, pos: u.pos}
		for name := range u.columns {
			use.Columns = append(use.Columns, name)
		}
		sort.Strings(use.Columns)
		s.Uses = append(s.Uses, use)
	}
	return s, nil
}

// oldestFirst tells whether the first of ORDER BY is eventtime, ascending: by its name or by its place in SELECT.
func oldestFirst(q *queryNode) bool {
	if len(q.order) == 0 || q.order[0].desc {
		return false
	}
	x := q.order[0].x
	if n, ok := x.(*numberLit); ok {
		s, isSelect := q.body.(*selectNode)
		i, isPlace := integer(n.text)
		if !isSelect || !isPlace || i < 1 || i > int64(len(s.items)) || s.items[i-1].x == nil {
			return false
		}
		x = s.items[i-1].x
	}
	names, ok := chain(x)
	return ok && strings.EqualFold(names[len(names)-1].text, "eventtime")
}

// catalogError carries what a Catalog answered out of the checker.
type catalogError struct{ error }

// checker types a tree and writes DuckDB's SQL as it goes: what it cannot type, it cannot write. Like the parser it leaves by panicking
// with an *Error, which Check catches.
type checker struct {
	ctx        context.Context
	catalog    Catalog
	session    Session
	text       string
	parametric bool
	uses       []*tableUse
	with       *withScope
	numbers    int // of relations named so far
	fields     int // of fields made so far
	binds      int // how many bindings of values to names the place lies in
	lambdas    int // how many lambdas the place lies in
	written    int // bytes written so far, roughly
	backtracks int // regular expressions that the worker may refuse once it sees them
	current    int // where the expression stands that is being checked
}

func (c *checker) fail(pos int, format string, args ...any) {
	line, column := place(c.text, pos)
	panic(&Error{line, column, fmt.Sprintf(format, args...)})
}

// unsupported refuses what Trino has and Loch does not have yet.
func (c *checker) unsupported(pos int, what string) {
	c.fail(pos, "%s is not supported yet", what)
}

// trinoOnly refuses what the embedded engine has nothing for.
func (c *checker) trinoOnly(pos int, what string) {
	c.fail(pos, "%s is answered by a Trino engine only", what)
}

// relationName is a new name for a relation in the written SQL.
func (c *checker) relationName() string {
	c.numbers++
	return "r" + itoa(c.numbers)
}

func (c *checker) newField(f field) *field {
	c.fields++
	f.id = c.fields
	return &f
}

// source is the part of the statement that an expression was written as.
func (c *checker) source(x expr) string {
	from, to := x.span()
	return c.text[from:to]
}

// resolveTable asks the catalog.
func (c *checker) resolveTable(names []name) *Table {
	line, column := place(c.text, names[0].pos)
	n := TableName{Line: line, Column: column}
	for _, p := range names {
		n.Parts = append(n.Parts, Ident{p.text, p.quoted})
	}
	t, err := c.catalog.Resolve(c.ctx, n)
	if errors.Is(err, ErrNoTable) {
		c.fail(names[0].pos, "Table '%s' does not exist", n)
	}
	if err != nil {
		panic(catalogError{fmt.Errorf("line %d:%d: %w", line, column, err)})
	}
	return t
}
