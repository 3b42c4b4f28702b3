package sqljson

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errEvaluation = errors.New("path evaluation failed")

// number is an item as an SQL number.
func number(it *item) (*item, error) {
	switch {
	case it.kind == hugeKind:
		return nil, errors.New("path evaluation failed: a number is too big")
	case !it.kind.numeric():
		return nil, itemError("NUMBER", it)
	case it.typed:
		return it, nil
	}
	v := *it
	v.typed = true
	return &v, nil
}

// limits of the integral kinds.
func (k kind) holds(n int64) bool {
	switch k {
	case tinyKind:
		return n == int64(int8(n))
	case smallKind:
		return n == int64(int16(n))
	case integerKind:
		return n == int64(int32(n))
	}
	return true
}

func whole(k kind, n int64, overflow bool) (*item, error) {
	if overflow || !k.holds(n) {
		return nil, errEvaluation
	}
	return &item{kind: k, typed: true, num: n}, nil
}

func floating(k kind, f float64) *item {
	if k == realKind {
		f = float64(float32(f))
	}
	return &item{kind: k, typed: true, float: f}
}

func exact(d decimal, err error) (*item, error) {
	if err != nil {
		return nil, errEvaluation
	}
	return &item{kind: decimalKind, typed: true, dec: d}, nil
}

func (it *item) negate() (*item, error) {
	switch {
	case it.kind.integral():
		return whole(it.kind, -it.num, it.num == math.MinInt64)
	case it.kind == decimalKind:
		d := it.dec
		d.digits = divideHalfUp(d.digits, power(0))
		d.digits.Neg(d.digits)
		return exact(d, nil)
	}
	return floating(it.kind, -it.float), nil
}

// method is abs(), ceiling(), floor() and double().
func method(op pathOp, it *item) (*item, error) {
	if op == opDouble && it.kind == textKind {
		f, ok := readDouble(plain(it.text))
		if !ok {
			return nil, errEvaluation
		}
		return floating(doubleKind, f), nil
	}
	v, err := number(it)
	if err != nil {
		return nil, err
	}
	switch op {
	case opDouble:
		f, _ := v.asFloat()
		return floating(doubleKind, f), nil
	case opAbs:
		if v.kind.integral() && v.num < 0 || v.kind == decimalKind && v.dec.digits.Sign() < 0 {
			return v.negate()
		}
		if v.kind == realKind || v.kind == doubleKind {
			return floating(v.kind, math.Abs(v.float)), nil
		}
		return v, nil
	}
	switch {
	case v.kind.integral():
		return v, nil
	case v.kind == decimalKind:
		return exact(v.dec.whole(op == opCeiling), nil)
	case op == opCeiling:
		return floating(v.kind, math.Ceil(v.float)), nil
	}
	return floating(v.kind, math.Floor(v.float)), nil
}

// readDouble reads a double as Trino's cast from varchar does: with blanks around it, and with Java's suffixes.
func readDouble(s string) (float64, bool) {
	s = strings.Trim(s, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 {
		return 0, false
	}
	sign := 1.0
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	switch body {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return sign * math.Inf(1), true
	}
	if body != "" && strings.IndexByte("dDfF", body[len(body)-1]) >= 0 {
		body = body[:len(body)-1]
	}
	if strings.Trim(body, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(body, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return sign * f, true
}

func (it *item) asFloat() (float64, bool) {
	switch {
	case it.kind.integral():
		return float64(it.num), true
	case it.kind == decimalKind:
		return it.dec.float(), true
	case it.kind == realKind || it.kind == doubleKind:
		return it.float, true
	}
	return 0, false
}

func (it *item) asDecimal() decimal {
	if it.kind == decimalKind {
		return it.dec
	}
	return wholeDecimal(it.num, it.kind)
}

// commonKind is the type that two numbers are brought to.
func commonKind(a, b kind) kind {
	if a > b {
		a, b = b, a
	}
	if b == decimalKind && (a == realKind || a == doubleKind) {
		return a
	}
	return b
}

func (e *evaluation) binary(n *pathNode, c context) ([]*item, error) {
	left, err := e.sequence(n.base, c)
	if err != nil {
		return nil, err
	}
	right, err := e.sequence(n.right, c)
	if err != nil {
		return nil, err
	}
	if len(left) != 1 || len(right) != 1 {
		return nil, errors.New("path evaluation failed: arithmetic binary expression requires singleton operands")
	}
	a, err := number(left[0])
	if err != nil {
		return nil, err
	}
	b, err := number(right[0])
	if err != nil {
		return nil, err
	}
	v, err := arithmetic(n.name[0], a, b)
	if err != nil {
		return nil, err
	}
	return []*item{v}, nil
}

func arithmetic(op byte, a, b *item) (*item, error) {
	k := commonKind(a.kind, b.kind)
	switch {
	case k == decimalKind:
		return exact(a.asDecimal().arithmetic(op, b.asDecimal()))
	case k == realKind || k == doubleKind:
		x, _ := a.asFloat()
		y, _ := b.asFloat()
		if k == realKind {
			x, y = float64(float32(x)), float64(float32(y))
		}
		switch op {
		case '+':
			x += y
		case '-':
			x -= y
		case '*':
			x *= y
		case '/':
			x /= y
		default:
			x = math.Mod(x, y)
		}
		return floating(k, x), nil
	}
	x, y := a.num, b.num
	switch op {
	case '+':
		return whole(k, x+y, (x+y < x) != (y < 0))
	case '-':
		return whole(k, x-y, (x-y < x) != (y > 0))
	case '*':
		p := x * y
		return whole(k, p, x != 0 && (p/x != y || x == -1 && y == math.MinInt64))
	}
	if y == 0 {
		return nil, errEvaluation
	}
	if op == '/' {
		return whole(k, x/y, x == math.MinInt64 && y == -1)
	}
	if y == -1 {
		return whole(k, 0, false)
	}
	return whole(k, x%y, false)
}
