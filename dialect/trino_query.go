package dialect

import "strings"

// trinoWriter writes a tree as Trino's SQL. Names are looked up as the checker does, over fields whose type may not be known (Unknown) and relations whose
// columns may not be known (opaque): Trino knows them. A name that means a store's column is always found.
type trinoWriter struct {
	*checker
	tables  map[*tableUse]*trinoUse
	opaque  map[*field]bool // fields that stand for all the columns of a relation
	named   *trinoWith
	pattern map[string]bool // row pattern variables at this place, lower case
}

// trinoWith is the chain of WITH queries that a place sees.
type trinoWith struct {
	outer *trinoWith
	name  string
	trinoColumns
}

// trinoColumns are a query's columns, as far as they are known.
type trinoColumns struct {
	fields []outField
	opaque bool // there may be others
}

func (w *trinoWriter) query(q *queryNode, parent *scope) (rope, trinoColumns) {
	saved := w.named
	defer func() { w.named = saved }()
	var ctes []rope
	for i, with := range q.with {
		for _, other := range q.with[:i] {
			if strings.EqualFold(other.name.text, with.name.text) {
				w.fail(with.name.pos, "WITH query name '%s' specified more than once", with.name.text)
			}
		}
		name := strings.ToLower(with.name.text)
		outer := w.named
		if q.recursive {
			w.named = &trinoWith{outer, name, trinoColumns{renamedFields(nil, with.columns), with.columns == nil}}
		}
		text, cols := w.query(with.query, parent)
		if with.columns != nil {
			cols = trinoColumns{renamedFields(cols.fields, with.columns), false}
		}
		w.named = &trinoWith{outer, name, cols}
		head := ident(with.name)
		if with.columns != nil {
			head += " (" + idents(with.columns) + ")"
		}
		ctes = append(ctes, lay(head+" AS (", text, ")").at(with.name.pos))
	}
	text, cols := w.queryBody(q, parent)
	if ctes != nil {
		word := "WITH "
		if q.recursive {
			word = "WITH RECURSIVE "
		}
		text = lay(word, list(ctes, ", "), " ", text)
	}
	return text.at(q.pos), cols
}

// renamedFields gives columns the names of a list, which may be longer where not all are known.
func renamedFields(fields []outField, names []name) []outField {
	out := make([]outField, len(names))
	for i, n := range names {
		if i < len(fields) {
			out[i].typ = fields[i].typ
		}
		out[i].name, out[i].label = strings.ToLower(n.text), n.text
	}
	return out
}

// queryBody writes a query without its WITH.
func (w *trinoWriter) queryBody(q *queryNode, parent *scope) (rope, trinoColumns) {
	var text rope
	var cols trinoColumns
	scp := &scope{parent: parent}
	if s, ok := q.body.(*selectNode); ok {
		text, cols, scp = w.selectText(s, parent)
	} else {
		text, cols = w.body(q.body, parent)
	}
	if len(q.order) > 0 {
		// Names mean columns of the answer first.
		answer := &scope{parent: scp}
		seen := map[string]bool{}
		for _, f := range cols.fields {
			if f.name != "" && !seen[f.name] {
				seen[f.name] = true
				answer.fields = append(answer.fields, w.newField(field{name: f.name, label: f.label, typ: f.typ}))
			}
		}
		text = lay(text, " ORDER BY ", w.sortItems(answer, q.order))
	}
	if q.offset != nil {
		text = lay(text, " OFFSET "+itoa64(q.offset.n)+" ROWS")
	}
	switch {
	case q.limit == nil:
	case q.ties:
		text = lay(text, " FETCH FIRST "+itoa64(q.limit.n)+" ROWS WITH TIES")
	case q.limit.all:
		text = lay(text, " LIMIT ALL")
	default:
		text = lay(text, " LIMIT "+itoa64(q.limit.n))
	}
	return text, cols
}

