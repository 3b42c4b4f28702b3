package dialect

import "strings"

// wordExpression reads the expressions that begin with a word of their own, or is nil where the current word is none of these.
func (p *parser) wordExpression() expr {
	t := p.tok
	at := node{t.pos, t.end}
	opens := p.peek(1).isSym("(")
	switch t.word {
	case "NULL":
		p.advance()
		return &nullLit{at}
	case "TRUE", "FALSE":
		p.advance()
		return &boolLit{at, t.word == "TRUE"}
	case "CASE":
		return p.caseExpression()
	case "CAST":
		return p.cast(false)
	case "TRY_CAST":
		if opens {
			return p.cast(true)
		}
	case "EXISTS":
		p.advance()
		e := &existsExpr{node: at, query: p.parenQuery()}
		e.end = p.prevEnd
		return e
	case "EXTRACT":
		p.advance()
		p.expectSym("(")
		e := &extractExpr{node: at, field: p.identifier()}
		p.expect("FROM")
		e.x = p.valueExpression(0)
		p.expectSym(")")
		e.end = p.prevEnd
		return e
	case "TRIM":
		return p.trim()
	case "NORMALIZE":
		return p.normalize()
	case "GROUPING":
		p.advance()
		p.expectSym("(")
		g := &groupingExpr{node: at}
		for !p.tok.isSym(")") {
			g.args = append(g.args, p.qualifiedReference())
			if !p.acceptSym(",") {
				break
			}
		}
		p.expectSym(")")
		g.end = p.prevEnd
		return g
	case "LISTAGG":
		return p.listagg()
	case "JSON_EXISTS", "JSON_VALUE", "JSON_QUERY":
		return p.jsonQuery()
	case "JSON_OBJECT", "JSON_ARRAY":
		return p.jsonMake()
	case "CURRENT_DATE", "CURRENT_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH":
		p.advance()
		return &specialExpr{at, t.word, -1}
	case "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP":
		p.advance()
		s := &specialExpr{at, t.word, -1}
		if p.acceptSym("(") {
			s.precision = int(p.rowCount().n)
			p.expectSym(")")
			s.end = p.prevEnd
		}
		return s
	case "INTERVAL":
		if n := p.peek(1); n.kind == tokString || n.kind == tokUnicode || (n.isSym("-") || n.isSym("+")) && p.peek(2).kind == tokString {
			return p.interval()
		}
	case "ARRAY":
		if p.peek(1).isSym("[") {
			p.advance()
			p.advance()
			a := &arrayExpr{node: at}
			for !p.tok.isSym("]") {
				a.elems = append(a.elems, p.expression())
				if !p.acceptSym(",") {
					break
				}
			}
			p.expectSym("]")
			a.end = p.prevEnd
			return a
		}
	case "ROW":
		if opens {
			p.advance()
			p.advance()
			r := &rowExpr{node: at, fields: []expr{p.expression()}}
			for p.acceptSym(",") {
				r.fields = append(r.fields, p.expression())
			}
			p.expectSym(")")
			r.end = p.prevEnd
			return r
		}
	case "POSITION":
		if opens {
			p.advance()
			p.advance()
			c := &callExpr{node: at, name: []name{{node: at, text: "strpos"}}}
			needle := p.valueExpression(0)
			p.expect("IN")
			c.args = []expr{p.valueExpression(0), needle}
			p.expectSym(")")
			c.end = p.prevEnd
			return c
		}
	case "SUBSTRING":
		if opens {
			return p.substring()
		}
	case "DOUBLE":
		if p.peek(1).is("PRECISION") && p.peek(2).kind == tokString {
			p.advance()
			p.advance()
			l := &typedLit{node: at, typ: &typeNode{node: at, base: "double"}, value: p.stringValue()}
			l.end = p.prevEnd
			return l
		}
	}
	if (t.is("RUNNING") || t.is("FINAL")) && isName(p.peek(1)) && p.peek(2).isSym("(") {
		p.advance()
		c := p.call().(*callExpr)
		c.mode = t.word
		return c
	}
	return nil
}

func (p *parser) qualifiedReference() expr {
	names := p.qualifiedName()
	var x expr = &columnRef{names[0].node, names[0]}
	for _, n := range names[1:] {
		x = &derefExpr{node{x.at(), n.end}, x, n}
	}
	return x
}

