package sqljson

import (
	"errors"
	"fmt"
	"math"
)

// evaluation is one run of a path over one value.
type evaluation struct {
	lax     bool
	input   *item
	params  map[string]*item // nil for a value that is no item: an empty sequence
	objects int64            // that keyvalue() has numbered
	steps   int              // items made so far
}

// context is what an expression may refer to besides the input.
type context struct {
	current *item // of a filter
	last    int   // the last index of the array, -1 where there is none
}

// maxItems bounds the items that one run of a path makes.
const maxItems = 1_000_000

// run evaluates the path. An error is a path evaluation error of Trino's, or ErrNotYet.
func (p *Path) run(input *item, params map[string]*item) ([]*item, error) {
	e := &evaluation{lax: p.lax, input: input, params: params}
	return e.eval(p.root, context{last: -1})
}

func (e *evaluation) sequence(n *pathNode, c context) ([]*item, error) {
	seq, err := e.eval(n, c)
	if err == nil && e.lax {
		seq = unwrap(seq)
	}
	return seq, err
}

// unwrap puts the elements of arrays in their place.
func unwrap(seq []*item) []*item {
	for i, it := range seq {
		if it.kind != arrayKind {
			continue
		}
		out := append([]*item(nil), seq[:i]...)
		for _, it := range seq[i:] {
			if it.kind == arrayKind {
				out = append(out, it.elems...)
			} else {
				out = append(out, it)
			}
		}
		return out
	}
	return seq
}

func itemError(want string, it *item) error {
	return fmt.Errorf("path evaluation failed: invalid item type. Expected: %s, actual: %s", want, it.typeName())
}

func (it *item) typeName() string {
	switch it.kind {
	case nullKind:
		return "NULL"
	case boolKind:
		return "BOOLEAN"
	case textKind:
		return "STRING"
	case arrayKind:
		return "ARRAY"
	case objectKind:
		return "OBJECT"
	case otherKind:
		return it.other
	}
	return "NUMBER"
}

func (e *evaluation) eval(n *pathNode, c context) ([]*item, error) {
	switch n.op {
	case opLiteral:
		return []*item{n.value}, nil
	case opContext:
		return []*item{e.input}, nil
	case opVariable:
		if v := e.params[n.name]; v != nil {
			return []*item{v}, nil
		}
		return nil, nil
	case opLast:
		if c.last < 0 {
			return nil, errors.New("path evaluation failed: accessing the last array index with no enclosing array")
		}
		return []*item{{kind: integerKind, typed: true, num: int64(c.last)}}, nil
	case opCurrent:
		if c.current == nil {
			return nil, errors.New("path evaluation failed: accessing current filter item with no enclosing filter")
		}
		return []*item{c.current}, nil
	case opBinary:
		return e.binary(n, c)
	case opElement:
		return e.element(n, c)
	case opDescendant, opSize, opType:
		seq, err := e.eval(n.base, c)
		if err != nil {
			return nil, err
		}
		return e.each(n, seq, c)
	}
	seq, err := e.sequence(n.base, c)
	if err != nil {
		return nil, err
	}
	return e.each(n, seq, c)
}

// each applies a step to every item of a sequence.
func (e *evaluation) each(n *pathNode, seq []*item, c context) ([]*item, error) {
	var out []*item
	for _, it := range seq {
		var err error
		switch n.op {
		case opMember:
			out, err = e.member(out, n, it)
		case opDescendant:
			out = descend(out, n.name, it)
		case opFilter:
			var t truth
			if t, err = e.test(n.right, context{it, c.last}); t == yes {
				out = append(out, it)
			}
		case opKeyValue:
			out, err = e.keyValue(out, it)
		case opType:
			out = append(out, &item{kind: textKind, typed: true, text: it.sqlType()})
		case opSize:
			size := 1
			if it.kind == arrayKind {
				size = len(it.elems)
			} else if !e.lax {
				err = itemError("ARRAY", it)
			}
			out = append(out, &item{kind: integerKind, typed: true, num: int64(size)})
		case opUnary:
			var v *item
			if v, err = number(it); err == nil && n.name == "-" {
				v, err = v.negate()
			}
			out = append(out, v)
		default:
			var v *item
			v, err = method(n.op, it)
			out = append(out, v)
		}
		if err != nil {
			return nil, err
		}
	}
	if e.steps += len(out); e.steps > maxItems {
		return nil, ErrNotYet
	}
	return out, nil
}

