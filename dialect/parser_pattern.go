package dialect

// matchRecognize reads what MATCH_RECOGNIZE has between its parentheses.
func (p *parser) matchRecognize(rel relation, pos int) relation {
	m := &matchRef{node: node{pos: pos}, rel: rel, rows: "ONE"}
	p.expectSym("(")
	if p.acceptAll("PARTITION", "BY") {
		m.partition = append(m.partition, p.expression())
		for p.acceptSym(",") {
			m.partition = append(m.partition, p.expression())
		}
	}
	if p.acceptAll("ORDER", "BY") {
		m.order = p.sortItems()
	}
	var measures []measure
	if p.accept("MEASURES") {
		measures = p.measures()
	}
	switch {
	case p.acceptAll("ONE", "ROW", "PER", "MATCH"):
	case p.acceptAll("ALL", "ROWS", "PER", "MATCH"):
		switch {
		case p.acceptAll("OMIT", "EMPTY", "MATCHES"):
			m.rows = "ALL OMIT"
		case p.acceptAll("WITH", "UNMATCHED", "ROWS"):
			m.rows = "ALL UNMATCHED"
		default:
			p.acceptAll("SHOW", "EMPTY", "MATCHES")
			m.rows = "ALL"
		}
	}
	m.pattern = p.patternTail(measures)
	if m.pattern.pattern.kind == "" {
		p.unexpected("'PATTERN'")
	}
	if len(m.pattern.define) == 0 {
		p.unexpected("'DEFINE'")
	}
	p.expectSym(")")
	m.end = p.prevEnd
	return m
}

func (p *parser) measures() []measure {
	list := []measure{}
	for {
		x := p.expression()
		p.expect("AS")
		list = append(list, measure{p.identifier(), x})
		if !p.acceptSym(",") {
			return list
		}
	}
}

// patternTail reads AFTER MATCH, INITIAL or SEEK, PATTERN, SUBSET and DEFINE, each where it stands.
func (p *parser) patternTail(measures []measure) *patternNode {
	t := &patternNode{node: node{pos: p.tok.pos}, measures: measures}
	if p.acceptAll("AFTER", "MATCH") {
		p.expect("SKIP")
		if p.accept("PAST") {
			p.expect("LAST")
			p.expect("ROW")
			t.after = "PAST LAST ROW"
		} else {
			p.expect("TO")
			switch {
			case p.acceptAll("NEXT", "ROW"):
				t.after = "NEXT ROW"
			case (p.tok.is("FIRST") || p.tok.is("LAST")) && isName(p.peek(1)):
				t.after = p.tok.word
				p.advance()
				fallthrough
			default:
				if t.after == "" {
					t.after = "LAST"
				}
				n := p.identifier()
				t.skipTo = &n
			}
		}
	}
	if p.tok.is("INITIAL") || p.tok.is("SEEK") {
		t.seek = p.tok.word
		p.advance()
	}
	if p.accept("PATTERN") {
		p.expectSym("(")
		t.pattern = p.rowPattern()
		p.expectSym(")")
	}
	if p.accept("SUBSET") {
		for {
			s := subset{name: p.identifier()}
			p.expectSym("=")
			s.union = p.identifiers()
			t.subsets = append(t.subsets, s)
			if !p.acceptSym(",") {
				break
			}
		}
	}
	if p.accept("DEFINE") {
		for {
			n := p.identifier()
			p.expect("AS")
			t.define = append(t.define, measure{n, p.expression()})
			if !p.acceptSym(",") {
				break
			}
		}
	}
	t.end = p.prevEnd
	return t
}

// rowPattern reads alternatives of sequences.
func (p *parser) rowPattern() rowPattern {
	p.enter()
	defer p.leave()
	choice := rowPattern{kind: "choice"}
	for {
		seq := rowPattern{kind: "sequence"}
		for !p.tok.isSym("|") && !p.tok.isSym(")") && !p.tok.isSym(",") && !p.tok.isSym("-}") {
			seq.parts = append(seq.parts, p.patternPrimary())
		}
		if len(seq.parts) == 0 {
			p.unexpected("<pattern>")
		}
		choice.parts = append(choice.parts, seq)
		if !p.acceptSym("|") {
			break
		}
	}
	if len(choice.parts) == 1 {
		return choice.parts[0]
	}
	return choice
}

func (p *parser) patternPrimary() rowPattern {
	var r rowPattern
	switch {
	case p.tok.is("PERMUTE") && p.peek(1).isSym("("):
		p.advance()
		p.advance()
		r.kind = "permute"
		for {
			r.parts = append(r.parts, p.rowPattern())
			if !p.acceptSym(",") {
				break
			}
		}
		p.expectSym(")")
	case p.acceptSym("("):
		if p.acceptSym(")") {
			r.kind = "empty"
			break
		}
		r.kind, r.parts = "group", []rowPattern{p.rowPattern()}
		p.expectSym(")")
	case p.acceptSym("{-"):
		r.kind, r.parts = "exclude", []rowPattern{p.rowPattern()}
		p.expectSym("-}")
	case p.tok.isSym("^"), p.tok.isSym("$"):
		r.kind = p.tok.text
		p.advance()
	default:
		r.kind, r.name = "variable", p.identifier()
	}
	begin := p.tok.pos
	switch {
	case p.acceptSym("*"), p.acceptSym("+"), p.acceptSym("?"):
	case p.acceptSym("{"):
		if p.tok.kind == tokInteger {
			p.advance()
		}
		if p.acceptSym(",") && p.tok.kind == tokInteger {
			p.advance()
		}
		p.expectSym("}")
	default:
		return r
	}
	p.acceptSym("?")
	r.quantifier = p.lex.src[begin:p.prevEnd]
	return r
}
