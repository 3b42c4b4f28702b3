package dialect

import "strings"

// call writes a function's call. Which functions there are, Trino knows; those of its catalogs, whose names have parts, are none of Loch's.
func (w *trinoWriter) call(s *scope, x *callExpr) trinoValue {
	if len(x.name) != 1 {
		w.fail(x.pos, "Function '%s' not registered", dotted(x.name))
	}
	if x.measure {
		return trinoValue{text: lay(ident(x.name[0]), w.overText(s, x.over))}
	}
	fn := strings.ToLower(x.name[0].text)
	var args []trinoValue
	var texts []rope
	for _, a := range x.args {
		v := w.expr(s, a)
		args, texts = append(args, v), append(texts, v.text)
	}
	if fn == "normalize" && len(x.args) == 2 {
		texts[1] = lay(x.args[1].(*stringLit).value) // one of four words, says the parser
	}
	if fn == "nullif" && len(x.args) == 2 {
		texts = w.softened(x.args, args)
	}
	text := lay(ident(x.name[0]) + "(")
	if x.mode != "" {
		text = lay(x.mode+" ", text)
	}
	if x.distinct {
		text = lay(text, "DISTINCT ")
	}
	switch {
	case x.label != nil:
		text = lay(text, ident(*x.label)+".*")
	case x.star:
		text = lay(text, "*")
	default:
		text = lay(text, list(texts, ", "))
	}
	if x.within {
		text = lay(text, w.overflow(x), ") WITHIN GROUP (ORDER BY ", w.sortItems(s, x.order), ")")
	} else {
		if x.order != nil {
			text = lay(text, " ORDER BY ", w.sortItems(s, x.order))
		}
		text = lay(text, ")")
	}
	if x.filter != nil {
		text = lay(text, " FILTER (WHERE ", w.expr(s, x.filter).text, ")")
	}
	if x.nulls != "" {
		text = lay(text, " "+x.nulls+" NULLS")
	}
	if x.over != nil {
		text = lay(text, w.overText(s, x.over))
	}
	return trinoValue{text, callType(fn, args), false}
}

func (w *trinoWriter) overText(s *scope, o *overClause) rope {
	if o.name != nil {
		return lay(" OVER " + ident(*o.name))
	}
	return lay(" OVER (", w.window(s, o.spec), ")")
}

// overflow is what LISTAGG does where the text is too long.
func (w *trinoWriter) overflow(x *callExpr) string {
	if x.overflow != "TRUNCATE" {
		return " ON OVERFLOW ERROR"
	}
	text := " ON OVERFLOW TRUNCATE"
	if x.filler != nil {
		text += " " + quote(x.filler.value)
	}
	if x.count {
		return text + " WITH COUNT"
	}
	return text + " WITHOUT COUNT"
}

func (w *trinoWriter) window(s *scope, spec *windowSpec) rope {
	var parts []rope
	if spec.base != nil {
		parts = append(parts, lay(ident(*spec.base)))
	}
	if spec.partition != nil {
		parts = append(parts, lay("PARTITION BY ", w.exprs(s, spec.partition)))
	}
	if spec.order != nil {
		parts = append(parts, lay("ORDER BY ", w.sortItems(s, spec.order)))
	}
	if f := spec.frame; f != nil {
		text := lay(f.unit+" BETWEEN ", w.bound(s, f.first), " AND ", w.bound(s, f.last))
		if f.pattern != nil {
			text = w.patternOf(s, f.pattern, text)
		}
		parts = append(parts, text.at(f.pos))
	}
	return list(parts, " ")
}

func (w *trinoWriter) bound(s *scope, b bound) rope {
	if b.x == nil {
		return lay(b.kind)
	}
	return lay(w.expr(s, b.x).text, " "+b.kind)
}

// callType is a call's type, where it is that of an argument: what a comparison with a string literal may need to know.
func callType(fn string, args []trinoValue) Type {
	arg := func(i int) Type {
		if i < len(args) {
			return args[i].typ
		}
		return TypeUnknown
	}
	elem := func(t Type) Type {
		if t.Elem != nil {
			return *t.Elem
		}
		return TypeUnknown
	}
	switch fn {
	case "max", "min":
		if len(args) == 1 {
			return arg(0)
		}
	case "max_by", "min_by":
		if len(args) == 2 {
			return arg(0)
		}
	case "arbitrary", "any_value", "first_value", "last_value", "nth_value", "lag", "lead", "try", "nullif", "first", "last", "prev", "next",
		"filter", "array_sort", "array_distinct", "slice", "reverse", "array_union", "array_except", "array_intersect", "map_filter":
		return arg(0)
	case "coalesce", "greatest", "least":
		for _, a := range args {
			if a.typ.Kind != Unknown && a.typ.Kind != Varchar {
				return a.typ
			}
		}
		return arg(0)
	case "if":
		if t := arg(1); t.Kind != Unknown {
			return t
		}
		return arg(2)
	case "date_trunc":
		return arg(1)
	case "date_add":
		return arg(2)
	case "date_parse":
		return TypeTimestamp
	case "date", "from_iso8601_date", "last_day_of_month":
		return TypeDate
	case "array_agg":
		return ArrayOf(arg(0))
	case "map_keys":
		if t := arg(0); t.Key != nil {
			return ArrayOf(*t.Key)
		}
	case "map_values":
		if t := arg(0); t.Kind == Map {
			return ArrayOf(*t.Elem)
		}
	case "map_agg":
		return MapOf(arg(0), arg(1))
	case "element_at", "array_max", "array_min":
		return elem(arg(0))
	case "split", "regexp_extract_all", "regexp_split":
		return ArrayOf(TypeVarchar)
	}
	return TypeUnknown
}

func arithmeticType(op string, l, r Type) Type {
	switch {
	case op == "||" && l.Kind == Array:
		return l
	case op == "||":
		return TypeVarchar
	case (l.Kind == Timestamp || l.Kind == Date) && r.Kind == Unknown && (op == "+" || op == "-"):
		return l
	case (r.Kind == Timestamp || r.Kind == Date) && l.Kind == Unknown && op == "+":
		return r
	}
	return TypeUnknown
}

// nodeType is the type that a cast names, where a comparison may need to know it.
func nodeType(n *typeNode) Type {
	switch n.base {
	case "timestamp":
		if len(n.params) == 1 {
			return TimestampOf(n.params[0])
		}
		return TypeTimestamp
	case "date":
		return TypeDate
	case "varchar":
		return TypeVarchar
	case "array":
		if len(n.args) == 1 {
			return ArrayOf(nodeType(n.args[0]))
		}
	case "map":
		if len(n.args) == 2 {
			return MapOf(nodeType(n.args[0]), nodeType(n.args[1]))
		}
	case "row":
		t := Type{Kind: Row}
		for i, a := range n.args {
			t.Fields = append(t.Fields, Field{n.fields[i].text, nodeType(a)})
		}
		return t
	}
	return TypeUnknown
}

// literalType is the type of a literal.
func (w *trinoWriter) literalType(x expr) Type {
	switch x := x.(type) {
	case *stringLit:
		return TypeVarchar
	case *typedLit:
		p, ok := parseTimestamp(x.value)
		switch x.typ.base {
		case "timestamp":
			if ok && p.zone == "" {
				return TimestampOf(p.precision)
			}
		case "date":
			return TypeDate
		}
	case *castExpr:
		return nodeType(x.typ)
	}
	return TypeUnknown
}
