package dialect

import (
	"encoding/hex"
	"strings"
)

func (p *parser) expression() expr { return p.logical(true) }

// logical reads chains of OR (or true) over chains of AND.
func (p *parser) logical(or bool) expr {
	word := "AND"
	next := p.negation
	if or {
		word, next = "OR", func() expr { return p.logical(false) }
	}
	first := next()
	if !p.tok.is(word) {
		return first
	}
	l := &logicalExpr{node: node{pos: first.at()}, or: or, terms: []expr{first}}
	for p.accept(word) {
		l.terms = append(l.terms, next())
	}
	l.end = p.prevEnd
	return l
}

func (p *parser) negation() expr {
	p.enter()
	defer p.leave()
	if p.tok.is("NOT") {
		n := &notExpr{node: node{pos: p.tok.pos}}
		p.advance()
		n.x = p.negation()
		n.end = p.prevEnd
		return n
	}
	x := p.predicate(p.valueExpression(0))
	return x
}

// predicate reads what may follow a value once: a comparison, BETWEEN, IN, LIKE or IS.
func (p *parser) predicate(x expr) expr {
	at := node{pos: x.at()}
	if p.tok.kind == tokSymbol {
		op := p.tok.text
		switch op {
		case "=", "<>", "<", "<=", ">", ">=":
		default:
			return x
		}
		p.advance()
		if (p.tok.is("ALL") || p.tok.is("SOME") || p.tok.is("ANY")) && p.peek(1).isSym("(") && p.queryAfter(1) {
			q := &quantifiedExpr{node: at, op: op, all: p.tok.is("ALL"), x: x}
			p.advance()
			q.query = p.parenQuery()
			q.end = p.prevEnd
			return q
		}
		c := &comparisonExpr{node: at, op: op, left: x, right: p.valueExpression(0)}
		c.end = p.prevEnd
		return c
	}
	if p.accept("IS") {
		not := p.accept("NOT")
		switch {
		case p.accept("NULL"):
			return &isNullExpr{node{at.pos, p.prevEnd}, not, x}
		case p.accept("DISTINCT"):
			p.expect("FROM")
			d := &distinctExpr{node: at, not: not, left: x, right: p.valueExpression(0)}
			d.end = p.prevEnd
			return d
		}
		p.unexpected("'NULL', 'DISTINCT'")
	}
	not := false
	if p.tok.is("NOT") {
		if n := p.peek(1); !n.is("BETWEEN") && !n.is("IN") && !n.is("LIKE") {
			return x
		}
		p.advance()
		not = true
	}
	switch {
	case p.accept("BETWEEN"):
		b := &betweenExpr{node: at, not: not, x: x, low: p.valueExpression(0)}
		p.expect("AND")
		b.high = p.valueExpression(0)
		b.end = p.prevEnd
		return b
	case p.accept("IN"):
		if p.tok.isSym("(") && p.queryAfter(0) {
			in := &inQueryExpr{node: at, not: not, x: x, query: p.parenQuery()}
			in.end = p.prevEnd
			return in
		}
		in := &inListExpr{node: at, not: not, x: x}
		p.expectSym("(")
		in.list = append(in.list, p.expression())
		for p.acceptSym(",") {
			in.list = append(in.list, p.expression())
		}
		p.expectSym(")")
		in.end = p.prevEnd
		return in
	case p.accept("LIKE"):
		l := &likeExpr{node: at, not: not, x: x, pattern: p.valueExpression(0)}
		if p.accept("ESCAPE") {
			l.escape = p.valueExpression(0)
		}
		l.end = p.prevEnd
		return l
	}
	return x
}

func (p *parser) parenQuery() *queryNode {
	p.expectSym("(")
	q := p.query()
	p.expectSym(")")
	return q
}

// valueExpression reads arithmetic: || binds least (level 0), then + and -, then * / and %.
func (p *parser) valueExpression(level int) expr {
	if level == 3 {
		return p.unary()
	}
	left := p.valueExpression(level + 1)
	for n := 1; ; n++ {
		if p.tok.kind != tokSymbol {
			return left
		}
		op := p.tok.text
		switch {
		case level == 0 && op == "||", level == 1 && (op == "+" || op == "-"), level == 2 && (op == "*" || op == "/" || op == "%"):
		default:
			return left
		}
		p.chain(n)
		a := &arithmeticExpr{node: node{pos: left.at()}, op: op, opPos: p.tok.pos, left: left}
		p.advance()
		a.right = p.valueExpression(level + 1)
		a.end = p.prevEnd
		left = a
	}
}

func (p *parser) unary() expr {
	if p.tok.isSym("-") || p.tok.isSym("+") {
		p.enter()
		defer p.leave()
		u := &unaryExpr{node: node{pos: p.tok.pos}, minus: p.tok.isSym("-")}
		p.advance()
		if n := p.tok; u.minus && (n.kind == tokInteger || n.kind == tokDecimal || n.kind == tokDouble) {
			p.advance()
			return p.suffixes(&numberLit{node{u.pos, n.end}, n.kind, "-" + n.text})
		}
		u.x = p.unary()
		u.end = p.prevEnd
		return u
	}
	return p.suffixes(p.primary())
}

