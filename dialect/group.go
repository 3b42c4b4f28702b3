package dialect

import (
	"reflect"
	"strings"
)

// grouping is GROUP BY with the aggregates above it. It is written as a query of its own, whose columns are the keys g0, g1, … and the
// aggregates a0, a1, …; what stands above reads these.
type grouping struct {
	rel     string
	plain   *scope // below GROUP BY
	keys    []value
	byKey   map[string]value // keys by what names them
	shapes  map[reflect.Type]bool
	sets    [][]int // indexes of keys; nil where there is one set, of all
	columns []string
	known   map[string]value // aggregates by their SQL
}

// maxSets bounds what CUBE and ROLLUP multiply to, as Trino does.
const maxSets = 2048

func (c *checker) group(s *selectNode, scp *scope) *grouping {
	g := &grouping{rel: c.relationName(), plain: scp, byKey: map[string]value{}, shapes: map[reflect.Type]bool{}, known: map[string]value{}}
	if s.group == nil {
		return g
	}
	if s.group.auto {
		for _, item := range c.expanded(s, scp) {
			if item.x == nil {
				c.groupField(g, scp, item.field)
				continue
			}
			if call, ok := item.x.(*callExpr); ok && c.aggregated(call) && call.over == nil && aggregateFunctions[strings.ToLower(call.name[0].text)] != nil {
				continue // an aggregate by itself is no key; one within an expression is an error
			}
			if c.aggregated(item.x) {
				c.fail(item.x.at(), "GROUP BY clause cannot contain aggregations, window functions or grouping operations: [%s]", c.source(item.x))
			}
			c.groupKey(g, s, item.x)
		}
		return g
	}
	sets := [][]int{{}}
	plain := true
	for _, e := range s.group.sets {
		var alternatives [][]int
		var lists [][]int
		for _, set := range e.sets {
			list := []int{}
			for _, x := range set {
				if e.kind != "" {
					names, ok := chain(x)
					if ok {
						r, known := c.lookup(scp, names)
						ok = !known || len(r.steps) == 0
					}
					if !ok {
						c.fail(x.at(), "GROUP BY expression must be a column reference: %s", c.source(x))
					}
				}
				list = append(list, c.groupKey(g, s, x))
			}
			lists = append(lists, list)
		}
		switch e.kind {
		case "":
			alternatives = lists
		case "SETS":
			alternatives, plain = lists, false
		case "ROLLUP":
			plain = false
			for n := len(lists); n >= 0; n-- {
				alternatives = append(alternatives, flat(lists[:n]))
			}
		case "CUBE":
			plain = false
			if len(lists) > 11 {
				c.fail(e.pos, "GROUP BY has more than %d grouping sets", maxSets)
			}
			for bits := 1<<len(lists) - 1; bits >= 0; bits-- {
				var chosen [][]int
				for i, l := range lists {
					if bits>>(len(lists)-1-i)&1 == 1 {
						chosen = append(chosen, l)
					}
				}
				alternatives = append(alternatives, flat(chosen))
			}
		}
		var product [][]int
		for _, a := range sets {
			for _, b := range alternatives {
				product = append(product, flat([][]int{a, b}))
			}
		}
		if sets = product; len(sets) > maxSets {
			c.fail(e.pos, "GROUP BY has more than %d grouping sets", maxSets)
		}
	}
	if s.group.distinct {
		sets = distinctSets(sets)
	}
	if !plain || len(g.keys) == 0 {
		g.sets = sets
	}
	return g
}

// flat joins lists of key indexes, each key once.
func flat(lists [][]int) []int {
	all := []int{}
	seen := map[int]bool{}
	for _, l := range lists {
		for _, k := range l {
			if !seen[k] {
				seen[k] = true
				all = append(all, k)
			}
		}
	}
	return all
}

