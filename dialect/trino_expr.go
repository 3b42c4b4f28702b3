package dialect

import "strings"

// trinoValue is a written expression. Its text is whole in itself; its type is Unknown where only Trino knows it.
type trinoValue struct {
	text    rope
	typ     Type
	renamed bool // a member that an alias leads to: by itself it would have another name
}

func (w *trinoWriter) expr(s *scope, x expr) trinoValue {
	v := w.exprOf(s, x)
	v.text = v.text.at(x.at())
	return v
}

func (w *trinoWriter) exprs(s *scope, xs []expr) rope {
	texts := make([]rope, len(xs))
	for i, x := range xs {
		texts[i] = w.expr(s, x).text
	}
	return list(texts, ", ")
}

func plainText(parts ...any) trinoValue { return trinoValue{text: lay(parts...)} }

func truth(parts ...any) trinoValue { return trinoValue{text: lay(parts...), typ: TypeBoolean} }

func not(is bool) string {
	if is {
		return " NOT"
	}
	return ""
}

func (w *trinoWriter) exprOf(s *scope, x expr) trinoValue {
	switch x := x.(type) {
	case *nullLit:
		return plainText("NULL")
	case *boolLit:
		if x.value {
			return truth("true")
		}
		return truth("false")
	case *numberLit:
		return trinoValue{lay(x.text), w.literalType(x), false}
	case *stringLit:
		return trinoValue{lay(quote(x.value)), w.literalType(x), false}
	case *binaryLit:
		return trinoValue{lay("X'" + hexOf(x.value) + "'"), TypeVarbinary, false}
	case *typedLit:
		if !typeWord.MatchString(x.typ.base) {
			w.fail(x.pos, "Unknown type: %s", x.typ.base)
		}
		return trinoValue{lay(x.typ.base + " " + quote(x.value)), w.literalType(x), false}
	case *intervalLit:
		text := "INTERVAL "
		if x.negative {
			text += "-"
		}
		if text += quote(x.value) + " " + x.from; x.to != "" {
			text += " TO " + x.to
		}
		return plainText(text)
	case *columnRef, *derefExpr:
		return w.reference(s, x)
	case *subscriptExpr:
		base := w.expr(s, x.base)
		v := plainText(base.text, "[", w.expr(s, x.index).text, "]")
		if base.typ.Elem != nil {
			v.typ = *base.typ.Elem
		}
		return v
	case *unaryExpr:
		sign := "+"
		if x.minus {
			sign = "-"
		}
		v := w.expr(s, x.x)
		return trinoValue{lay("("+sign+"(", v.text, "))"), v.typ, false}
	case *arithmeticExpr:
		l, r := w.expr(s, x.left), w.expr(s, x.right)
		return trinoValue{lay("(", l.text, strand{text: " " + x.op + " ", pos: x.opPos}, r.text, ")"), arithmeticType(x.op, l.typ, r.typ), false}
	case *comparisonExpr:
		l, r := w.lenient(s, x.left, x.right)
		return truth("(", l, strand{text: " " + x.op + " ", pos: x.pos}, r, ")")
	case *logicalExpr:
		word := " AND "
		if x.or {
			word = " OR "
		}
		terms := make([]rope, len(x.terms))
		for i, t := range x.terms {
			terms[i] = w.expr(s, t).text
		}
		return truth("(", list(terms, word), ")")
	case *notExpr:
		return truth("(NOT ", w.expr(s, x.x).text, ")")
	case *betweenExpr:
		texts := w.lenients(s, x.x, x.low, x.high)
		return truth("(", texts[0], not(x.not)+" BETWEEN ", texts[1], " AND ", texts[2], ")")
	case *inListExpr:
		texts := w.lenients(s, append([]expr{x.x}, x.list...)...)
		return truth("(", texts[0], not(x.not)+" IN (", list(texts[1:], ", "), "))")
	case *inQueryExpr:
		q, _ := w.query(x.query, s)
		return truth("(", w.expr(s, x.x).text, not(x.not)+" IN (", q, "))")
	case *likeExpr:
		v := truth("(", w.expr(s, x.x).text, not(x.not)+" LIKE ", w.expr(s, x.pattern).text)
		if x.escape != nil {
			v.text = lay(v.text, " ESCAPE ", w.expr(s, x.escape).text)
		}
		v.text = lay(v.text, ")")
		return v
	case *isNullExpr:
		return truth("(", w.expr(s, x.x).text, " IS"+not(x.not)+" NULL)")
	case *distinctExpr:
		l, r := w.lenient(s, x.left, x.right)
		return truth("(", l, " IS"+not(x.not)+" DISTINCT FROM ", r, ")")
	case *quantifiedExpr:
		q, _ := w.query(x.query, s)
		word := " ANY ("
		if x.all {
			word = " ALL ("
		}
		return truth("(", w.expr(s, x.x).text, " "+x.op+word, q, "))")
	case *existsExpr:
		q, _ := w.query(x.query, s)
		return truth("EXISTS (", q, ")")
	case *subqueryExpr:
		q, cols := w.query(x.query, s)
		v := plainText("(", q, ")")
		if len(cols.fields) == 1 && !cols.opaque {
			v.typ = cols.fields[0].typ
		}
		return v
	}
	return w.form(s, x)
}

