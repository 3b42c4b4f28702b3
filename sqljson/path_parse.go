package sqljson

import (
	"fmt"
	"strconv"
)

// Path is a path of SQL/JSON, read and checked.
type Path struct {
	lax  bool
	root *pathNode
}

// pathNode is an expression of a path, or a predicate of a filter.
type pathNode struct {
	op    pathOp
	at    int
	base  *pathNode // of an accessor, a method, a filter; the left operand
	right *pathNode // the right operand, the predicate of a filter
	name  string    // of a member or a variable; the operator
	any   bool      // the wildcard of members and elements
	subs  []subscript
	value *item
	// What the expression always gives, where the path alone tells.
	static kind
	known  bool
}

// subscript is an index, or a range of them.
type subscript struct{ from, to *pathNode }

type pathOp uint8

const (
	opLiteral pathOp = iota
	opContext
	opVariable
	opLast
	opCurrent
	opMember
	opDescendant
	opElement
	opFilter
	opType
	opSize
	opDouble
	opCeiling
	opFloor
	opAbs
	opKeyValue
	opUnary
	opBinary
	opCompare
	opAnd
	opOr
	opNot
	opExists
	opUnknown
	opStarts
)

// maxPathDepth bounds how deep expressions lie in one another.
const maxPathDepth = 100

// ParsePath reads a path, "lax $.a[*]?(@.b > 1)". variables are the names that it may use. An error is a *PathError.
func ParsePath(text string, variables []string) (*Path, error) {
	toks, err := lexPath(text)
	if err != nil {
		return nil, err
	}
	p := &pathParser{toks: toks, variables: variables}
	return p.path()
}

type pathParser struct {
	toks      []pathToken
	i         int
	depth     int
	variables []string
}

func (p *pathParser) tok() pathToken { return p.toks[p.i] }

func (p *pathParser) is(text string) bool {
	t := p.tok()
	return (t.kind == pathSymbol || t.kind == pathWord) && t.text == text
}

func (p *pathParser) accept(text string) bool {
	if p.is(text) {
		p.i++
		return true
	}
	return false
}

func (p *pathParser) fail(at int, format string, args ...any) error {
	return &PathError{at, fmt.Sprintf(format, args...)}
}

func (p *pathParser) unexpected(want string) error {
	t := p.tok()
	if t.kind == pathEnd {
		return p.fail(t.at, "the JSON path ends where %s is expected", want)
	}
	return p.fail(t.at, "'%s' in a JSON path where %s is expected", t.text, want)
}

func (p *pathParser) expect(text string) error {
	if !p.accept(text) {
		return p.unexpected("'" + text + "'")
	}
	return nil
}

func (p *pathParser) path() (*Path, error) {
	lax := p.is("lax")
	if !lax && !p.is("strict") {
		return nil, p.unexpected("'lax' or 'strict'")
	}
	p.i++
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.tok().kind != pathEnd {
		return nil, p.unexpected("its end")
	}
	return &Path{lax, root}, nil
}

func (p *pathParser) enter() error {
	if p.depth++; p.depth > maxPathDepth {
		return p.fail(p.tok().at, "the JSON path is nested more than %d levels deep", maxPathDepth)
	}
	return nil
}

// expression reads sums of products.
func (p *pathParser) expression() (*pathNode, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.binary([]string{"+", "-"}, func() (*pathNode, error) {
		return p.binary([]string{"*", "/", "%"}, p.unary)
	})
}

func (p *pathParser) binary(ops []string, operand func() (*pathNode, error)) (*pathNode, error) {
	left, err := operand()
	for terms := 0; err == nil; terms++ {
		op := ""
		for _, o := range ops {
			if p.is(o) {
				op = o
			}
		}
		if op == "" {
			return left, nil
		}
		if terms > maxPathDepth { // a tree as deep as it is long
			return nil, p.fail(p.tok().at, "the JSON path is nested more than %d levels deep", maxPathDepth)
		}
		at := p.tok().at
		p.i++
		var right *pathNode
		if right, err = operand(); err != nil {
			return nil, err
		}
		n := &pathNode{op: opBinary, at: at, name: op, base: left, right: right}
		if err := p.binaryType(n); err != nil {
			return nil, err
		}
		left = n
	}
	return nil, err
}

