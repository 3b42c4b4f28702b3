package dialect

import "strings"

// parameter takes the value of the parameter that the current token is, and passes the token.
func (p *parser) parameter() string {
	if p.values == nil {
		p.fail(p.tok.pos, "Query takes no parameters")
	}
	v := p.nextValue(p.tok.pos)
	p.advance()
	return v
}

// nextValue takes the next parameter's value for the place pos.
func (p *parser) nextValue(pos int) string {
	if p.taken == len(p.values) {
		p.fail(pos, "Incorrect number of parameters: there is no value for this one, %d were given", len(p.values))
	}
	v := p.values[p.taken]
	p.taken++
	return v
}

// parameterValue reads ? where an expression stands: a literal of the value's own type. Only numbers that print as they are written count as such, so
// that no text is ever changed by being taken for a number.
func (p *parser) parameterValue() expr {
	at := node{p.tok.pos, p.tok.end}
	if p.values == nil {
		p.advance()
		return &parameterExpr{at} // the checker refuses it
	}
	v := p.parameter()
	switch {
	case strings.EqualFold(v, "true"), strings.EqualFold(v, "false"):
		return &boolLit{at, strings.EqualFold(v, "true")}
	case plainNumber(v):
		if strings.Contains(v, ".") {
			return &numberLit{at, tokDecimal, v}
		}
		return &numberLit{at, tokInteger, v}
	}
	return &stringLit{at, v}
}

// plainNumber tells whether s is a number in the form that Trino prints: -12, 0, 1.50.
func plainNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, fraction, decimal := strings.Cut(s, ".")
	for _, part := range []string{whole, fraction} {
		for i := range len(part) {
			if !digit(part[i]) {
				return false
			}
		}
	}
	return whole != "" && (whole == "0" || whole[0] != '0') && (!decimal || fraction != "")
}
