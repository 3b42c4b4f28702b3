package sqljson

import (
	"errors"
	"strings"
)

// truth is what a condition says: SQL's three values.
type truth uint8

const (
	no truth = iota
	yes
	unknown
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// test evaluates a condition. What fails in it is unknown; an error is ErrNotYet.
func (e *evaluation) test(n *pathNode, c context) (truth, error) {
	switch n.op {
	case opAnd, opOr:
		decides := truthOf(n.op == opOr)
		left, err := e.test(n.base, c)
		if err != nil || left == decides {
			return left, err
		}
		right, err := e.test(n.right, c)
		if err != nil || right == decides {
			return right, err
		}
		if left == unknown || right == unknown {
			return unknown, nil
		}
		return left, nil
	case opNot:
		t, err := e.test(n.base, c)
		if t != unknown {
			t = truthOf(t == no)
		}
		return t, err
	case opUnknown:
		t, err := e.test(n.base, c)
		return truthOf(t == unknown), err
	case opExists:
		seq, err := e.eval(n.base, c)
		if err != nil {
			return unknown, unsupported(err)
		}
		return truthOf(len(seq) > 0), nil
	case opStarts:
		return e.starts(n, c)
	}
	left, err := e.sequence(n.base, c)
	if err != nil {
		return unknown, unsupported(err)
	}
	right, err := e.sequence(n.right, c)
	if err != nil {
		return unknown, unsupported(err)
	}
	return e.compareAll(n.name, left, right)
}

// unsupported keeps the errors that no condition may hide.
func unsupported(err error) error {
	if errors.Is(err, ErrNotYet) {
		return err
	}
	return nil
}

// compareAll compares every item of one sequence with every one of the other: one pair that holds makes the condition true. In a strict path all are
// looked at, and one that cannot be compared makes it unknown; in a lax one the first of either kind decides.
func (e *evaluation) compareAll(op string, left, right []*item) (truth, error) {
	if len(left) == 0 || len(right) == 0 {
		return no, nil
	}
	l, r := sortsOf(left), sortsOf(right)
	if l.nested && (r.nested || r.scalar) || l.scalar && r.nested {
		return unknown, nil
	}
	found := false
	switch op {
	case "==":
		found = l.null && r.null
	case "<>", "!=":
		found = l.null && (r.scalar || r.nested) || r.null && (l.scalar || l.nested)
	}
	if found && e.lax {
		return yes, nil
	}
	if !l.scalar || !r.scalar {
		return truthOf(found), nil
	}
	if l.huge || r.huge {
		return unknown, nil
	}
	for _, a := range left {
		for _, b := range right {
			if a.kind == nullKind || b.kind == nullKind {
				continue
			}
			t, err := compare(op, a, b)
			if err != nil || t == unknown {
				return unknown, err
			}
			if t == yes {
				found = true
				if e.lax {
					return yes, nil
				}
			}
		}
	}
	return truthOf(found), nil
}

// sorts are the sorts of items that a sequence holds.
type sorts struct{ null, scalar, nested, huge bool }

func sortsOf(seq []*item) (s sorts) {
	for _, it := range seq {
		switch it.kind {
		case nullKind:
			s.null = true
		case arrayKind, objectKind:
			s.nested = true
		default:
			s.scalar = true
			s.huge = s.huge || it.kind == hugeKind
		}
	}
	return s
}

// compare compares two scalars, unknown where their types do not.
func compare(op string, a, b *item) (truth, error) {
	var order int // of a beside b
	switch {
	case a.kind.numeric() && b.kind.numeric():
		k := commonKind(a.kind, b.kind)
		if k == realKind || k == doubleKind {
			return compareFloats(op, k, a, b), nil
		}
		order = a.asDecimal().compare(b.asDecimal())
	case a.kind == otherKind || b.kind == otherKind, a.other != "" || b.other != "":
		// moments and char of SQL, which are kept as their texts
		if a.kind == otherKind && b.kind == otherKind || a.kind == textKind && b.kind == textKind {
			return unknown, ErrNotYet
		}
		return unknown, nil
	case a.kind != b.kind:
		return unknown, nil
	case a.kind == textKind:
		order = strings.Compare(plain(a.text), plain(b.text))
	default: // boolean
		order = int(a.num - b.num)
	}
	switch op {
	case "==":
		return truthOf(order == 0), nil
	case "<>", "!=":
		return truthOf(order != 0), nil
	case "<":
		return truthOf(order < 0), nil
	case ">":
		return truthOf(order > 0), nil
	case "<=":
		return truthOf(order <= 0), nil
	}
	return truthOf(order >= 0), nil
}

func compareFloats(op string, k kind, a, b *item) truth {
	x, _ := a.asFloat()
	y, _ := b.asFloat()
	if k == realKind {
		x, y = float64(float32(x)), float64(float32(y))
	}
	switch op {
	case "==":
		return truthOf(x == y)
	case "<>", "!=":
		return truthOf(x != y)
	case "<":
		return truthOf(x < y)
	case ">":
		return truthOf(x > y)
	case "<=":
		return truthOf(x <= y)
	}
	return truthOf(x >= y)
}

// starts tells whether a string of the sequence begins with the prefix.
func (e *evaluation) starts(n *pathNode, c context) (truth, error) {
	seq, err := e.eval(n.base, c)
	if err != nil {
		return unknown, unsupported(err)
	}
	prefix, err := e.eval(n.right, c)
	if err != nil || len(prefix) != 1 || prefix[0].kind != textKind {
		return unknown, unsupported(err)
	}
	if e.lax {
		seq = unwrap(seq)
	}
	found := false
	for _, it := range seq {
		if it.kind != textKind {
			return unknown, nil
		}
		if strings.HasPrefix(plain(it.text), plain(prefix[0].text)) {
			found = true
			if e.lax {
				return yes, nil
			}
		}
	}
	return truthOf(found), nil
}