func (p *parser) caseExpression() expr {
	c := &caseExpr{node: node{pos: p.tok.pos}}
	p.expect("CASE")
	if !p.tok.is("WHEN") {
		c.operand = p.expression()
	}
	for p.accept("WHEN") {
		w := whenClause{condition: p.expression()}
		p.expect("THEN")
		w.result = p.expression()
		c.whens = append(c.whens, w)
	}
	if len(c.whens) == 0 {
		p.unexpected("'WHEN'")
	}
	if p.accept("ELSE") {
		c.fallback = p.expression()
	}
	p.expect("END")
	c.end = p.prevEnd
	return c
}

func (p *parser) cast(try bool) expr {
	c := &castExpr{node: node{pos: p.tok.pos}, try: try}
	p.advance()
	p.expectSym("(")
	c.x = p.expression()
	p.expect("AS")
	c.typ = p.typeName()
	p.expectSym(")")
	c.end = p.prevEnd
	return c
}

// trim reads TRIM([[LEADING|TRAILING|BOTH] [chars] FROM] source) and TRIM(source, chars).
func (p *parser) trim() expr {
	t := &trimExpr{node: node{pos: p.tok.pos}, side: "BOTH"}
	p.expect("TRIM")
	p.expectSym("(")
	sided := false
	if w := p.tok.word; (w == "LEADING" || w == "TRAILING" || w == "BOTH") && !p.peek(1).isSym(")") && !p.peek(1).isSym(",") {
		t.side, sided = w, true
		p.advance()
	}
	if sided && p.accept("FROM") {
		t.x = p.valueExpression(0)
	} else {
		t.x = p.valueExpression(0)
		switch {
		case p.accept("FROM"):
			t.char = t.x
			t.x = p.valueExpression(0)
		case !sided && p.acceptSym(","):
			t.char = p.valueExpression(0)
		case sided:
			p.unexpected("'FROM'")
		}
	}
	p.expectSym(")")
	t.end = p.prevEnd
	return t
}

func (p *parser) normalize() expr {
	at := node{p.tok.pos, p.tok.end}
	c := &callExpr{node: at, name: []name{{node: at, text: "normalize"}}}
	p.expect("NORMALIZE")
	p.expectSym("(")
	c.args = []expr{p.valueExpression(0)}
	form := "NFC"
	if p.acceptSym(",") {
		form = p.oneOf("NFC", "NFD", "NFKC", "NFKD")
	}
	c.args = append(c.args, &stringLit{at, form})
	p.expectSym(")")
	c.end = p.prevEnd
	return c
}

// substring reads SUBSTRING(x FROM n [FOR m]) and the plain call.
func (p *parser) substring() expr {
	at := node{p.tok.pos, p.tok.end}
	c := &callExpr{node: at, name: []name{{node: at, text: "substring"}}}
	p.advance()
	p.expectSym("(")
	p.enter()
	c.args = []expr{p.expression()}
	if p.accept("FROM") {
		c.args = append(c.args, p.valueExpression(0))
		if p.accept("FOR") {
			c.args = append(c.args, p.valueExpression(0))
		}
	} else {
		for p.acceptSym(",") {
			c.args = append(c.args, p.expression())
		}
	}
	p.expectSym(")")
	p.leave()
	c.end = p.prevEnd
	return c
}

func (p *parser) listagg() expr {
	at := node{p.tok.pos, p.tok.end}
	c := &callExpr{node: at, name: []name{{node: at, text: "listagg"}}, overflow: "ERROR", within: true}
	p.advance()
	p.expectSym("(")
	if p.accept("DISTINCT") {
		c.distinct = true
	} else {
		p.accept("ALL")
	}
	c.args = []expr{p.expression()}
	if p.acceptSym(",") {
		if p.tok.kind != tokString && p.tok.kind != tokUnicode {
			p.unexpected("<string>")
		}
		c.args = append(c.args, p.primary())
	}
	if p.acceptAll("ON", "OVERFLOW") {
		c.overflow = p.oneOf("ERROR", "TRUNCATE")
		if c.overflow == "TRUNCATE" {
			if p.tok.kind == tokString || p.tok.kind == tokUnicode {
				c.filler = p.primary().(*stringLit)
			}
			c.count = p.oneOf("WITH", "WITHOUT") == "WITH"
			p.expect("COUNT")
		}
	}
	p.expectSym(")")
	p.expect("WITHIN")
	p.expect("GROUP")
	p.expectSym("(")
	p.expect("ORDER")
	p.expect("BY")
	c.order = p.sortItems()
	p.expectSym(")")
	p.callTail(c)
	return c
}