func (e *evaluation) member(out []*item, n *pathNode, it *item) ([]*item, error) {
	if it.kind != objectKind {
		if !e.lax {
			return nil, itemError("OBJECT", it)
		}
		return out, nil
	}
	if n.any {
		return append(out, it.elems...), nil
	}
	v := it.get(n.name)
	switch {
	case v != nil:
		out = append(out, v)
	case !e.lax:
		return nil, fmt.Errorf("path evaluation failed: structural error: missing member '%s' in JSON object", n.name)
	}
	return out, nil
}

// descend gathers the members of a name at every depth, an object's own before those within it.
func descend(out []*item, name string, it *item) []*item {
	if it.kind == objectKind {
		if v := it.get(name); v != nil {
			out = append(out, v)
		}
	}
	for _, v := range it.elems {
		out = descend(out, name, v)
	}
	return out
}

func (e *evaluation) keyValue(out []*item, it *item) ([]*item, error) {
	if it.kind != objectKind {
		return nil, itemError("OBJECT", it)
	}
	id := &item{kind: integerKind, num: e.objects}
	for i, name := range it.names {
		out = append(out, &item{kind: objectKind, names: []string{"name", "value", "id"}, elems: []*item{{kind: textKind, text: name}, it.elems[i], id}})
	}
	e.objects++
	return out, nil
}

func (it *item) sqlType() string {
	switch it.kind {
	case nullKind:
		return "null"
	case boolKind:
		return "boolean"
	case textKind:
		return "string"
	case arrayKind:
		return "array"
	case objectKind:
		return "object"
	case otherKind:
		return it.other
	}
	return "number"
}

// element takes the elements of arrays; in a lax path, what is none counts as an array of one.
func (e *evaluation) element(n *pathNode, c context) ([]*item, error) {
	seq, err := e.eval(n.base, c)
	if err != nil {
		return nil, err
	}
	var out []*item
	for _, it := range seq {
		elems := it.elems
		if it.kind != arrayKind {
			if !e.lax {
				return nil, itemError("ARRAY", it)
			}
			elems = []*item{it}
		}
		if n.any {
			out = append(out, elems...)
			continue
		}
		if len(elems) == 0 {
			if !e.lax {
				return nil, errors.New("path evaluation failed: structural error: invalid array subscript for empty array")
			}
			continue
		}
		for _, s := range n.subs {
			from, to, err := e.indexes(s, context{c.current, len(elems) - 1})
			if err != nil {
				return nil, err
			}
			size := int64(len(elems))
			if !e.lax && (from < 0 || from >= size || to < 0 || to >= size || from > to) {
				return nil, fmt.Errorf("path evaluation failed: structural error: invalid array subscript: [%d, %d] for array of size %d", from, to, size)
			}
			if from, to = max(from, 0), min(to, size-1); from <= to {
				out = append(out, elems[from:to+1]...)
			}
		}
	}
	if e.steps += len(out); e.steps > maxItems {
		return nil, ErrNotYet
	}
	return out, nil
}

func (e *evaluation) indexes(s subscript, c context) (from, to int64, err error) {
	if from, err = e.index(s.from, c); err != nil || s.to == nil {
		return from, from, err
	}
	to, err = e.index(s.to, c)
	return from, to, err
}

func (e *evaluation) index(n *pathNode, c context) (int64, error) {
	seq, err := e.eval(n, c)
	if err != nil {
		return 0, err
	}
	if len(seq) != 1 {
		return 0, errors.New("path evaluation failed: array subscript value must be singleton numeric")
	}
	it := seq[0]
	beyond := errors.New("path evaluation failed: cannot convert an array subscript to an integer")
	switch {
	case it.kind.integral():
		return it.num, nil
	case it.kind == realKind || it.kind == doubleKind:
		f := it.float
		if it.typed {
			f = math.Round(f)
		} else {
			f = math.Trunc(f)
		}
		if !(f >= math.MinInt64 && f < math.MaxInt64) {
			return 0, beyond
		}
		return int64(f), nil
	case it.kind == decimalKind:
		n := divideHalfUp(it.dec.digits, power(it.dec.scale))
		if !n.IsInt64() {
			return 0, beyond
		}
		return n.Int64(), nil
	case it.kind == hugeKind:
		return 0, beyond
	}
	return 0, itemError("NUMBER", it)
}
