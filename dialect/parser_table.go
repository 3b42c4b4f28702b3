package dialect

// tableFunction reads the call within TABLE(…).
func (p *parser) tableFunction(pos int) *tableFunctionRef {
	r := &tableFunctionRef{node: node{pos: pos}, name: p.qualifiedName()}
	p.expectSym("(")
	for !p.tok.isSym(")") && !p.tok.is("COPARTITION") {
		r.args = append(r.args, p.tableFunctionArg())
		if !p.acceptSym(",") {
			break
		}
	}
	if p.accept("COPARTITION") {
		r.partition = true
		for {
			p.expectSym("(")
			p.qualifiedName()
			for p.acceptSym(",") {
				p.qualifiedName()
			}
			p.expectSym(")")
			if !p.acceptSym(",") {
				break
			}
		}
	}
	p.expectSym(")")
	return r
}

func (p *parser) tableFunctionArg() *tableFunctionArg {
	a := &tableFunctionArg{node: node{pos: p.tok.pos}}
	if isName(&p.tok) && p.peek(1).isSym("=>") {
		n := p.identifier()
		a.name = &n
		p.advance()
	}
	switch {
	case p.tok.is("TABLE") && p.peek(1).isSym("("):
		p.tableArgument(a)
	case p.tok.is("DESCRIPTOR") && p.peek(1).isSym("("):
		p.advance()
		p.advance()
		a.descriptor = true
		for {
			a.columns = append(a.columns, p.identifier())
			if !p.tok.isSym(",") && !p.tok.isSym(")") {
				p.typeName()
				a.types = true
			}
			if !p.acceptSym(",") {
				break
			}
		}
		p.expectSym(")")
	case p.tok.is("CAST") && p.peek(1).isSym("(") && p.peek(2).is("NULL") && p.peek(3).is("AS") && p.peek(4).is("DESCRIPTOR"):
		for range 5 {
			p.advance()
		}
		a.descriptor = true
		p.expectSym(")")
	default:
		a.x = p.expression()
	}
	a.end = p.prevEnd
	return a
}

// tableArgument reads TABLE(name) or TABLE(query), its alias, and how its rows are to come.
func (p *parser) tableArgument(a *tableFunctionArg) {
	pos := p.tok.pos
	p.advance()
	p.advance()
	if p.startsQuery(&p.tok) || p.tok.isSym("(") {
		q := &queryRef{node: node{pos: pos}, query: p.query()}
		q.end = p.prevEnd
		a.table = q
	} else {
		t := &tableRef{node: node{pos: p.tok.pos}, name: p.tableName()}
		t.end = p.prevEnd
		a.table = t
	}
	p.expectSym(")")
	if !p.argumentProperty() {
		a.table = p.aliased(a.table, pos)
	}
	property := func() {
		if a.properties == "" {
			a.properties = p.tok.word
		}
	}
	if p.follows("PARTITION", "BY") {
		property()
		p.advance()
		p.advance()
		p.argumentList(func() { p.expression() })
	}
	if (p.tok.is("PRUNE") || p.tok.is("KEEP")) && p.peek(1).is("WHEN") && p.peek(2).is("EMPTY") {
		property()
		for range 3 {
			p.advance()
		}
	}
	if p.follows("ORDER", "BY") {
		property()
		p.advance()
		p.advance()
		p.argumentList(func() { p.sortItem() })
	}
}

// argumentProperty tells whether what follows a table is no alias.
func (p *parser) argumentProperty() bool {
	return p.follows("PARTITION", "BY") || (p.tok.is("PRUNE") || p.tok.is("KEEP")) && p.peek(1).is("WHEN")
}

// argumentList reads one item, or several in parentheses.
func (p *parser) argumentList(item func()) {
	if !p.tok.isSym("(") || !p.listed() {
		item()
		return
	}
	p.advance()
	for !p.tok.isSym(")") {
		item()
		if !p.acceptSym(",") {
			break
		}
	}
	p.expectSym(")")
}

// listed tells whether the parenthesis that opens here is one around a list, and not the begin of an expression.
func (p *parser) listed() bool {
	t := p.peek(p.closing(0) + 1)
	return t.isSym(",") || t.isSym(")") || t.is("ORDER") || t.is("PRUNE") || t.is("KEEP")
}