// form writes what has a syntax of its own.
func (w *trinoWriter) form(s *scope, x expr) trinoValue {
	switch x := x.(type) {
	case *caseExpr:
		return w.caseOf(s, x)
	case *castExpr:
		word := "CAST("
		if x.try {
			word = "TRY_CAST("
		}
		v := plainText(word, w.expr(s, x.x).text, strand{text: " AS ", pos: x.pos}, strand{text: w.typeText(x.typ) + ")", pos: x.typ.pos})
		v.typ = nodeType(x.typ)
		return v
	case *arrayExpr:
		v := plainText("ARRAY[", w.exprs(s, x.elems), "]")
		return v
	case *rowExpr:
		return plainText("ROW(", w.exprs(s, x.fields), ")")
	case *lambdaExpr:
		inner := &scope{parent: s}
		for _, p := range x.params {
			inner.fields = append(inner.fields, w.newField(field{name: strings.ToLower(p.text), label: p.text}))
		}
		return plainText("("+idents(x.params)+") -> ", w.expr(inner, x.body).text)
	case *atZoneExpr:
		zone := quote(x.zone)
		if x.interval != nil {
			return plainText("(", w.expr(s, x.x).text, " AT TIME ZONE ", w.expr(s, x.interval).text, ")")
		}
		return plainText("(", w.expr(s, x.x).text, " AT TIME ZONE "+zone+")")
	case *extractExpr:
		return plainText("EXTRACT("+ident(x.field)+" FROM ", w.expr(s, x.x).text, ")")
	case *trimExpr:
		word := lay("TRIM(" + x.side + " FROM ")
		if x.char != nil {
			word = lay("TRIM("+x.side+" ", w.expr(s, x.char).text, " FROM ")
		}
		return trinoValue{lay(word, w.expr(s, x.x).text, ")"), TypeVarchar, false}
	case *specialExpr:
		return w.special(x)
	case *callExpr:
		return w.call(s, x)
	case *groupingExpr:
		return plainText("GROUPING(", w.exprs(s, x.args), ")")
	case *jsonExpr:
		return w.jsonOf(s, x)
	case *jsonMakeExpr:
		return w.jsonMake(s, x)
	case *parameterExpr:
		w.fail(x.pos, "Query takes no parameters")
	}
	panic("dialect: an expression without a case")
}

func (w *trinoWriter) special(x *specialExpr) trinoValue {
	text := x.word
	if x.precision >= 0 {
		text += "(" + itoa(x.precision) + ")"
	}
	v := plainText(text)
	switch x.word {
	case "CURRENT_USER":
		return trinoValue{lay("CAST(" + quote(w.session.User) + " AS varchar)"), TypeVarchar, false}
	case "CURRENT_DATE":
		v.typ = TypeDate
	case "LOCALTIMESTAMP":
		v.typ = TypeTimestamp
	case "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH":
		w.fail(x.pos, "%s is not supported: event data stores have none", strings.ToLower(x.word))
	}
	return v
}

func (w *trinoWriter) caseOf(s *scope, x *caseExpr) trinoValue {
	text := lay("(CASE")
	var typ Type
	var operand trinoValue
	if x.operand != nil {
		operand = w.expr(s, x.operand)
		text = lay(text, " ", operand.text)
	}
	for _, c := range x.whens {
		when := w.expr(s, c.condition)
		if x.operand != nil {
			when.text = w.softened([]expr{x.operand, c.condition}, []trinoValue{operand, when})[1]
		}
		then := w.expr(s, c.result)
		text = lay(text, " WHEN ", when.text, " THEN ", then.text)
		if typ.Kind == Unknown {
			typ = then.typ
		}
	}
	if x.fallback != nil {
		v := w.expr(s, x.fallback)
		text = lay(text, " ELSE ", v.text)
		if typ.Kind == Unknown {
			typ = v.typ
		}
	}
	return trinoValue{lay(text, " END)"), typ, false}
}

// lenient writes two sides that are compared. A timestamp compares with a string literal in CloudTrail Lake and does not in Trino: then the literal is written
// as a timestamp.
func (w *trinoWriter) lenient(s *scope, left, right expr) (l, r rope) {
	texts := w.lenients(s, left, right)
	return texts[0], texts[1]
}