func (p *pathParser) unary() (*pathNode, error) {
	t := p.tok()
	number := p.i+1 < len(p.toks) && p.toks[p.i+1].kind >= pathInteger
	if t.kind != pathSymbol || t.text != "+" && t.text != "-" || t.text == "-" && number {
		return p.accessors()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.i++
	base, err := p.unary()
	if err != nil {
		return nil, err
	}
	if base.known && !base.static.numeric() {
		return nil, p.fail(t.at, "Invalid operand type in JSON path arithmetic unary expression")
	}
	return &pathNode{op: opUnary, at: t.at, name: t.text, base: base, static: base.static, known: base.known}, nil
}

var pathMethods = map[string]pathOp{"type": opType, "size": opSize, "double": opDouble, "ceiling": opCeiling, "floor": opFloor, "abs": opAbs,
	"keyvalue": opKeyValue}

// accessors reads a primary and what is taken of it.
func (p *pathParser) accessors() (*pathNode, error) {
	n, err := p.primary()
	for steps := 0; err == nil; steps++ {
		if steps > 10*maxPathDepth {
			return nil, p.fail(p.tok().at, "the JSON path has more than %d steps", 10*maxPathDepth)
		}
		at := p.tok().at
		switch {
		case p.accept(".."):
			n = &pathNode{op: opDescendant, at: at, base: n}
			n.name, err = p.memberName()
		case p.accept("."):
			n, err = p.member(n, at)
		case p.accept("["):
			n, err = p.element(n, at)
		case p.accept("?"):
			n, err = p.filter(n, at)
		default:
			return n, nil
		}
	}
	return nil, err
}

func (p *pathParser) memberName() (string, error) {
	t := p.tok()
	if t.kind != pathWord && t.kind != pathString {
		return "", p.unexpected("the name of a member")
	}
	p.i++
	return t.text, nil
}

// member reads what follows a point: a member's name, * or a method.
func (p *pathParser) member(base *pathNode, at int) (*pathNode, error) {
	if p.accept("*") {
		return &pathNode{op: opMember, at: at, base: base, any: true}, nil
	}
	t := p.tok()
	name, err := p.memberName()
	if err != nil {
		return nil, err
	}
	if t.kind != pathWord || !p.is("(") {
		return &pathNode{op: opMember, at: at, base: base, name: name}, nil
	}
	op, ok := pathMethods[name]
	if name == "datetime" {
		return nil, p.fail(t.at, "datetime method in JSON path is not yet supported")
	}
	if !ok {
		return nil, p.unexpected("the end of the path or another step")
	}
	p.i++
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	n := &pathNode{op: op, at: at, base: base, name: name}
	return n, p.methodType(n)
}

func (p *pathParser) element(base *pathNode, at int) (*pathNode, error) {
	n := &pathNode{op: opElement, at: at, base: base}
	if p.is("*") && p.toks[p.i+1].text == "]" {
		p.i += 2
		n.any = true
		return n, nil
	}
	for {
		var s subscript
		var err error
		if s.from, err = p.expression(); err != nil {
			return nil, err
		}
		if p.accept("to") {
			if s.to, err = p.expression(); err != nil {
				return nil, err
			}
		}
		n.subs = append(n.subs, s)
		if !p.accept(",") {
			return n, p.expect("]")
		}
	}
}

func (p *pathParser) filter(base *pathNode, at int) (*pathNode, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	cond, err := p.predicate()
	if err != nil {
		return nil, err
	}
	n := &pathNode{op: opFilter, at: at, base: base, right: cond, static: base.static, known: base.known}
	return n, p.expect(")")
}

func (p *pathParser) primary() (*pathNode, error) {
	t := p.tok()
	literal := func(it *item) (*pathNode, error) {
		p.i++
		it.typed = it.kind != nullKind
		return &pathNode{op: opLiteral, at: t.at, value: it, static: it.kind, known: it.kind != nullKind}, nil
	}
	switch t.kind {
	case pathString:
		return literal(&item{kind: textKind, text: t.text})
	case pathInteger, pathDecimal, pathDouble:
		return p.number("")
	case pathVariable:
		p.i++
		for _, v := range p.variables {
			if v == t.text {
				return &pathNode{op: opVariable, at: t.at, name: t.text}, nil
			}
		}
		return nil, p.fail(t.at, "no value passed for parameter %s", t.text)
	case pathWord:
		switch t.text {
		case "true":
			return literal(&item{kind: boolKind, num: 1})
		case "false":
			return literal(&item{kind: boolKind})
		case "null":
			return literal(&item{kind: nullKind})
		case "last":
			p.i++
			return &pathNode{op: opLast, at: t.at}, nil
		}
	case pathSymbol:
		p.i++
		switch t.text {
		case "-":
			return p.number("-")
		case "$":
			return &pathNode{op: opContext, at: t.at}, nil
		case "@":
			return &pathNode{op: opCurrent, at: t.at}, nil
		case "(":
			n, err := p.expression()
			if err != nil {
				return nil, err
			}
			return n, p.expect(")")
		}
		p.i--
	}
	return nil, p.unexpected("a value")
}

func (p *pathParser) number(sign string) (*pathNode, error) {
	t := p.tok()
	it := &item{typed: true}
	switch t.kind {
	case pathInteger:
		n, err := strconv.ParseInt(sign+t.text, 10, 64)
		if err != nil {
			return nil, p.fail(t.at, "Invalid numeric literal: %s", sign+t.text)
		}
		if it.num, it.kind = n, bigintKind; n == int64(int32(n)) {
			it.kind = integerKind
		}
	case pathDecimal:
		d, ok := readDecimal(sign + t.text)
		if !ok {
			return nil, p.fail(t.at, "Invalid numeric literal: %s", sign+t.text)
		}
		it.kind, it.dec = decimalKind, d
	case pathDouble:
		f, err := strconv.ParseFloat(sign+t.text, 64)
		if err != nil {
			return nil, p.fail(t.at, "Invalid numeric literal: %s", sign+t.text)
		}
		it.kind, it.float = doubleKind, f
	default:
		return nil, p.unexpected("a number")
	}
	p.i++
	return &pathNode{op: opLiteral, at: t.at, value: it, static: it.kind, known: true}, nil
}

// binaryType refuses operands that are never numbers, and tells what the result is where that is known.
func (p *pathParser) binaryType(n *pathNode) error {
	l, r := n.base, n.right
	if !l.known || !r.known {
		return nil
	}
	if !l.static.numeric() || !r.static.numeric() {
		return p.fail(n.at, "invalid operand types in JSON path arithmetic binary expression")
	}
	n.known, n.static = true, max(l.static, r.static)
	if n.static == decimalKind && (l.static == doubleKind || r.static == doubleKind) {
		n.static = doubleKind
	}
	return nil
}

// methodType does the same for a method.
func (p *pathParser) methodType(n *pathNode) error {
	b := n.base
	switch n.op {
	case opType:
		n.known, n.static = true, textKind
	case opSize:
		n.known, n.static = true, integerKind
	case opDouble:
		if b.known && !b.static.numeric() && b.static != textKind {
			return p.fail(n.at, "cannot perform JSON path double() method with this argument")
		}
		n.known, n.static = true, doubleKind
	case opCeiling, opFloor, opAbs:
		if b.known && !b.static.numeric() {
			return p.fail(n.at, "cannot perform JSON path %s() method with this argument", n.name)
		}
		n.known, n.static = b.known, b.static
	}
	return nil
}
