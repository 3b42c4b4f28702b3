package dialect

import "strings"

// pathOf writes the input, the path and the arguments of a JSON function.
func (w *trinoWriter) pathOf(s *scope, p *jsonPath) rope {
	text := lay(w.expr(s, p.input).text, formatText(p.format)+", "+quote(p.path))
	if p.pathName != nil {
		text = lay(text, " AS "+ident(*p.pathName))
	}
	for i, a := range p.arguments {
		word := ", "
		if i == 0 {
			word = " PASSING "
		}
		text = lay(text, word, w.expr(s, a.x).text, formatText(a.format)+" AS "+ident(a.name))
	}
	return text.at(p.pos)
}

func formatText(format string) string {
	switch format {
	case "":
		return ""
	case "JSON":
		return " FORMAT JSON"
	}
	return " FORMAT JSON ENCODING " + format
}

func wrapperText(wrapper, quotes string) string {
	text := ""
	switch wrapper {
	case "":
	case "WITHOUT":
		text = " WITHOUT ARRAY WRAPPER"
	default:
		text = " WITH " + wrapper + " ARRAY WRAPPER"
	}
	if quotes != "" {
		text += " " + quotes + " QUOTES"
	}
	return text
}

func (w *trinoWriter) behavior(s *scope, b *jsonBehavior, on string) rope {
	if b == nil {
		return nil
	}
	if b.value != nil {
		return lay(" DEFAULT ", w.expr(s, b.value).text, " ON "+on)
	}
	return lay(" " + b.kind + " ON " + on)
}

func (w *trinoWriter) returning(t *typeNode, format string) string {
	if t == nil {
		return ""
	}
	return " RETURNING " + w.typeText(t) + formatText(format)
}

func (w *trinoWriter) jsonOf(s *scope, x *jsonExpr) trinoValue {
	v := plainText(x.word+"(", w.pathOf(s, x.path), w.returning(x.returning, x.format)+wrapperText(x.wrapper, x.quotes), w.behavior(s, x.onEmpty, "EMPTY"), w.behavior(s, x.onError, "ERROR"), ")")
	if x.returning != nil {
		v.typ = nodeType(x.returning)
	}
	return v
}

func (w *trinoWriter) jsonMake(s *scope, x *jsonMakeExpr) trinoValue {
	text := lay(x.word + "(")
	for i, a := range x.values {
		if i > 0 {
			text = lay(text, ", ")
		}
		if x.word == "JSON_OBJECT" {
			text = lay(text, "KEY ", w.expr(s, x.keys[i]).text, " VALUE ")
		}
		text = lay(text, w.expr(s, a.x).text, formatText(a.format))
	}
	if len(x.values) > 0 {
		if x.absent {
			text = lay(text, " ABSENT ON NULL")
		} else {
			text = lay(text, " NULL ON NULL")
		}
		if x.unique {
			text = lay(text, " WITH UNIQUE KEYS")
		}
	}
	return trinoValue{lay(text, w.returning(x.returning, x.format)+")"), TypeVarchar, false}
}

func (w *trinoWriter) jsonTable(r *jsonTableRef, seen *scope) (rope, []*field) {
	if seen == nil {
		seen = &scope{}
	}
	path := w.pathOf(seen, r.path)
	columns, fields := w.jsonColumns(seen, r.columns)
	text := lay("JSON_TABLE (", path, " ", columns)
	if r.onError != "" {
		text = lay(text, " "+r.onError+" ON ERROR")
	}
	return lay(text, ")").at(r.pos), fields
}

func (w *trinoWriter) jsonColumns(s *scope, columns []*jsonColumn) (rope, []*field) {
	var texts []rope
	var fields []*field
	for _, c := range columns {
		if c.nested != nil {
			inner, more := w.jsonColumns(s, c.nested)
			text := "NESTED PATH " + quote(c.path)
			if c.name.text != "" {
				text += " AS " + ident(c.name)
			}
			texts, fields = append(texts, lay(text+" ", inner).at(c.pos)), append(fields, more...)
			continue
		}
		f := field{name: strings.ToLower(c.name.text), label: c.name.text}
		text := lay(ident(c.name))
		if c.ordinality {
			text = lay(text, " FOR ORDINALITY")
		} else {
			f.typ = nodeType(c.typ)
			text = lay(text, " "+w.typeText(c.typ)+formatText(c.format))
			if c.hasPath {
				text = lay(text, " PATH "+quote(c.path))
			}
			text = lay(text, wrapperText(c.wrapper, c.quotes), w.behavior(s, c.onEmpty, "EMPTY"), w.behavior(s, c.onError, "ERROR"))
		}
		texts, fields = append(texts, text.at(c.pos)), append(fields, w.newField(f))
	}
	return lay("COLUMNS (", list(texts, ", "), ")"), fields
}