var intervalFields = []string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}

// typeName reads a type; the array forms that follow an element's type too.
func (p *parser) typeName() *typeNode {
	p.enter()
	defer p.leave()
	t := p.typePrimary()
	for n := 1; p.tok.is("ARRAY"); n++ {
		p.chain(n)
		p.advance()
		if p.acceptSym("[") {
			p.rowCount()
			p.expectSym("]")
		}
		t = &typeNode{node: node{t.pos, p.prevEnd}, base: "array", args: []*typeNode{t}}
	}
	return t
}

func (p *parser) typePrimary() *typeNode {
	t := &typeNode{node: node{pos: p.tok.pos}}
	defer func() { t.end = p.prevEnd }()
	switch word := p.tok.word; {
	case word == "ROW" && p.peek(1).isSym("("):
		p.advance()
		p.advance()
		t.base = "row"
		for {
			var n name
			if p.fieldNameFollows() {
				n = p.identifier()
			}
			t.fields = append(t.fields, n)
			t.args = append(t.args, p.typeName())
			if !p.acceptSym(",") {
				break
			}
		}
		p.expectSym(")")
	case word == "INTERVAL":
		p.advance()
		t.base = "interval " + strings.ToLower(p.oneOf(intervalFields...))
		if p.accept("TO") {
			t.base += " to " + strings.ToLower(p.oneOf(intervalFields...))
		}
	case word == "TIMESTAMP" || word == "TIME":
		p.advance()
		t.base = strings.ToLower(word)
		if p.acceptSym("(") {
			if p.tok.kind != tokInteger {
				p.fail(p.tok.pos, "Parameter to datetime type must be either a number or a type variable: %s", p.tok.text)
			}
			t.params = []int{int(min(p.rowCount().n, 1<<31))}
			p.expectSym(")")
		}
		if p.acceptAll("WITH", "TIME", "ZONE") {
			t.base += " with time zone"
		} else {
			p.acceptAll("WITHOUT", "TIME", "ZONE")
		}
	case word == "DOUBLE" && p.peek(1).is("PRECISION"):
		p.advance()
		p.advance()
		t.base = "double"
	case (word == "ARRAY" || word == "MAP") && p.peek(1).isSym("<"):
		p.advance()
		p.advance()
		t.base = strings.ToLower(word)
		t.args = []*typeNode{p.typeName()}
		if word == "MAP" {
			p.expectSym(",")
			t.args = append(t.args, p.typeName())
		}
		p.expectSym(">")
	default:
		t.base = strings.ToLower(p.identifier().text)
		if p.acceptSym("(") {
			for {
				if p.tok.kind == tokInteger {
					n := p.rowCount().n
					t.params = append(t.params, int(min(n, 1<<31)))
				} else {
					t.args = append(t.args, p.typeName())
				}
				if !p.acceptSym(",") {
					break
				}
			}
			p.expectSym(")")
		}
	}
	return t
}

// fieldNameFollows tells "x bigint" from "bigint" in a row's fields.
func (p *parser) fieldNameFollows() bool {
	t, next := &p.tok, p.peek(1)
	if !isName(t) || !isName(next) {
		return false
	}
	after := p.peek(2)
	switch {
	case (t.is("TIMESTAMP") || t.is("TIME")) && (next.is("WITH") || next.is("WITHOUT")), t.is("DOUBLE") && next.is("PRECISION"):
		return false
	case next.is("ARRAY"):
		return after.isSym("(") || after.isSym("<") || after.is("ARRAY")
	case t.is("INTERVAL"):
		for _, f := range intervalFields {
			if next.is(f) && (after.is("TO") || after.isSym(",") || after.isSym(")")) {
				return false
			}
		}
	}
	return true
}
