package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes random valid statements over a small table of events. The same seed makes the same statements. Their answers do not depend on the
// order in which rows are read.
type generator struct {
	r      *rand.Rand
	scope  []column // what expressions may name
	names  int
	shapes []shape // of stores; nil: statements read the small table of values
}

// kind is a type that the generator knows.
type kind int

const (
	boolean kind = iota
	integer
	bigint
	double
	decimal
	text
	moment
	day
	list  // array(varchar)
	pairs // map(varchar, varchar)
	who   // row(type varchar, arn varchar)
	kinds
)

type column struct {
	name string
	kind kind
}

// rows are the data of generated statements: NULLs, empty strings, Unicode, negative and large numbers, times before 1970. Doubles are sums of
// powers of two, so that no order of adding them matters.
const rows = `(VALUES
  (1, BIGINT '5', 1.5e0, 2.50, CAST('ConsoleLogin' AS varchar), true, TIMESTAMP '2026-01-01 10:00:00.000', DATE '2026-01-01', CAST(ARRAY['a', 'b', NULL] AS array(varchar)), CAST(MAP(ARRAY['bucketName', 'key'], ARRAY['logs', 'a/b']) AS map(varchar, varchar)), CAST(ROW('Root', 'arn:aws:iam::1:root') AS row(type varchar, arn varchar))),
  (2, BIGINT '-7', -0.25e0, -1.25, 'deleteBucket', false, TIMESTAMP '1969-12-31 23:59:59.500', DATE '1969-12-31', ARRAY[], MAP(ARRAY['n'], ARRAY['42']), CAST(ROW('User', NULL) AS row(type varchar, arn varchar))),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, BIGINT '9007199254740993', 1e10, 99.99, '', true, TIMESTAMP '2024-02-29 23:59:59.999', DATE '2024-02-29', ARRAY[''], MAP(ARRAY['é'], ARRAY['']), CAST(ROW(NULL, '') AS row(type varchar, arn varchar))),
  (-5, BIGINT '0', 0e0, 0.00, 'Ünï-çödé 日本', false, TIMESTAMP '2026-12-31 00:00:00.001', DATE '2026-12-31', ARRAY['x', 'x', 'Ä'], MAP(ARRAY['key'], ARRAY[NULL]), CAST(ROW('User', 'arn:aws:iam::2:user/Bob') AS row(type varchar, arn varchar))),
  (NULL, BIGINT '5', 1.5e0, 2.50, 'ConsoleLogin', true, TIMESTAMP '2026-01-01 10:00:00.000', DATE '2026-01-01', ARRAY['b'], MAP(), CAST(ROW('Root', 'arn:aws:iam::1:root') AS row(type varchar, arn varchar)))
  )`

var rowColumns = []column{{"i", integer}, {"b", bigint}, {"d", double}, {"m", decimal}, {"s", text}, {"f", boolean}, {"t", moment}, {"dt", day}, {"xs", list}, {"kv", pairs}, {"w", who}}

func newGenerator(seed uint64) *generator { return &generator{r: rand.New(rand.NewPCG(seed, 476))} }

func (g *generator) pick(options ...string) string { return options[g.r.IntN(len(options))] }

// chance is true once in n.
func (g *generator) chance(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) name() string {
	g.names++
	return fmt.Sprintf("n%d", g.names)
}

// statement makes one statement.
func (g *generator) statement() string {
	g.scope, g.names = nil, 0
	if g.chance(8) {
		ks := make([]kind, 1+g.r.IntN(3))
		for i := range ks {
			ks[i] = g.scalar()
		}
		return g.query(ks) + " " + g.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT") + " " + g.query(ks)
	}
	if g.chance(4) {
		from, where := g.source()
		return g.grouped(from, where)
	}
	ks := make([]kind, 1+g.r.IntN(4))
	for i := range ks {
		ks[i] = kind(g.r.IntN(int(kinds)))
	}
	return g.query(ks)
}

// scalar is a kind that can be compared and grouped.
func (g *generator) scalar() kind { return kind(g.r.IntN(int(list))) }

// source makes FROM and WHERE, whose columns are then in scope.
func (g *generator) source() (string, string) {
	g.scope = nil
	where := ""
	from, first, l := g.relation()
	switch g.r.IntN(8) {
	case 0:
		n := len(g.scope)
		right, second, r := g.relation()
		var on string
		if g.shapes != nil {
			on = g.link(first, second, l, r)
		} else {
			i := g.r.IntN(int(list))
			on = g.scope[i].name + " = " + g.scope[n+i].name
		}
		if g.chance(3) {
			on += " AND " + g.expr(boolean, 1)
		}
		from += " " + g.pick("JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN") + " " + right + " ON " + on
	case 1:
		alias := g.name()
		from += " CROSS JOIN UNNEST(" + g.columnOf(list) + ") AS " + alias + " (x)"
		g.scope = append(g.scope, column{alias + ".x", text})
	case 2:
		alias := g.name()
		from += " CROSS JOIN UNNEST(" + g.columnOf(pairs) + ") AS " + alias + " (k, v)"
		g.scope = append(g.scope, column{alias + ".k", text}, column{alias + ".v", text})
	}
	if g.chance(2) {
		where = " WHERE " + g.condition()
	}
	return from, where
}