// suffixes reads what may follow a primary: [index], .name and AT TIME ZONE.
func (p *parser) suffixes(x expr) expr {
	for n := 1; ; n++ {
		at := node{pos: x.at()}
		switch {
		case p.tok.isSym("["):
			p.chain(n)
			p.advance()
			p.enter()
			s := &subscriptExpr{node: at, base: x, index: p.valueExpression(0)}
			p.leave()
			p.expectSym("]")
			s.end = p.prevEnd
			x = s
		case p.tok.isSym(".") && !p.peek(1).isSym("*"):
			p.chain(n)
			p.advance()
			n := p.identifier()
			x = &derefExpr{node{at.pos, n.end}, x, n}
		default:
			for ; p.follows("AT", "TIME", "ZONE"); n++ {
				p.chain(n)
				p.advance()
				p.advance()
				p.advance()
				z := &atZoneExpr{node: at, x: x}
				if p.tok.is("INTERVAL") {
					z.interval = p.interval()
				} else {
					z.zone = p.stringValue()
				}
				z.end = p.prevEnd
				x = z
			}
			return x
		}
	}
}

func (p *parser) primary() expr {
	t := p.tok
	at := node{t.pos, t.end}
	switch t.kind {
	case tokString, tokUnicode:
		s := &stringLit{at, p.stringValue()}
		s.end = p.prevEnd
		return s
	case tokBinary:
		p.advance()
		b, err := hex.DecodeString(strings.Join(strings.Fields(t.text), ""))
		if err != nil {
			p.fail(t.pos, "Binary literal must contain an even number of hexadecimal digits")
		}
		return &binaryLit{at, b}
	case tokInteger, tokDecimal, tokDouble:
		p.advance()
		return &numberLit{at, t.kind, t.text}
	case tokSymbol:
		switch t.text {
		case "(":
			return p.paren()
		case "?":
			return p.parameterValue()
		}
	case tokWord:
		if x := p.wordExpression(); x != nil {
			return x
		}
	}
	if isName(&t) {
		return p.nameExpression()
	}
	p.unexpected("<expression>")
	return nil
}

// paren reads what begins with "(": a query, a lambda, a row or an expression.
func (p *parser) paren() expr {
	pos := p.tok.pos
	if p.queryAfter(0) {
		q := &subqueryExpr{node: node{pos: pos}, query: p.parenQuery()}
		q.end = p.prevEnd
		return q
	}
	if n := p.lambdaParams(); n >= 0 {
		l := &lambdaExpr{node: node{pos: pos}}
		p.advance()
		for i := range n {
			if i > 0 {
				p.expectSym(",")
			}
			l.params = append(l.params, p.identifier())
		}
		p.expectSym(")")
		return p.lambdaBody(l)
	}
	p.advance()
	x := p.expression()
	if p.tok.isSym(",") {
		r := &rowExpr{node: node{pos: pos}, fields: []expr{x}}
		for p.acceptSym(",") {
			r.fields = append(r.fields, p.expression())
		}
		p.expectSym(")")
		r.end = p.prevEnd
		return r
	}
	p.expectSym(")")
	return x
}

// lambdaParams is the number of a lambda's parameters where "(a, b) ->" begins at the current token, else -1.
func (p *parser) lambdaParams() int {
	if p.peek(1).isSym(")") {
		if p.peek(2).isSym("->") {
			return 0
		}
		return -1
	}
	for i := 1; ; i += 2 {
		if !isName(p.peek(i)) {
			return -1
		}
		if sep := p.peek(i + 1); sep.isSym(")") {
			if p.peek(i + 2).isSym("->") {
				return (i + 1) / 2
			}
			return -1
		} else if !sep.isSym(",") {
			return -1
		}
	}
}

func (p *parser) lambdaBody(l *lambdaExpr) expr {
	p.expectSym("->")
	p.enter()
	l.body = p.expression()
	p.leave()
	l.end = p.prevEnd
	return l
}

// nameExpression reads what begins with a name: a column, a call, a typed literal or a lambda.
func (p *parser) nameExpression() expr {
	pos := p.tok.pos
	next := p.peek(1)
	switch {
	case next.kind == tokString || next.kind == tokUnicode:
		t := &typeNode{node: node{pos, p.tok.end}, base: strings.ToLower(p.tok.text)}
		p.advance()
		l := &typedLit{node: node{pos: pos}, typ: t, value: p.stringValue()}
		l.end = p.prevEnd
		return l
	case next.isSym("->"):
		l := &lambdaExpr{node: node{pos: pos}, params: []name{p.identifier()}}
		return p.lambdaBody(l)
	case next.is("OVER") && (p.peek(2).isSym("(") || isName(p.peek(2))):
		// a measure of the window's row pattern
		c := &callExpr{node: node{pos: pos}, measure: true}
		c.name = []name{p.identifier()}
		p.callTail(c)
		return c
	}
	// A qualified name before "(" is a function's; elsewhere it is a column and its members.
	n := 1
	for p.peek(n).isSym(".") && isName(p.peek(n+1)) {
		n += 2
	}
	if p.peek(n).isSym("(") {
		return p.call()
	}
	c := p.identifier()
	return &columnRef{c.node, c}
}

