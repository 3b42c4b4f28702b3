package dialect

import (
	"strconv"
	"strings"
)

func (p *parser) startsQuery(t *token) bool {
	return t.is("SELECT") || t.is("VALUES") || t.is("TABLE") || t.is("WITH")
}

// queryAfter tells whether a query begins behind the "(" that is the n-th token: of "((SELECT 1) + 1)" and "((SELECT 1) UNION SELECT 2)" only
// the second does.
func (p *parser) queryAfter(n int) bool {
	t := p.peek(n + 1)
	if p.startsQuery(t) {
		return true
	}
	if !t.isSym("(") {
		return false
	}
	if known, ok := p.queries[t.pos]; ok {
		return known
	}
	if p.queries == nil {
		p.queries = map[int]bool{}
	}
	pos := t.pos
	is := false
	if n < 2*MaxDepth && p.queryAfter(n+1) {
		switch t := p.peek(p.closing(n+1) + 1); t.word {
		case "UNION", "INTERSECT", "EXCEPT", "ORDER", "OFFSET", "LIMIT", "FETCH":
			is = true
		default:
			is = t.isSym(")")
		}
	}
	p.queries[pos] = is
	return is
}

// closing is the number of the token that closes the parenthesis which the n-th one opens.
func (p *parser) closing(n int) int {
	for depth := 0; ; n++ {
		t := p.peek(n)
		switch {
		case t.isSym("("):
			depth++
		case t.isSym(")"):
			if depth--; depth == 0 {
				return n
			}
		case t.kind == tokEnd || t.kind == tokBad:
			return n
		}
	}
}

func (p *parser) query() *queryNode {
	p.enter()
	defer p.leave()
	var with []*withNode
	pos, recursive := p.tok.pos, false
	if p.accept("WITH") {
		p.noDeclarations()
		recursive = p.accept("RECURSIVE")
		for {
			w := &withNode{name: p.identifier()}
			if p.tok.isSym("(") {
				w.columns = p.identifiers()
			}
			p.expect("AS")
			p.expectSym("(")
			w.query = p.query()
			p.expectSym(")")
			with = append(with, w)
			if !p.acceptSym(",") {
				break
			}
		}
	}
	q := p.queryNoWith()
	q.with, q.recursive, q.pos = with, recursive, pos
	return q
}

// noDeclarations refuses WITH FUNCTION and WITH SESSION, which stand where a query's name would.
func (p *parser) noDeclarations() {
	switch next := p.peek(1); {
	case p.tok.is("FUNCTION") && isName(next):
		p.fail(p.tok.pos, "functions of a statement's own (WITH FUNCTION) are not supported yet")
	case p.tok.kind == tokWord && strings.EqualFold(p.tok.text, "SESSION") && isName(next) && !next.is("AS"):
		p.fail(p.tok.pos, "session properties (WITH SESSION) are not supported yet")
	}
}

func (p *parser) queryNoWith() *queryNode {
	q := &queryNode{node: node{pos: p.tok.pos}}
	q.body = p.queryTerm(0)
	if p.acceptAll("ORDER", "BY") {
		q.order = p.sortItems()
	}
	if p.accept("OFFSET") {
		q.offset = p.rowCount()
		if !p.accept("ROW") {
			p.accept("ROWS")
		}
	}
	switch {
	case p.accept("LIMIT"):
		if p.tok.is("ALL") {
			q.limit = &rowCount{node: node{pos: p.tok.pos}, all: true}
			p.advance()
		} else {
			q.limit = p.rowCount()
		}
	case p.accept("FETCH"):
		p.oneOf("FIRST", "NEXT")
		q.limit = &rowCount{node: node{pos: p.tok.pos}, n: 1}
		if p.tok.kind == tokInteger || p.tok.isSym("?") {
			pos := p.tok.pos
			if q.limit = p.rowCount(); q.limit.n == 0 {
				p.fail(pos, "FETCH FIRST row count must be positive (actual value: 0)")
			}
		}
		p.oneOf("ROW", "ROWS")
		if p.oneOf("ONLY", "WITH") == "WITH" {
			p.expect("TIES")
			q.ties = true
		}
	}
	q.end = p.prevEnd
	return q
}

