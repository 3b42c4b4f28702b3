package sqljson

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// maxPrecision is the digits of the longest decimal of Trino.
const maxPrecision = 38

var (
	ten         = big.NewInt(10)
	errOverflow = errors.New("decimal overflow")
)

func power(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

// readDecimal reads the text of a decimal without exponent; its precision is that of the digits that are written, without leading zeros.
func readDecimal(s string) (decimal, bool) {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	whole, fraction, _ := strings.Cut(s, ".")
	whole = strings.TrimLeft(whole, "0")
	n, ok := new(big.Int).SetString("0"+whole+fraction, 10)
	if negative {
		n.Neg(n)
	}
	d := decimal{n, max(1, len(whole)+len(fraction)), len(fraction)}
	return d, ok && d.precision <= maxPrecision
}

// wholeDecimal is an integer as the decimal that its type is coerced to.
func wholeDecimal(n int64, k kind) decimal {
	digits := map[kind]int{tinyKind: 3, smallKind: 5, integerKind: 10, bigintKind: 19}[k]
	return decimal{big.NewInt(n), digits, 0}
}

// at is the digits once there are scale of them after the point, which is no fewer than there are.
func (d decimal) at(scale int) *big.Int {
	return new(big.Int).Mul(d.digits, power(scale-d.scale))
}

func (d decimal) compare(e decimal) int {
	s := max(d.scale, e.scale)
	return d.at(s).Cmp(e.at(s))
}

// checked is a decimal whose value has at most 38 digits.
func checked(n *big.Int, precision, scale int) (decimal, error) {
	if new(big.Int).Abs(n).Cmp(power(maxPrecision)) >= 0 || scale > maxPrecision {
		return decimal{}, errOverflow
	}
	return decimal{n, min(precision, maxPrecision), scale}, nil
}

// arithmetic is d op e by Trino's rules (https://trino.io/docs/current/functions/decimal.html).
func (d decimal) arithmetic(op byte, e decimal) (decimal, error) {
	s := max(d.scale, e.scale)
	whole := max(d.precision-d.scale, e.precision-e.scale)
	switch op {
	case '+':
		return checked(new(big.Int).Add(d.at(s), e.at(s)), whole+s+1, s)
	case '-':
		return checked(new(big.Int).Sub(d.at(s), e.at(s)), whole+s+1, s)
	case '*':
		return checked(new(big.Int).Mul(d.digits, e.digits), d.precision+e.precision, d.scale+e.scale)
	}
	if e.digits.Sign() == 0 {
		return decimal{}, errors.New("division by zero")
	}
	if op == '%' {
		return checked(new(big.Int).Rem(d.at(s), e.at(s)), min(e.precision-e.scale, d.precision-d.scale)+s, s)
	}
	// d/e to s digits after the point, half away from zero
	n := new(big.Int).Mul(d.digits, power(s+e.scale-d.scale))
	return checked(divideHalfUp(n, e.digits), d.precision+e.scale+max(e.scale-d.scale, 0), s)
}

func divideHalfUp(n, m *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(n, m, new(big.Int))
	if r.Abs(r).Lsh(r, 1).Cmp(new(big.Int).Abs(m)) >= 0 {
		if n.Sign()*m.Sign() < 0 {
			return q.Sub(q, big.NewInt(1))
		}
		return q.Add(q, big.NewInt(1))
	}
	return q
}

// whole is the decimal without its fraction: the floor or the ceiling.
func (d decimal) whole(up bool) decimal {
	q, r := new(big.Int).QuoRem(d.digits, power(d.scale), new(big.Int))
	switch {
	case up && r.Sign() > 0:
		q.Add(q, big.NewInt(1))
	case !up && r.Sign() < 0:
		q.Sub(q, big.NewInt(1))
	}
	return decimal{q, d.precision - d.scale + min(d.scale, 1), 0}
}

func (d decimal) float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// String is the decimal as Trino's cast to varchar writes it.
func (d decimal) String() string {
	s := new(big.Int).Abs(d.digits).String()
	if len(s) <= d.scale {
		s = strings.Repeat("0", d.scale-len(s)+1) + s
	}
	if d.scale > 0 {
		s = s[:len(s)-d.scale] + "." + s[len(s)-d.scale:]
	}
	if d.digits.Sign() < 0 {
		return "-" + s
	}
	return s
}

// java is the decimal as Java's BigDecimal.toString writes it: with an exponent where it is small.
func (d decimal) java() string {
	s := new(big.Int).Abs(d.digits).String()
	exponent := len(s) - 1 - d.scale
	if exponent >= -6 {
		return d.String()
	}
	if len(s) > 1 {
		s = s[:1] + "." + s[1:]
	}
	if d.digits.Sign() < 0 {
		s = "-" + s
	}
	return s + "E" + strconv.Itoa(exponent)
}

// DecimalText is the text of a decimal as Java's BigDecimal.toString has it, which is the one in JSON.
func DecimalText(s string) string {
	if d, ok := readDecimal(s); ok {
		return d.java()
	}
	return s
}
