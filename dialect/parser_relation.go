package dialect

// relation reads one item of FROM with all its joins.
func (p *parser) relation() relation {
	p.enter()
	defer p.leave()
	left := p.sampledRelation()
	for n := 1; ; n++ {
		j := &joinRef{node: node{pos: p.tok.pos}, left: left}
		switch {
		case p.acceptAll("CROSS", "JOIN"):
			j.kind = "CROSS"
		case p.accept("NATURAL"):
			j.natural = true
			j.kind = p.joinType()
		case p.tok.is("JOIN"), p.tok.is("INNER"), p.tok.is("LEFT"), p.tok.is("RIGHT"), p.tok.is("FULL"):
			j.kind = p.joinType()
		default:
			return left
		}
		p.chain(n)
		if j.kind == "CROSS" || j.natural {
			j.right = p.sampledRelation()
		} else {
			j.right = p.relation()
			switch {
			case p.accept("ON"):
				j.on = p.expression()
			case p.accept("USING"):
				j.using = p.identifiers()
			default:
				p.unexpected("'ON', 'USING'")
			}
		}
		j.end = p.prevEnd
		left = j
	}
}

func (p *parser) joinType() string {
	kind := "INNER"
	if p.tok.is("LEFT") || p.tok.is("RIGHT") || p.tok.is("FULL") {
		kind = p.tok.word
		p.advance()
		p.accept("OUTER")
	} else {
		p.accept("INNER")
	}
	p.expect("JOIN")
	return kind
}

func (p *parser) sampledRelation() relation {
	pos := p.tok.pos
	rel := p.aliased(p.relationPrimary(), pos)
	if p.tok.is("MATCH_RECOGNIZE") && p.peek(1).isSym("(") {
		p.advance()
		rel = p.aliased(p.matchRecognize(rel, pos), pos)
	}
	if p.tok.is("TABLESAMPLE") {
		p.advance()
		s := &sampleRef{node: node{pos: pos}, rel: rel, method: p.oneOf("BERNOULLI", "SYSTEM")}
		p.expectSym("(")
		s.percentage = p.expression()
		p.expectSym(")")
		s.end = p.prevEnd
		return s
	}
	return rel
}

// aliased reads the alias and column names that may follow a relation.
func (p *parser) aliased(rel relation, pos int) relation {
	if !p.accept("AS") && !p.aliasFollows() {
		return rel
	}
	a := &aliasRef{node: node{pos: pos}, rel: rel, alias: p.identifier()}
	if p.tok.isSym("(") {
		a.columns = p.identifiers()
	}
	a.end = p.prevEnd
	return a
}

func (p *parser) relationPrimary() relation {
	pos := p.tok.pos
	switch {
	case p.tok.isSym("("):
		if p.queryAfter(0) {
			p.advance()
			r := &queryRef{node: node{pos: pos}, query: p.query()}
			p.expectSym(")")
			r.end = p.prevEnd
			return r
		}
		p.advance()
		r := p.relation()
		p.expectSym(")")
		return r
	case p.accept("UNNEST"):
		u := &unnestRef{node: node{pos: pos}}
		p.expectSym("(")
		u.args = append(u.args, p.expression())
		for p.acceptSym(",") {
			u.args = append(u.args, p.expression())
		}
		p.expectSym(")")
		u.ordinality = p.acceptAll("WITH", "ORDINALITY")
		u.end = p.prevEnd
		return u
	case p.tok.is("LATERAL") && p.peek(1).isSym("("):
		p.advance()
		p.advance()
		r := &queryRef{node: node{pos: pos}, query: p.query(), lateral: true}
		p.expectSym(")")
		r.end = p.prevEnd
		return r
	case p.tok.is("JSON_TABLE"):
		p.advance()
		return p.jsonTable(pos)
	case p.accept("TABLE"):
		p.expectSym("(")
		r := p.tableFunction(pos)
		p.expectSym(")")
		r.end = p.prevEnd
		return r
	}
	r := &tableRef{node: node{pos: pos}, name: p.tableName()}
	r.end = p.prevEnd
	if p.tok.is("FOR") && (p.peek(1).is("TIMESTAMP") || p.peek(1).is("VERSION")) {
		p.advance()
		p.advance()
		p.expect("AS")
		p.expect("OF")
		r.period = p.valueExpression(0)
	}
	return r
}