func (p *parser) rowCount() *rowCount {
	if at := (node{p.tok.pos, p.tok.end}); p.tok.isSym("?") {
		v := p.parameter()
		n, ok := integer(v)
		if !ok || n < 0 || !plainNumber(v) {
			p.fail(at.pos, "The number of rows must be an integer that is not negative, not %q", v)
		}
		return &rowCount{node: at, n: n}
	}
	if p.tok.kind != tokInteger {
		p.unexpected("<integer>")
	}
	n, ok := integer(p.tok.text)
	if !ok {
		p.fail(p.tok.pos, "Invalid numeric literal: %s", p.tok.text)
	}
	c := &rowCount{node: node{p.tok.pos, p.tok.end}, n: n}
	p.advance()
	return c
}

// integer reads an integer literal as Trino writes it: decimal, 0x, 0o, 0b, with underscores.
func integer(text string) (int64, bool) {
	if len(text) > 1 && text[0] == '0' && digit(text[1]) {
		n := 0
		for n < len(text)-1 && (text[n] == '0' || text[n] == '_') {
			n++
		}
		text = text[n:] // leading zeros mean no octal
	}
	n, err := strconv.ParseInt(text, 0, 64)
	return n, err == nil
}

// queryTerm reads set operations: INTERSECT binds more tightly (level 1) than UNION and EXCEPT (level 0).
func (p *parser) queryTerm(level int) body {
	if level == 2 {
		return p.queryPrimary()
	}
	left := p.queryTerm(level + 1)
	for n := 1; ; n++ {
		op := p.tok.word
		if level == 1 && op != "INTERSECT" || level == 0 && op != "UNION" && op != "EXCEPT" {
			return left
		}
		p.chain(n)
		set := &setNode{node: node{pos: p.tok.pos}, op: op, left: left}
		p.advance()
		if p.accept("ALL") {
			set.all = true
		} else {
			p.accept("DISTINCT")
		}
		if p.tok.is("CORRESPONDING") {
			set.named = true
			p.advance()
			if p.tok.is("BY") {
				p.fail(p.tok.pos, "CORRESPONDING with columns is unsupported")
			}
		}
		set.right = p.queryTerm(level + 1)
		set.end = p.prevEnd
		left = set
	}
}

func (p *parser) queryPrimary() body {
	pos := p.tok.pos
	switch {
	case p.tok.is("SELECT"):
		return p.selectBody()
	case p.accept("TABLE"):
		return &tableNode{node{pos, p.prevEnd}, p.tableName()}
	case p.accept("VALUES"):
		v := &valuesNode{node: node{pos: pos}, rows: []expr{p.expression()}}
		for p.acceptSym(",") {
			v.rows = append(v.rows, p.expression())
		}
		v.end = p.prevEnd
		return v
	case p.acceptSym("("):
		p.enter()
		q := p.queryNoWith()
		p.leave()
		p.expectSym(")")
		return q
	}
	p.unexpected("'SELECT', 'VALUES', 'TABLE', '('")
	return nil
}

func (p *parser) selectBody() body {
	s := &selectNode{node: node{pos: p.tok.pos}}
	p.expect("SELECT")
	if p.accept("DISTINCT") {
		s.distinct = true
	} else if p.tok.is("ALL") && !p.peek(1).isSym(",") && !p.peek(1).isSym(".") {
		p.advance()
	}
	s.items = append(s.items, p.selectItem())
	for p.acceptSym(",") {
		s.items = append(s.items, p.selectItem())
	}
	if p.accept("FROM") {
		s.from = append(s.from, p.relation())
		for p.acceptSym(",") {
			s.from = append(s.from, p.relation())
		}
	}
	if p.accept("WHERE") {
		s.where = p.expression()
	}
	if p.acceptAll("GROUP", "BY") {
		s.group = p.groupBy()
	}
	if p.accept("HAVING") {
		s.having = p.expression()
	}
	if p.tok.is("WINDOW") {
		p.advance()
		for {
			w := &windowDef{name: p.identifier()}
			p.expect("AS")
			p.expectSym("(")
			w.spec = p.windowSpec()
			p.expectSym(")")
			s.windows = append(s.windows, w)
			if !p.acceptSym(",") {
				break
			}
		}
	}
	s.end = p.prevEnd
	return s
}

