package dialect

import "strings"

// relation writes one relation and gives the fields that it shows. seen is what a LATERAL query or UNNEST sees.
func (w *trinoWriter) relation(r relation, seen, outer *scope) (rope, []*field) {
	switch r := r.(type) {
	case *tableRef:
		text, fields, table := w.table(r)
		if table {
			text = lay(text, " AS "+quoteName(r.name[len(r.name)-1].text))
		}
		return text, fields
	case *aliasRef:
		return w.alias(r, seen, outer)
	case *queryRef:
		at, word := outer, "("
		if r.lateral {
			at, word = seen, "LATERAL ("
		}
		text, cols := w.query(r.query, at)
		return lay(word, text, ")").at(r.pos), w.fieldsOf(cols)
	case *unnestRef:
		return w.unnest(r, seen)
	case *joinRef:
		return w.join(r, seen, outer)
	case *sampleRef:
		text, fields := w.operand(r.rel, seen, outer)
		return lay(text, " TABLESAMPLE "+r.method+" (", w.expr(&scope{}, r.percentage).text, ")").at(r.pos), fields
	case *matchRef:
		return w.match(r, seen, outer)
	case *jsonTableRef:
		return w.jsonTable(r, seen)
	case *tableFunctionRef:
		return w.tableFunction(r)
	}
	panic("dialect: a relation without a case")
}

// operand is a relation where a join must stand in parentheses.
func (w *trinoWriter) operand(r relation, seen, outer *scope) (rope, []*field) {
	text, fields := w.relation(r, seen, outer)
	if _, ok := r.(*joinRef); ok {
		text = lay("(", text, ")")
	}
	return text, fields
}

// fieldsOf are a query's columns as a relation's.
func (w *trinoWriter) fieldsOf(cols trinoColumns) []*field {
	var out []*field
	for _, f := range cols.fields {
		out = append(out, w.newField(field{name: f.name, label: f.label, typ: f.typ}))
	}
	if cols.opaque {
		out = append(out, w.everything())
	}
	return out
}

// everything is the field of a relation whose columns only Trino knows.
func (w *trinoWriter) everything() *field {
	f := w.newField(field{})
	w.opaque[f] = true
	return f
}

// table writes what is named after FROM: a WITH query, or a store, whose query has no name yet.
func (w *trinoWriter) table(r *tableRef) (text rope, fields []*field, store bool) {
	if r.period != nil {
		w.fail(r.pos, "FOR … AS OF is not supported: a query reads what the event data store holds now")
	}
	rel := strings.ToLower(r.name[len(r.name)-1].text)
	if len(r.name) == 1 {
		for with := w.named; with != nil; with = with.outer {
			if with.name == rel {
				fields := w.fieldsOf(with.trinoColumns)
				for _, f := range fields {
					f.rel = rel
				}
				return lay(ident(r.name[0])).at(r.pos), fields, false
			}
		}
	}
	if len(w.uses) == maxUses {
		w.fail(r.pos, "the statement names more than %d tables", maxUses)
	}
	table := w.resolveTable(r.name)
	use := &tableUse{table: table, relation: "store_" + itoa(len(w.uses)), columns: map[string]bool{}, pos: r.pos}
	w.uses = append(w.uses, use)
	u := &trinoUse{table: table, named: map[string]bool{}}
	w.tables[use] = u
	for _, col := range table.Columns {
		fields = append(fields, w.newField(field{rel: rel, name: col.Name, label: col.Name, typ: col.Type, hidden: col.Hidden, use: use, column: col.Name}))
	}
	if len(table.Aliases) > 0 {
		fields = append(fields, w.newField(field{rel: rel, hidden: true, use: use, aliases: table}))
	}
	return rope{{use: u, pos: r.pos}}, fields, true
}

