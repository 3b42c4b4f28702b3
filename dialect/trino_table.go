package dialect

import "strings"

// tableFunction writes TABLE(function(…)): Trino's own two, as a catalog's are none of Loch's.
func (w *trinoWriter) tableFunction(r *tableFunctionRef) (rope, []*field) {
	name := strings.ToLower(r.name[len(r.name)-1].text)
	if len(r.name) > 1 && !builtin(r.name) || name != "sequence" && name != "exclude_columns" || r.partition {
		w.fail(r.pos, "Table function '%s' not registered", dotted(r.name))
	}
	var args []rope
	var input trinoColumns
	excluded := map[string]bool{}
	for _, a := range r.args {
		var text rope
		switch {
		case a.descriptor && a.columns == nil:
			text = lay("CAST (NULL AS DESCRIPTOR)")
		case a.descriptor:
			if a.types {
				w.fail(a.pos, "COLUMNS descriptor contains types")
			}
			for _, n := range a.columns {
				excluded[strings.ToLower(n.text)] = true
			}
			text = lay("DESCRIPTOR (" + idents(a.columns) + ")")
		case a.table != nil:
			if a.properties != "" {
				w.fail(a.pos, "Invalid argument. A table argument with row semantics takes no %s", a.properties)
			}
			star := &selectItem{node: a.node, star: true}
			query, cols, _ := w.selectText(&selectNode{node: a.node, items: []*selectItem{star}, from: []relation{a.table}}, nil)
			input = cols
			text = lay("TABLE (", query, ")")
		default:
			text = w.expr(&scope{}, a.x).text
		}
		if a.name != nil {
			text = lay(ident(*a.name)+" => ", text)
		}
		args = append(args, text.at(a.pos))
	}
	text := lay("TABLE ("+name+"(", list(args, ", "), "))").at(r.pos)
	if name == "sequence" {
		return text, []*field{w.newField(field{name: "sequential_number", label: "sequential_number", typ: TypeBigint})}
	}
	var kept trinoColumns
	for _, f := range input.fields {
		if !excluded[f.name] {
			kept.fields = append(kept.fields, f)
		}
	}
	kept.opaque = input.opaque
	return text, w.fieldsOf(kept)
}

// corresponding are the columns whose names another query's have too.
func (c trinoColumns) corresponding(others trinoColumns) trinoColumns {
	out := trinoColumns{opaque: c.opaque || others.opaque}
	for _, f := range c.fields {
		for _, g := range others.fields {
			if f.name == g.name && f.name != "" {
				out.fields = append(out.fields, f)
				break
			}
		}
	}
	return out
}