func (p *parser) selectItem() *selectItem {
	item := &selectItem{node: node{pos: p.tok.pos}}
	if p.acceptSym("*") {
		item.star = true
		return item
	}
	item.x = p.expression()
	if p.tok.isSym(".") && p.peek(1).isSym("*") {
		p.advance()
		p.advance()
		item.star = true
		if p.accept("AS") {
			item.columns = p.identifiers()
		}
	} else if p.accept("AS") {
		n := p.identifier()
		item.alias = &n
	} else if p.aliasFollows() {
		n := p.identifier()
		item.alias = &n
	}
	item.end = p.prevEnd
	return item
}

// aliasFollows tells whether the current token is an alias without AS, and not the first word of a clause that is no reserved word.
func (p *parser) aliasFollows() bool {
	if !isName(&p.tok) {
		return false
	}
	next := p.peek(1)
	switch p.tok.word {
	case "LIMIT":
		return next.kind != tokInteger && !next.is("ALL") && !next.isSym("?")
	case "OFFSET":
		return next.kind != tokInteger && !next.isSym("?")
	case "FETCH":
		return !next.is("FIRST") && !next.is("NEXT")
	case "WINDOW":
		return !isName(next) || !p.peek(2).is("AS")
	case "TABLESAMPLE":
		return !next.is("BERNOULLI") && !next.is("SYSTEM")
	case "MATCH_RECOGNIZE":
		return !next.isSym("(")
	}
	return true
}

func (p *parser) groupBy() *groupNode {
	g := &groupNode{node: node{pos: p.tok.pos}}
	if p.accept("DISTINCT") {
		g.distinct = true
	} else {
		p.accept("ALL")
	}
	if p.tok.is("AUTO") {
		if t := p.peek(1); t.kind == tokEnd || t.kind == tokWord || t.isSym(")") || t.isSym(";") {
			p.advance()
			g.auto = true
			return g
		}
	}
	for {
		g.sets = append(g.sets, p.groupingElement())
		if !p.acceptSym(",") {
			break
		}
	}
	g.end = p.prevEnd
	return g
}

func (p *parser) groupingElement() *groupingElement {
	e := &groupingElement{node: node{pos: p.tok.pos}}
	switch {
	case p.tok.is("ROLLUP"), p.tok.is("CUBE"):
		e.kind = p.tok.word
		p.advance()
	case p.follows("GROUPING", "SETS"):
		p.advance()
		p.advance()
		e.kind = "SETS"
	default:
		e.sets = [][]expr{p.groupingSet()}
		return e
	}
	p.expectSym("(")
	if !p.tok.isSym(")") || e.kind == "SETS" {
		e.sets = append(e.sets, p.groupingSet())
		for p.acceptSym(",") {
			e.sets = append(e.sets, p.groupingSet())
		}
	}
	p.expectSym(")")
	return e
}

// groupingSet is "(a, b)" or one expression, which may begin with a parenthesis itself.
func (p *parser) groupingSet() []expr {
	if p.tok.isSym("(") && !p.queryAfter(0) {
		t := p.peek(p.closing(0) + 1)
		switch {
		case t.kind == tokEnd, t.isSym(","), t.isSym(")"), t.isSym(";"), t.is("HAVING"), t.is("ORDER"), t.is("WINDOW"), t.is("LIMIT"),
			t.is("OFFSET"), t.is("FETCH"), t.is("UNION"), t.is("INTERSECT"), t.is("EXCEPT"):
			p.advance()
			set := []expr{}
			for !p.tok.isSym(")") {
				set = append(set, p.expression())
				if !p.acceptSym(",") {
					break
				}
			}
			p.expectSym(")")
			return set
		}
	}
	return []expr{p.expression()}
}

func (p *parser) sortItems() []*sortItem {
	list := []*sortItem{p.sortItem()}
	for p.acceptSym(",") {
		list = append(list, p.sortItem())
	}
	return list
}

func (p *parser) sortItem() *sortItem {
	s := &sortItem{node: node{pos: p.tok.pos}}
	s.x = p.expression()
	if p.accept("DESC") {
		s.desc = true
	} else {
		p.accept("ASC")
	}
	if p.accept("NULLS") {
		s.nulls = true
		s.nullsFirst = p.oneOf("FIRST", "LAST") == "FIRST"
	}
	s.end = p.prevEnd
	return s
}