func (w *trinoWriter) body(b body, parent *scope) (rope, trinoColumns) {
	switch b := b.(type) {
	case *queryNode:
		text, cols := w.query(b, parent)
		return lay("(", text, ")"), cols
	case *selectNode:
		text, cols, _ := w.selectText(b, parent)
		return text.at(b.pos), cols
	case *setNode:
		left, cols := w.body(b.left, parent)
		right, others := w.body(b.right, parent)
		op := ") " + b.op + " "
		if b.all {
			op += "ALL "
		}
		if b.named {
			op += "CORRESPONDING "
			cols = cols.corresponding(others)
		}
		return lay("(", left, strand{text: op, pos: b.pos}, "(", right, ")"), cols
	case *valuesNode:
		return w.values(b, parent)
	case *tableNode:
		star := &selectItem{node: b.node, star: true}
		text, cols, _ := w.selectText(&selectNode{node: b.node, items: []*selectItem{star}, from: []relation{&tableRef{node: b.node, name: b.name}}}, parent)
		return text.at(b.pos), cols
	}
	panic("dialect: a query body without a case")
}

func (w *trinoWriter) values(b *valuesNode, parent *scope) (rope, trinoColumns) {
	if parent == nil {
		parent = &scope{}
	}
	var rows []rope
	var cols trinoColumns
	for n, x := range b.rows {
		v := w.expr(parent, x)
		rows = append(rows, v.text)
		types := []Type{v.typ}
		if r, ok := x.(*rowExpr); ok {
			types = types[:0]
			for _, f := range r.fields {
				types = append(types, w.literalType(f))
			}
		}
		for i, t := range types {
			if n == 0 {
				cols.fields = append(cols.fields, outField{label: "_col" + itoa(i), typ: t})
			} else if i < len(cols.fields) && cols.fields[i].typ.Kind == Unknown {
				cols.fields[i].typ = t
			}
		}
	}
	return lay("VALUES ", list(rows, ", ")).at(b.pos), cols
}

// selectText writes a SELECT; what ORDER BY may name besides its columns is in the scope.
func (w *trinoWriter) selectText(s *selectNode, parent *scope) (rope, trinoColumns, *scope) {
	scp := &scope{parent: parent}
	var from []rope
	for _, r := range s.from {
		text, fields := w.relation(r, &scope{parent: parent, fields: scp.fields}, parent)
		scp.fields = append(scp.fields, fields...)
		from = append(from, text)
	}
	items, cols := w.items(s, scp)
	text := lay("SELECT ")
	if s.distinct {
		text = lay("SELECT DISTINCT ")
	}
	text = lay(text, items)
	if from != nil {
		text = lay(text, " FROM ", list(from, ", "))
	}
	if s.where != nil {
		text = lay(text, " WHERE ", w.expr(scp, s.where).text)
	}
	if s.group != nil {
		text = lay(text, " GROUP BY ", w.groupBy(scp, s.group))
	}
	if s.having != nil {
		text = lay(text, " HAVING ", w.expr(scp, s.having).text)
	}
	for i, d := range s.windows {
		word := ", "
		if i == 0 {
			word = " WINDOW "
		}
		text = lay(text, word+ident(d.name)+" AS (", w.window(scp, d.spec), ")")
	}
	return text, cols, scp
}

func (w *trinoWriter) groupBy(scp *scope, g *groupNode) rope {
	if g.auto {
		return lay("AUTO")
	}
	var elements []rope
	for _, e := range g.sets {
		var sets []rope
		for _, set := range e.sets {
			text := w.exprs(scp, set)
			if e.kind != "" || len(set) != 1 {
				text = lay("(", text, ")")
			}
			sets = append(sets, text)
		}
		text := list(sets, ", ")
		switch e.kind {
		case "":
		case "SETS":
			text = lay("GROUPING SETS (", text, ")")
		default:
			text = lay(e.kind+" (", text, ")")
		}
		elements = append(elements, text.at(e.pos))
	}
	if g.distinct {
		return lay("DISTINCT ", list(elements, ", "))
	}
	return list(elements, ", ")
}