// lenients writes values that are compared with the first.
func (w *trinoWriter) lenients(s *scope, xs ...expr) []rope {
	values := make([]trinoValue, len(xs))
	for i, x := range xs {
		values[i] = w.expr(s, x)
	}
	return w.softened(xs, values)
}

// softened is the texts of values that are compared with the first.
func (w *trinoWriter) softened(xs []expr, values []trinoValue) []rope {
	texts := make([]rope, len(xs))
	times := false
	for i, v := range values {
		texts[i] = v.text
		times = times || i > 0 && v.typ.Kind == Timestamp
	}
	for i, x := range xs {
		lit, ok := x.(*stringLit)
		if !ok || i == 0 && !times || i > 0 && values[0].typ.Kind != Timestamp {
			continue
		}
		m, precision, ok := parseLenient(lit.value)
		if !ok {
			w.fail(lit.pos, "'%s' is not a timestamp; write '2026-01-31', '2026-01-31 10:00:00' or '2026-01-31T10:00:00Z'", lit.value)
		}
		texts[i] = lay(trinoTimestamp(m, precision)).at(lit.pos)
	}
	return texts
}

// reference writes a column and its members, or a member of any other value.
func (w *trinoWriter) reference(s *scope, x expr) trinoValue {
	if names, ok := chain(x); ok {
		if v, ok := w.names(s, names); ok {
			return v
		}
		if !w.open(s, nil) && !w.pattern[strings.ToLower(names[0].text)] {
			(&env{checker: w.checker, scope: s}).unresolved(names)
		}
		return plainText(dotted(names))
	}
	d := x.(*derefExpr)
	base := w.expr(s, d.base)
	v := plainText(base.text, "."+ident(d.name))
	v.typ, _ = memberType(base.typ, d.name.text)
	return v
}

func dotted(names []name) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = ident(n)
	}
	return strings.Join(texts, ".")
}

func memberType(t Type, name string) (Type, bool) {
	for _, f := range t.Fields {
		if f.Name != "" && strings.EqualFold(f.Name, name) {
			return f.Type, true
		}
	}
	return TypeUnknown, false
}

// names writes a chain of names that a scope knows; ok is false where none does.
func (w *trinoWriter) names(s *scope, names []name) (v trinoValue, ok bool) {
	if len(names) > 1 && w.pattern[strings.ToLower(names[0].text)] {
		if v, ok := w.names(s, names[1:]); ok {
			if v.renamed {
				w.fail(names[0].pos, "a row pattern variable before %s is not supported; write the member of eventdata that it means", names[1].text)
			}
			v.text = lay(ident(names[0])+".", v.text)
			return v, true
		}
	}
	r, ok := w.lookup(s, names)
	if !ok {
		return v, false
	}
	aliased := r.field.name != strings.ToLower(r.label.text)
	if aliased && w.open(s, r.scope) {
		w.fail(names[0].pos, "'%s' could be a column of a relation whose columns are not known here; write the member of eventdata that it means", dotted(names))
	}
	typ, path := r.field.typ, r.field.column
	text := ""
	if aliased {
		text = quoteName(r.field.name)
		if r.field.rel != "" {
			text = quoteName(r.field.rel) + "." + text
		}
	} else {
		text = dotted(names[:len(names)-len(r.steps)])
	}
	for _, step := range r.steps {
		path += "." + strings.ToLower(step.text)
		if typ.Kind == Map && step.pos == step.end { // an alias leads to a key, which need not be there
			text = "element_at(" + text + ", " + quote(step.text) + ")"
			typ = *typ.Elem
			continue
		}
		if step.pos == step.end {
			text += "." + quoteName(step.text)
		} else {
			text += "." + ident(step)
		}
		inner, ok := memberType(typ, step.text)
		if typ.Kind == Row && !ok {
			members := make([]string, len(typ.Fields))
			for i, f := range typ.Fields {
				members[i] = f.Name
			}
			w.fail(step.pos, "Column '%s' cannot be resolved%s", step.text, suggest(step.text, members))
		}
		typ = inner
	}
	if r.field.use != nil {
		w.tables[r.field.use].named[path] = true
	}
	return trinoValue{lay(text), typ, aliased}, true
}

// open tells whether a scope from s outwards, up to and with the one given, has a relation whose columns are not known.
func (w *trinoWriter) open(s, last *scope) bool {
	for ; s != nil; s = s.parent {
		for _, f := range s.fields {
			if w.opaque[f] {
				return true
			}
		}
		if s == last {
			break
		}
	}
	return false
}
