package sqljson

// predicate reads conditions joined by ||, which binds less than &&.
func (p *pathParser) predicate() (*pathNode, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.joined("||", opOr, func() (*pathNode, error) {
		return p.joined("&&", opAnd, p.condition)
	})
}

func (p *pathParser) joined(word string, op pathOp, operand func() (*pathNode, error)) (*pathNode, error) {
	left, err := operand()
	for terms := 0; err == nil && p.is(word); terms++ {
		at := p.tok().at
		if terms > maxPathDepth {
			return nil, p.fail(at, "the JSON path is nested more than %d levels deep", maxPathDepth)
		}
		p.i++
		var right *pathNode
		if right, err = operand(); err == nil {
			left = &pathNode{op: op, at: at, base: left, right: right}
		}
	}
	return left, err
}

func (p *pathParser) condition() (*pathNode, error) {
	at := p.tok().at
	if p.accept("!") {
		if !p.is("(") && !p.is("exists") {
			return nil, p.unexpected("'(' or 'exists'")
		}
		cond, err := p.delimited()
		return &pathNode{op: opNot, at: at, base: cond}, err
	}
	if p.is("exists") || p.is("(") && p.holdsCondition() {
		parentheses := p.is("(")
		cond, err := p.delimited()
		if err == nil && parentheses && p.accept("is") {
			cond = &pathNode{op: opUnknown, at: at, base: cond}
			err = p.expect("unknown")
		}
		return cond, err
	}
	left, err := p.expression()
	if err != nil {
		return nil, err
	}
	at = p.tok().at
	for _, op := range []string{"==", "<>", "!=", "<", ">", "<=", ">="} {
		if p.accept(op) {
			right, err := p.expression()
			return &pathNode{op: opCompare, at: at, name: op, base: left, right: right}, err
		}
	}
	switch {
	case p.is("like_regex"):
		return nil, p.fail(at, "like_regex predicate in JSON path is not yet supported")
	case p.accept("starts"):
		if err := p.expect("with"); err != nil {
			return nil, err
		}
		if k := p.tok().kind; k != pathString && k != pathVariable {
			return nil, p.unexpected("a string or a variable")
		}
		right, err := p.primary()
		return &pathNode{op: opStarts, at: at, base: left, right: right}, err
	}
	return nil, p.unexpected("a comparison")
}

// delimited reads exists(…) or a condition in parentheses.
func (p *pathParser) delimited() (*pathNode, error) {
	at := p.tok().at
	if p.accept("exists") {
		if err := p.expect("("); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		return &pathNode{op: opExists, at: at, base: x}, p.expect(")")
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	cond, err := p.predicate()
	if err != nil {
		return nil, err
	}
	return cond, p.expect(")")
}

// holdsCondition tells whether the parentheses that open here hold a condition, and not a value: whether one of a condition's words stands in them,
// outside of filters' own.
func (p *pathParser) holdsCondition() bool {
	depth, filter := 0, 0
	for i := p.i; i < len(p.toks); i++ {
		t := p.toks[i]
		switch t.kind {
		case pathSymbol:
			switch t.text {
			case "(":
				depth++
				if filter == 0 && p.toks[i-1].kind == pathSymbol && p.toks[i-1].text == "?" && i > p.i {
					filter = depth
				}
			case ")":
				if depth == filter {
					filter = 0
				}
				if depth--; depth == 0 {
					return false
				}
			case "==", "<>", "!=", "<", ">", "<=", ">=", "&&", "||", "!":
				if filter == 0 {
					return true
				}
			}
		case pathWord:
			point := p.toks[i-1].kind == pathSymbol && (p.toks[i-1].text == "." || p.toks[i-1].text == "..")
			if filter == 0 && !point && (t.text == "exists" || t.text == "starts" || t.text == "like_regex" || t.text == "is") {
				return true
			}
		}
	}
	return false
}