// items writes what stands between SELECT and FROM.
func (w *trinoWriter) items(s *selectNode, scp *scope) (rope, trinoColumns) {
	var texts []rope
	var cols trinoColumns
	for _, item := range s.items {
		if item.star {
			texts = append(texts, w.star(item, scp, &cols).at(item.pos))
			continue
		}
		v := w.expr(scp, item.x)
		f := outField{label: "_col" + itoa(len(cols.fields)), typ: v.typ}
		if names, ok := chain(item.x); ok {
			f.label = names[len(names)-1].text
			f.name = strings.ToLower(f.label)
		}
		switch {
		case item.alias != nil:
			f.label = item.alias.text
			f.name = strings.ToLower(f.label)
			v.text = lay(v.text, " AS "+ident(*item.alias))
		case v.renamed:
			v.text = lay(v.text, " AS "+quoteName(f.label))
		}
		cols.fields = append(cols.fields, f)
		texts = append(texts, v.text)
	}
	return list(texts, ", "), cols
}

// star writes *, relation.* and row.*. A hidden column that the statement names elsewhere stands in the relation too; then the others are listed.
func (w *trinoWriter) star(item *selectItem, scp *scope, cols *trinoColumns) rope {
	rel := ""
	plain := "*"
	if item.x != nil {
		names, ok := chain(item.x)
		if ok && len(names) == 1 && w.isRelation(scp, names[0]) {
			rel = strings.ToLower(names[0].text)
			plain = ident(names[0]) + ".*"
		} else {
			v := w.expr(scp, item.x)
			if ok && len(names) == 1 && !v.renamed {
				if r, found := w.lookup(scp, names); found && r.field.rel != "" {
					v.text = lay(quoteName(r.field.rel)+".", v.text) // Trino takes a single name before .* for a relation's
				}
			}
			for i, f := range v.typ.Fields {
				label := f.Name
				if item.columns != nil && i < len(item.columns) {
					label = item.columns[i].text
				}
				cols.fields = append(cols.fields, outField{name: strings.ToLower(label), label: label, typ: f.Type})
			}
			cols.opaque = cols.opaque || v.typ.Kind != Row
			return lay(v.text, ".*", w.starColumns(item))
		}
	}
	var fields []*field
	var uses []*trinoUse
	open := false
	for _, f := range scp.fields {
		if f.hidden || rel != "" && f.rel != rel {
			continue
		}
		if w.opaque[f] {
			open = true
			continue
		}
		if f.use != nil {
			u := w.tables[f.use]
			u.star = true
			uses = append(uses, u)
		}
		out := outField{name: f.name, label: f.label, typ: f.typ}
		if n := len(fields); item.columns != nil && n < len(item.columns) {
			out.label = canonical(item.columns[n])
			out.name = strings.ToLower(out.label)
		}
		fields = append(fields, f)
		cols.fields = append(cols.fields, out)
	}
	cols.opaque = cols.opaque || open
	return lay(strand{pos: -1, late: func() string {
		for _, u := range uses {
			if u.namesHidden() {
				return w.listed(item, fields, open)
			}
		}
		return plain + w.starColumns(item)
	}})
}

func (w *trinoWriter) starColumns(item *selectItem) string {
	if item.columns == nil {
		return ""
	}
	return " AS (" + idents(item.columns) + ")"
}

// listed is a star's columns by name.
func (w *trinoWriter) listed(item *selectItem, fields []*field, open bool) string {
	var list []string
	for i, f := range fields {
		if f.name == "" || f.rel == "" || open || item.columns != nil && len(item.columns) != len(fields) {
			w.fail(item.pos, "* beside a column that SELECT * leaves out works over stores and subqueries with names, and not after USING; list the columns")
		}
		text := quoteName(f.rel) + "." + quoteName(f.label)
		if item.columns != nil {
			text += " AS " + quoteName(canonical(item.columns[i]))
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// isRelation tells whether a relation of the scope, not one around it, has the name.
func (w *trinoWriter) isRelation(s *scope, n name) bool {
	for _, f := range s.fields {
		if f.rel == strings.ToLower(n.text) {
			return true
		}
	}
	return false
}

func (w *trinoWriter) sortItems(s *scope, items []*sortItem) rope {
	var all []rope
	for _, item := range items {
		text := w.expr(s, item.x).text
		if item.desc {
			text = lay(text, " DESC")
		}
		switch {
		case !item.nulls:
		case item.nullsFirst:
			text = lay(text, " NULLS FIRST")
		default:
			text = lay(text, " NULLS LAST")
		}
		all = append(all, text)
	}
	return list(all, ", ")
}