// relation makes one relation, whose columns are then in scope.
func (g *generator) relation() (from string, s *shape, alias string) {
	alias, s = g.name(), g.shape()
	for _, c := range s.columns {
		g.scope = append(g.scope, column{named(c.name, alias), c.kind})
	}
	from = s.from + " AS " + alias
	if g.shapes == nil {
		var names []string
		for _, c := range rowColumns {
			names = append(names, c.name)
		}
		from += " (" + strings.Join(names, ", ") + ")"
	}
	return from, s, alias
}

// named puts a relation's alias into an expression over its columns.
func named(expr, alias string) string { return strings.ReplaceAll(expr, "$", alias) }

// condition is a boolean expression, now and then with a subquery.
func (g *generator) condition() string {
	if !g.chance(5) {
		return g.expr(boolean, 3)
	}
	k := g.scalar()
	left, not := g.expr(k, 1), g.pick("", "NOT ")
	outer := g.scope
	defer func() { g.scope = outer }()
	from, where := g.source()
	switch g.r.IntN(3) {
	case 0:
		return left + " " + not + "IN (SELECT " + g.columnOf(k) + " FROM " + from + where + ")"
	case 1:
		return left + " " + g.pick("=", "<", ">=") + " " + g.pick("ANY", "ALL") + " (SELECT " + g.columnOf(k) + " FROM " + from + where + ")"
	}
	return left + " " + g.pick("=", "<>", "<=", ">") + " (SELECT " + g.pick("max", "min") + "(" + g.columnOf(k) + ") FROM " + from + where + ")"
}

// query makes a SELECT without GROUP BY; ks are the kinds of its columns.
func (g *generator) query(ks []kind) string {
	from, where := g.source()
	var items []string
	for _, k := range ks {
		items = append(items, g.expr(k, 3))
	}
	distinct := ""
	switch {
	case g.chance(6) && !slices.ContainsFunc(ks, func(k kind) bool { return k >= list }):
		distinct = "DISTINCT "
	case g.chance(6):
		items[0] = g.window(ks[0])
	}
	return "SELECT " + distinct + strings.Join(items, ", ") + " FROM " + from + where
}

// window makes a window function whose answer ties do not change, of the kind that is asked for as far as there is one.
func (g *generator) window(k kind) string {
	over := "("
	if g.chance(2) {
		over += "PARTITION BY " + g.columnOf(g.scalar()) + " "
	}
	over += "ORDER BY " + g.columnOf(g.scalar()) + g.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST") + ")"
	switch k {
	case integer:
		return "max(" + g.columnOf(integer) + ") OVER " + over
	case bigint:
		return g.pick("rank()", "dense_rank()", "count(*)", "count("+g.columnOf(text)+")", "sum("+g.columnOf(integer)+")") + " OVER " + over
	case double:
		return g.pick("percent_rank()", "cume_dist()", "sum("+g.columnOf(double)+")", "max("+g.columnOf(double)+")") + " OVER " + over
	case list, pairs, who:
		return g.columnOf(k)
	}
	return g.pick("max", "min") + "(" + g.columnOf(k) + ") OVER " + over
}

// grouped makes a SELECT with GROUP BY.
func (g *generator) grouped(from, where string) string {
	var items, at []string
	for i := range g.r.IntN(3) {
		items = append(items, g.expr(g.scalar(), 1))
		at = append(at, fmt.Sprint(i+1))
	}
	for range 1 + g.r.IntN(3) {
		items = append(items, g.aggregate())
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + from + where
	if at != nil {
		sql += " GROUP BY " + strings.Join(at, ", ")
	}
	if g.chance(4) {
		sql += " HAVING " + g.pick("count(*) > 1", "max("+g.columnOf(bigint)+") > 0", "min("+g.columnOf(text)+") IS NOT NULL")
	}
	return sql
}

// aggregate makes an aggregate whose answer does not depend on the order of its rows.
func (g *generator) aggregate() string {
	filter := ""
	if g.chance(5) {
		filter = " FILTER (WHERE " + g.expr(boolean, 1) + ")"
	}
	k := g.scalar()
	e, c := g.expr(k, 1), g.columnOf(k)
	switch g.r.IntN(12) {
	case 0:
		return "count(*)" + filter
	case 1:
		return "count(" + g.pick("", "DISTINCT ") + e + ")" + filter
	case 2, 3:
		return g.pick("max", "min") + "(" + e + ")" + filter
	case 4:
		return g.pick("sum", "avg") + "(" + g.expr(integer, 1) + ")" + filter
	case 5:
		return g.pick("sum", "avg") + "(" + g.columnOf(kind(g.r.IntN(3))+bigint) + ")" + filter
	case 6:
		return g.pick("bool_and", "bool_or", "every", "count_if") + "(" + g.expr(boolean, 1) + ")" + filter
	case 7:
		return "array_agg(" + e + " ORDER BY " + e + g.pick("", " DESC", " NULLS FIRST") + ")" + filter
	case 8:
		return "array_agg(DISTINCT " + c + " ORDER BY " + c + ")" + filter
	case 9:
		s := g.expr(text, 1)
		return "listagg(" + s + ", ',') WITHIN GROUP (ORDER BY " + s + ")"
	case 10:
		return "histogram(" + g.columnOf(text) + ")" + filter
	}
	return "approx_distinct(" + c + ")" + filter
}

// columnOf is a column of the kind.
func (g *generator) columnOf(k kind) string {
	var found []string
	for _, c := range g.scope {
		if c.kind == k {
			found = append(found, c.name)
		}
	}
	return g.pick(found...)
}
