package dialect

// jsonInput reads "expression [FORMAT JSON [ENCODING …]]".
func (p *parser) jsonInput() (expr, string) {
	x := p.expression()
	return x, p.jsonFormat()
}

func (p *parser) jsonFormat() string {
	if !p.accept("FORMAT") {
		return ""
	}
	p.expect("JSON")
	if p.accept("ENCODING") {
		return p.oneOf("UTF8", "UTF16", "UTF32")
	}
	return "JSON"
}

// jsonPathInvocation reads "input, 'path' [AS name] [PASSING …]".
func (p *parser) jsonPathInvocation() *jsonPath {
	j := &jsonPath{node: node{pos: p.tok.pos}}
	j.input, j.format = p.jsonInput()
	p.expectSym(",")
	j.pathPos = p.tok.pos
	j.path = p.stringValue()
	if p.accept("AS") {
		n := p.identifier()
		j.pathName = &n
	}
	if p.accept("PASSING") {
		for {
			a := jsonArgument{}
			a.x, a.format = p.jsonInput()
			p.expect("AS")
			a.name = p.identifier()
			j.arguments = append(j.arguments, a)
			if !p.acceptSym(",") {
				break
			}
		}
	}
	j.end = p.prevEnd
	return j
}

func (p *parser) jsonQuery() expr {
	j := &jsonExpr{node: node{pos: p.tok.pos}, word: p.tok.word}
	p.enter()
	defer p.leave()
	p.advance()
	p.expectSym("(")
	j.path = p.jsonPathInvocation()
	switch j.word {
	case "JSON_EXISTS":
		if !p.tok.isSym(")") {
			j.onError = &jsonBehavior{node: node{pos: p.tok.pos}}
			j.onError.kind = p.oneOf("TRUE", "FALSE", "UNKNOWN", "ERROR")
			p.expect("ON")
			p.expect("ERROR")
		}
	default:
		if p.accept("RETURNING") {
			j.returning = p.typeName()
			if j.word == "JSON_QUERY" {
				j.format = p.jsonFormat()
			}
		}
		if j.word == "JSON_QUERY" {
			j.wrapper, j.quotes = p.jsonWrapping()
		}
		j.onEmpty, j.onError = p.jsonBehaviors(j.word == "JSON_QUERY")
	}
	p.expectSym(")")
	j.end = p.prevEnd
	return j
}

// jsonWrapping reads "[WITH … WRAPPER] [KEEP|OMIT QUOTES]".
func (p *parser) jsonWrapping() (wrapper, quotes string) {
	switch {
	case p.accept("WITHOUT"):
		wrapper = "WITHOUT"
	case p.accept("WITH"):
		wrapper = "UNCONDITIONAL"
		if p.accept("CONDITIONAL") {
			wrapper = "CONDITIONAL"
		} else {
			p.accept("UNCONDITIONAL")
		}
	}
	if wrapper != "" {
		p.accept("ARRAY")
		p.expect("WRAPPER")
	}
	if p.tok.is("KEEP") || p.tok.is("OMIT") {
		quotes = p.tok.word
		p.advance()
		p.expect("QUOTES")
		p.acceptAll("ON", "SCALAR", "STRING")
	}
	return wrapper, quotes
}

// jsonBehaviors reads "[… ON EMPTY] [… ON ERROR]".
func (p *parser) jsonBehaviors(query bool) (onEmpty, onError *jsonBehavior) {
	for {
		b := &jsonBehavior{node: node{pos: p.tok.pos}}
		switch {
		case p.accept("ERROR"):
			b.kind = "ERROR"
		case p.accept("NULL"):
			b.kind = "NULL"
		case query && p.accept("EMPTY"):
			b.kind = "EMPTY " + p.oneOf("ARRAY", "OBJECT")
		case !query && p.accept("DEFAULT"):
			b.kind, b.value = "DEFAULT", p.expression()
		default:
			return onEmpty, onError
		}
		p.expect("ON")
		switch {
		case onEmpty == nil && onError == nil && p.accept("EMPTY"):
			onEmpty = b
		case onError == nil && p.accept("ERROR"):
			onError = b
		default:
			p.unexpected("'EMPTY', 'ERROR'")
		}
	}
}

func (p *parser) jsonMake() expr {
	j := &jsonMakeExpr{node: node{pos: p.tok.pos}, word: p.tok.word}
	object := j.word == "JSON_OBJECT"
	j.absent = !object
	p.enter()
	defer p.leave()
	p.advance()
	p.expectSym("(")
	if !p.tok.isSym(")") && !p.tok.is("RETURNING") {
		for {
			a := jsonArgument{}
			if object {
				if p.tok.is("KEY") && !p.peek(1).isSym(":") && !p.peek(1).is("VALUE") {
					p.advance()
				}
				j.keys = append(j.keys, p.expression())
				if !p.acceptSym(":") {
					p.expect("VALUE")
				}
			}
			a.x, a.format = p.jsonInput()
			j.values = append(j.values, a)
			if !p.acceptSym(",") {
				break
			}
		}
		if p.acceptAll("NULL", "ON", "NULL") {
			j.nullOn, j.absent = true, false
		} else if p.acceptAll("ABSENT", "ON", "NULL") {
			j.absent = true
		}
		if object && (p.follows("WITH", "UNIQUE") || p.follows("WITHOUT", "UNIQUE")) {
			j.unique = p.tok.is("WITH")
			p.advance()
			p.advance()
			p.accept("KEYS")
		}
	}
	if p.accept("RETURNING") {
		j.returning = p.typeName()
		j.format = p.jsonFormat()
	}
	p.expectSym(")")
	j.end = p.prevEnd
	return j
}

func (p *parser) jsonTable(pos int) relation {
	t := &jsonTableRef{node: node{pos: pos}}
	p.expectSym("(")
	t.path = p.jsonPathInvocation()
	t.columns = p.jsonColumns()
	if p.tok.is("PLAN") {
		p.fail(p.tok.pos, "PLAN in JSON_TABLE is not supported")
	}
	if p.tok.is("ERROR") || p.tok.is("EMPTY") {
		t.onError = p.tok.word
		p.advance()
		p.expect("ON")
		p.expect("ERROR")
	}
	p.expectSym(")")
	t.end = p.prevEnd
	return t
}

func (p *parser) jsonColumns() []*jsonColumn {
	p.enter()
	defer p.leave()
	p.expect("COLUMNS")
	p.expectSym("(")
	var list []*jsonColumn
	for {
		list = append(list, p.jsonColumn())
		if !p.acceptSym(",") {
			break
		}
	}
	p.expectSym(")")
	return list
}

func (p *parser) jsonColumn() *jsonColumn {
	c := &jsonColumn{node: node{pos: p.tok.pos}}
	defer func() { c.end = p.prevEnd }()
	if next := p.peek(1); p.tok.is("NESTED") && (next.is("PATH") || next.kind == tokString) {
		p.advance()
		p.accept("PATH")
		c.path, c.hasPath = p.stringValue(), true
		if p.accept("AS") {
			c.name = p.identifier()
		}
		c.nested = p.jsonColumns()
		return c
	}
	c.name = p.identifier()
	if p.acceptAll("FOR", "ORDINALITY") {
		c.ordinality = true
		return c
	}
	c.typ = p.typeName()
	c.format = p.jsonFormat()
	if p.accept("PATH") {
		c.path, c.hasPath = p.stringValue(), true
	}
	if c.format != "" {
		c.wrapper, c.quotes = p.jsonWrapping()
	}
	c.onEmpty, c.onError = p.jsonBehaviors(c.format != "")
	return c
}