func (w *trinoWriter) alias(r *aliasRef, seen, outer *scope) (rope, []*field) {
	var text rope
	var fields []*field
	if t, ok := r.rel.(*tableRef); ok {
		text, fields, _ = w.table(t)
	} else {
		text, fields = w.operand(r.rel, seen, outer)
		if _, ok := r.rel.(*aliasRef); ok {
			text = lay("(", text, ")")
		}
	}
	rel := strings.ToLower(r.alias.text)
	text = lay(text, " AS "+ident(r.alias))
	if r.columns != nil {
		text = lay(text, " ("+idents(r.columns)+")")
		var named []*field
		for _, f := range fields {
			if f.hidden || w.opaque[f] || len(named) == len(r.columns) {
				continue // nothing but the columns listed has a name now
			}
			n := r.columns[len(named)]
			f.name, f.label = strings.ToLower(n.text), n.text
			named = append(named, f)
		}
		for _, n := range r.columns[len(named):] { // their number is Trino's to check
			named = append(named, w.newField(field{name: strings.ToLower(n.text), label: n.text}))
		}
		fields = named
	}
	for _, f := range fields {
		f.rel, f.relFull = rel, ""
	}
	return text.at(r.pos), fields
}

func (w *trinoWriter) unnest(r *unnestRef, seen *scope) (rope, []*field) {
	if seen == nil {
		seen = &scope{}
	}
	var args []rope
	var fields []*field
	add := func(t Type, name string) {
		fields = append(fields, w.newField(field{name: strings.ToLower(name), label: name, typ: t}))
	}
	open := false
	for _, x := range r.args {
		v := w.expr(seen, x)
		args = append(args, v.text)
		switch {
		case open:
		case v.typ.Kind == Array && v.typ.Elem.Kind == Row:
			for _, f := range v.typ.Elem.Fields {
				add(f.Type, f.Name)
			}
		case v.typ.Kind == Array && v.typ.Elem.Kind != Unknown:
			add(*v.typ.Elem, "")
		case v.typ.Kind == Map:
			add(*v.typ.Key, "")
			add(*v.typ.Elem, "")
		default:
			open = true // how many columns it gives, only Trino knows
			fields = append(fields, w.everything())
		}
	}
	text := lay("UNNEST (", list(args, ", "), ")")
	if r.ordinality {
		text = lay(text, " WITH ORDINALITY")
		if !open {
			add(TypeBigint, "")
		}
	}
	return text.at(r.pos), fields
}

func (w *trinoWriter) join(r *joinRef, seen, outer *scope) (rope, []*field) {
	if r.natural {
		w.fail(r.pos, "Natural join not supported")
	}
	left, fields := w.relation(r.left, seen, outer)
	right, more := w.operand(r.right, &scope{parent: seen, fields: fields}, outer)
	all := append(append([]*field(nil), fields...), more...)
	word := " " + r.kind + " JOIN "
	switch {
	case r.kind == "CROSS":
		return lay(left, strand{text: word, pos: r.pos}, right), all
	case r.using != nil:
		return lay(left, strand{text: word, pos: r.pos}, right, " USING ("+idents(r.using)+")"), w.using(r, fields, more)
	}
	on := w.expr(&scope{parent: seen, fields: all}, r.on)
	return lay(left, strand{text: word, pos: r.pos}, right, " ON ", on.text), all
}

// using makes the fields of a join with USING: those it names come first and belong to neither side.
func (w *trinoWriter) using(r *joinRef, left, right []*field) []*field {
	var out []*field
	gone := map[*field]bool{}
	for _, n := range r.using {
		merged := field{name: strings.ToLower(n.text), label: n.text}
		for _, f := range append(append([]*field(nil), left...), right...) {
			if f.name != merged.name {
				continue
			}
			gone[f] = true
			if merged.typ.Kind == Unknown {
				merged.typ = f.typ
			}
			if f.use != nil {
				w.tables[f.use].named[f.column] = true
			}
		}
		out = append(out, w.newField(merged))
	}
	for _, f := range append(append([]*field(nil), left...), right...) {
		if !gone[f] {
			out = append(out, f)
		}
	}
	return out
}