// match writes MATCH_RECOGNIZE. What it shows, only Trino knows.
func (w *trinoWriter) match(r *matchRef, seen, outer *scope) (rope, []*field) {
	rel, fields := w.operand(r.rel, seen, outer)
	in := &scope{parent: outer, fields: fields}
	for _, f := range fields { // all rows of a match show every column
		if f.use != nil {
			w.tables[f.use].star = true
		}
	}
	text := lay(rel, " MATCH_RECOGNIZE (")
	if r.partition != nil {
		text = lay(text, "PARTITION BY ", w.exprs(in, r.partition), " ")
	}
	if r.order != nil {
		text = lay(text, "ORDER BY ", w.sortItems(in, r.order), " ")
	}
	rows := map[string]string{"ONE": "ONE ROW PER MATCH", "ALL": "ALL ROWS PER MATCH SHOW EMPTY MATCHES", "ALL OMIT": "ALL ROWS PER MATCH OMIT EMPTY MATCHES",
		"ALL UNMATCHED": "ALL ROWS PER MATCH WITH UNMATCHED ROWS"}[r.rows]
	return lay(text, w.patternOf(in, r.pattern, lay(rows)), ")").at(r.pos), []*field{w.everything()}
}

// patternOf writes what MATCH_RECOGNIZE and windows over patterns have in common; middle stands behind the measures.
func (w *trinoWriter) patternOf(s *scope, p *patternNode, middle rope) rope {
	outer := w.pattern
	defer func() { w.pattern = outer }()
	w.pattern = map[string]bool{}
	w.variables(&p.pattern)
	for _, sub := range p.subsets {
		w.pattern[strings.ToLower(sub.name.text)] = true
	}
	text := lay()
	for i, m := range p.measures {
		word := ", "
		if i == 0 {
			word = "MEASURES "
		}
		text = lay(text, word, w.expr(s, m.x).text, " AS "+ident(m.name))
	}
	if p.measures != nil {
		text = lay(text, " ")
	}
	text = lay(text, middle)
	if p.after != "" {
		text = lay(text, " AFTER MATCH SKIP ")
		switch {
		case p.skipTo != nil:
			text = lay(text, "TO "+p.after+" "+ident(*p.skipTo))
		case p.after == "NEXT ROW":
			text = lay(text, "TO NEXT ROW")
		default:
			text = lay(text, p.after)
		}
	}
	if p.seek != "" {
		text = lay(text, " "+p.seek)
	}
	if p.pattern.kind != "" {
		text = lay(text, " PATTERN ("+w.rowPattern(&p.pattern)+")")
	}
	for i, sub := range p.subsets {
		word := ", "
		if i == 0 {
			word = " SUBSET "
		}
		text = lay(text, word+ident(sub.name)+" = ("+idents(sub.union)+")")
	}
	for i, d := range p.define {
		word := ", "
		if i == 0 {
			word = " DEFINE "
		}
		text = lay(text, word+ident(d.name)+" AS ", w.expr(s, d.x).text)
	}
	return text.at(p.pos)
}

// variables notes the names of a pattern's variables.
func (w *trinoWriter) variables(p *rowPattern) {
	if p.kind == "variable" {
		w.pattern[strings.ToLower(p.name.text)] = true
	}
	for i := range p.parts {
		w.variables(&p.parts[i])
	}
}

func (w *trinoWriter) rowPattern(p *rowPattern) string {
	parts := make([]string, len(p.parts))
	for i := range p.parts {
		parts[i] = w.rowPattern(&p.parts[i])
	}
	text := ""
	switch p.kind {
	case "variable":
		text = ident(p.name)
	case "sequence":
		text = strings.Join(parts, " ")
	case "choice":
		text = strings.Join(parts, " | ")
	case "group":
		text = "(" + parts[0] + ")"
	case "empty":
		text = "()"
	case "permute":
		text = "PERMUTE(" + strings.Join(parts, ", ") + ")"
	case "exclude":
		text = "{- " + parts[0] + " -}"
	default:
		text = p.kind
	}
	return text + quantifierText(p.quantifier)
}

// quantifierText is a quantifier without the blanks and comments between its parts.
func quantifierText(q string) string {
	var b strings.Builder
	lex := lexer{q}
	for t := lex.next(0); t.kind != tokEnd; t = lex.next(t.end) {
		b.WriteString(t.text)
	}
	return b.String()
}