func (p *parser) call() expr {
	c := &callExpr{node: node{pos: p.tok.pos}}
	c.name = p.qualifiedName()
	p.enter()
	p.expectSym("(")
	switch {
	case p.tok.isSym("*"):
		p.advance()
		c.star = true
	case isName(&p.tok) && p.peek(1).isSym(".") && p.peek(2).isSym("*"):
		label := p.identifier()
		p.advance()
		p.advance()
		c.star, c.label = true, &label
	case !p.tok.isSym(")"):
		if p.accept("DISTINCT") {
			c.distinct = true
		} else if p.tok.is("ALL") && !p.peek(1).isSym(",") && !p.peek(1).isSym(")") && !p.peek(1).isSym(".") {
			p.advance()
		}
		c.args = append(c.args, p.expression())
		for p.acceptSym(",") {
			c.args = append(c.args, p.expression())
		}
		if p.acceptAll("ORDER", "BY") {
			c.order = p.sortItems()
		}
	}
	p.expectSym(")")
	p.leave()
	p.callTail(c)
	return c
}

// callTail reads FILTER, IGNORE or RESPECT NULLS, and OVER.
func (p *parser) callTail(c *callExpr) {
	if p.tok.is("FILTER") && p.peek(1).isSym("(") {
		p.advance()
		p.advance()
		p.expect("WHERE")
		c.filter = p.expression()
		p.expectSym(")")
	}
	if (p.tok.is("IGNORE") || p.tok.is("RESPECT")) && p.peek(1).is("NULLS") {
		c.nulls = p.tok.word
		p.advance()
		p.advance()
		if !p.tok.is("OVER") {
			p.unexpected("'OVER'")
		}
	}
	if p.tok.is("OVER") && (p.peek(1).isSym("(") || isName(p.peek(1))) {
		o := &overClause{node: node{pos: p.tok.pos}}
		p.advance()
		if p.acceptSym("(") {
			o.spec = p.windowSpec()
			p.expectSym(")")
		} else {
			n := p.identifier()
			o.name = &n
		}
		o.end = p.prevEnd
		c.over = o
	}
	c.end = p.prevEnd
}

func (p *parser) windowSpec() *windowSpec {
	p.enter()
	defer p.leave()
	s := &windowSpec{node: node{pos: p.tok.pos}}
	if isName(&p.tok) && !p.follows("PARTITION", "BY") && (!p.frameFollows() || p.peek(1).isSym(")")) {
		n := p.identifier()
		s.base = &n
	}
	if p.acceptAll("PARTITION", "BY") {
		s.partition = append(s.partition, p.expression())
		for p.acceptSym(",") {
			s.partition = append(s.partition, p.expression())
		}
	}
	if p.acceptAll("ORDER", "BY") {
		s.order = p.sortItems()
	}
	if p.frameFollows() {
		s.frame = p.frame()
	}
	s.end = p.prevEnd
	return s
}

func (p *parser) frameFollows() bool {
	return p.tok.is("ROWS") || p.tok.is("RANGE") || p.tok.is("GROUPS") || p.tok.is("MEASURES")
}

func (p *parser) frame() *frameNode {
	f := &frameNode{node: node{pos: p.tok.pos}}
	var measures []measure
	if p.accept("MEASURES") {
		measures = p.measures()
	}
	f.unit = p.oneOf("ROWS", "RANGE", "GROUPS")
	if p.accept("BETWEEN") {
		f.first = p.frameBound()
		p.expect("AND")
		f.last = p.frameBound()
	} else {
		f.first = p.frameBound()
		f.last = bound{kind: "CURRENT ROW"}
	}
	if measures != nil || !p.tok.isSym(")") {
		f.pattern = p.patternTail(measures)
	}
	f.end = p.prevEnd
	return f
}

func (p *parser) frameBound() bound {
	switch {
	case p.acceptAll("UNBOUNDED", "PRECEDING"):
		return bound{kind: "UNBOUNDED PRECEDING"}
	case p.acceptAll("UNBOUNDED", "FOLLOWING"):
		return bound{kind: "UNBOUNDED FOLLOWING"}
	case p.acceptAll("CURRENT", "ROW"):
		return bound{kind: "CURRENT ROW"}
	}
	x := p.expression()
	return bound{p.oneOf("PRECEDING", "FOLLOWING"), x}
}

func (p *parser) interval() *intervalLit {
	i := &intervalLit{node: node{pos: p.tok.pos}}
	p.expect("INTERVAL")
	if p.acceptSym("-") {
		i.negative = true
	} else {
		p.acceptSym("+")
	}
	i.value = p.stringValue()
	i.from = p.oneOf(intervalFields...)
	if p.accept("TO") {
		i.to = p.oneOf(intervalFields...)
	}
	i.end = p.prevEnd
	return i
}