func distinctSets(sets [][]int) [][]int {
	var kept [][]int
	seen := map[string]bool{}
	for _, s := range sets {
		bits := make([]byte, 1024)
		n := 0
		for _, k := range s {
			if k < len(bits) {
				bits[k] = 1
				n = max(n, k+1)
			}
		}
		if id := string(bits[:n]); !seen[id] {
			seen[id] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// groupKey adds one expression of GROUP BY, or finds it among those there are; a number means a column of SELECT.
func (c *checker) groupKey(g *grouping, s *selectNode, x expr) int {
	if n, ok := x.(*numberLit); ok && n.kind == tokInteger {
		i, _ := integer(n.text)
		items := c.expanded(s, g.plain)
		if i < 1 || i > int64(len(items)) {
			c.fail(n.pos, "GROUP BY position %s is not in select list", n.text)
		}
		item := items[i-1]
		if item.x == nil {
			return c.groupField(g, g.plain, item.field)
		}
		x = item.x
		if c.aggregated(x) {
			c.fail(n.pos, "GROUP BY clause cannot contain aggregations, window functions or grouping operations: [%s]", c.source(x))
		}
	}
	key := c.key(g.plain, x)
	for i := range g.keys {
		if g.keys[i].path == key {
			return i
		}
	}
	e := &env{checker: c, scope: g.plain, clause: "GROUP BY clause"}
	v := e.expr(x)
	if !v.typ.comparable() {
		c.unsupported(x.at(), "GROUP BY over values of type "+v.typ.String())
	}
	g.shapes[reflect.TypeOf(x)] = true
	return c.addKey(g, key, v)
}

func (c *checker) addKey(g *grouping, key string, v value) int {
	i := len(g.keys)
	g.keys = append(g.keys, value{sql: c.canonicalMaps(c.typed(v), v.typ), typ: v.typ, path: key})
	g.byKey[key] = value{sql: g.rel + ".g" + itoa(i), typ: v.typ, easy: true}
	return i
}

// groupField groups by a column that a star stands for.
func (c *checker) groupField(g *grouping, scp *scope, f *field) int {
	r := reference{scope: scp, field: f}
	key := r.key()
	for i := range g.keys {
		if g.keys[i].path == key {
			return i
		}
	}
	g.shapes[reflect.TypeOf(&columnRef{})] = true
	return c.addKey(g, key, c.referenceValue(r))
}

// column is one column of a SELECT: an expression, or the field that a star stands for.
type column struct {
	x     expr
	field *field
}

// expanded are the columns of a SELECT.
func (c *checker) expanded(s *selectNode, scp *scope) []column {
	var list []column
	for _, item := range s.items {
		if !item.star {
			list = append(list, column{x: item.x})
			continue
		}
		rel := ""
		if item.x != nil {
			ref, ok := item.x.(*columnRef)
			if !ok {
				c.unsupported(item.pos, "GROUP BY by position or AUTO beside the members of a row")
			}
			rel = strings.ToLower(ref.name.text)
		}
		n := len(list)
		for _, f := range scp.fields {
			if !f.hidden && (rel == "" || f.rel == rel) {
				list = append(list, column{field: f})
			}
		}
		if rel != "" && n == len(list) {
			c.unsupported(item.pos, "GROUP BY by position or AUTO beside the members of a row")
		}
	}
	return list
}

// aggregate adds a column to the grouping's query and answers how it is read above.
func (g *grouping) aggregate(sql string, t Type) value {
	if v, ok := g.known[sql]; ok {
		return v
	}
	v := value{sql: g.rel + ".a" + itoa(len(g.columns)), typ: t, easy: true}
	g.columns = append(g.columns, sql)
	g.known[sql] = v
	return v
}

// sql is the grouping's query over from, which holds FROM and WHERE.
func (g *grouping) sql(from string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, k := range g.keys {
		b.WriteString(k.sql + " AS g" + itoa(i) + ", ")
	}
	for i, a := range g.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a + " AS a" + itoa(i))
	}
	if len(g.columns) == 0 {
		b.WriteString("count(*) AS a0")
	}
	b.WriteString(from)
	switch {
	case g.sets != nil && len(g.keys) == 0 && len(g.sets) == 1:
		// GROUP BY (): one group, also of nothing
	case g.sets != nil:
		b.WriteString(" GROUP BY GROUPING SETS (")
		for i, s := range g.sets {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteByte('(')
			for j, k := range s {
				if j > 0 {
					b.WriteString(", ")
				}
				b.WriteString(itoa(k + 1))
			}
			b.WriteByte(')')
		}
		b.WriteByte(')')
	case len(g.keys) > 0:
		b.WriteString(" GROUP BY ")
		for i := range g.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(itoa(i + 1))
		}
	}
	return b.String()
}

// aggregates tells whether a SELECT without GROUP BY and HAVING aggregates all the same.
func aggregates(s *selectNode, q *queryNode) bool {
	for _, item := range s.items {
		if item.x != nil && isAggregated(item.x) {
			return true
		}
	}
	for _, o := range q.order {
		if isAggregated(o.x) {
			return true
		}
	}
	return false
}

func (c *checker) aggregated(x expr) bool { return isAggregated(x) }

// isAggregated tells whether an aggregate stands in x, outside of subqueries.
func isAggregated(x expr) bool {
	switch call := x.(type) {
	case *callExpr:
		if call.over == nil && len(call.name) == 1 {
			if f := aggregateFunctions[strings.ToLower(call.name[0].text)]; f != nil {
				return true
			}
		}
	case *groupingExpr:
		return true
	}
	for _, child := range children(x) {
		if isAggregated(child) {
			return true
		}
	}
	return false
}
