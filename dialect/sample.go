package dialect

import (
	"strconv"
	"strings"
)

// sample checks TABLESAMPLE. SYSTEM may take rows in blocks of any size; here, as with BERNOULLI, each row is taken or not by itself.
func (c *checker) sample(r *sampleRef, lateral, outer *scope) source {
	s := c.relation(r.rel, lateral, outer)
	at := r.percentage.at()
	if hasQuery(r.percentage) {
		c.fail(at, "Constant expression cannot contain a subquery")
	}
	if hasColumn(r.percentage) {
		c.fail(at, "Sample percentage cannot contain column references")
	}
	e := &env{checker: c, scope: &scope{}, clause: "TABLESAMPLE"}
	v := e.expr(r.percentage)
	if v.isNull() {
		c.fail(at, "Sample percentage cannot be NULL")
	}
	if !v.typ.numeric() {
		c.fail(at, "Sample percentage should be a numeric expression")
	}
	p, ok := asFloat(v.lit)
	switch {
	case !ok:
		c.unsupported(at, "a sample percentage that is no literal")
	case p < 0:
		c.fail(at, "Sample percentage must be greater than or equal to 0")
	case p > 100:
		c.fail(at, "Sample percentage must be less than or equal to 100")
	case p == 100:
		return s
	}
	n := strings.LastIndex(s.sql, " AS ")
	if n < 0 || strings.ContainsAny(s.sql[n:], "()") {
		c.unsupported(r.pos, "TABLESAMPLE over a join")
	}
	keyword := ""
	if strings.HasPrefix(s.sql, "LATERAL ") {
		keyword = "LATERAL "
	}
	percent := strconv.FormatFloat(p, 'f', -1, 64)
	s.sql = keyword + "(SELECT * FROM " + strings.TrimPrefix(s.sql, "LATERAL ") + " TABLESAMPLE bernoulli(" + percent + " PERCENT))" + s.sql[n:]
	return s
}

// hasColumn tells whether x names a column.
func hasColumn(x expr) bool {
	if _, ok := x.(*columnRef); ok {
		return true
	}
	for _, child := range children(x) {
		if hasColumn(child) {
			return true
		}
	}
	return false
}
