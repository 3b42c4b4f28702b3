package dialect

import (
	"fmt"
	"strings"
)

// children are the expressions directly below x, none of those in a subquery.
func children(x expr) []expr {
	var list []expr
	add := func(xs ...expr) {
		for _, x := range xs {
			if x != nil {
				list = append(list, x)
			}
		}
	}
	switch x := x.(type) {
	case *derefExpr:
		add(x.base)
	case *subscriptExpr:
		add(x.base, x.index)
	case *unaryExpr:
		add(x.x)
	case *arithmeticExpr:
		add(x.left, x.right)
	case *comparisonExpr:
		add(x.left, x.right)
	case *logicalExpr:
		add(x.terms...)
	case *notExpr:
		add(x.x)
	case *betweenExpr:
		add(x.x, x.low, x.high)
	case *inListExpr:
		add(x.x)
		add(x.list...)
	case *inQueryExpr:
		add(x.x)
	case *likeExpr:
		add(x.x, x.pattern, x.escape)
	case *isNullExpr:
		add(x.x)
	case *distinctExpr:
		add(x.left, x.right)
	case *quantifiedExpr:
		add(x.x)
	case *caseExpr:
		add(x.operand)
		for _, w := range x.whens {
			add(w.condition, w.result)
		}
		add(x.fallback)
	case *castExpr:
		add(x.x)
	case *arrayExpr:
		add(x.elems...)
	case *rowExpr:
		add(x.fields...)
	case *lambdaExpr:
		add(x.body)
	case *atZoneExpr:
		add(x.x)
	case *extractExpr:
		add(x.x)
	case *trimExpr:
		add(x.x, x.char)
	case *callExpr:
		add(x.args...)
		for _, o := range x.order {
			add(o.x)
		}
		add(x.filter)
		if x.over != nil && x.over.spec != nil {
			add(x.over.spec.partition...)
			for _, o := range x.over.spec.order {
				add(o.x)
			}
			if f := x.over.spec.frame; f != nil {
				add(f.first.x, f.last.x)
			}
		}
	case *jsonExpr:
		add(x.path.input)
		for _, a := range x.path.arguments {
			add(a.x)
		}
		for _, b := range []*jsonBehavior{x.onEmpty, x.onError} {
			if b != nil && b.value != nil {
				add(b.value)
			}
		}
	case *jsonMakeExpr:
		add(x.keys...)
		for _, v := range x.values {
			add(v.x)
		}
	}
	return list
}

// textKey names an expression by its text. Parameters look alike and differ in their values: what holds one equals nothing but itself.
func (c *checker) textKey(x expr) string {
	text := c.source(x)
	if c.parametric && strings.Contains(text, "?") {
		return "text:" + itoa(x.at()) + ":" + text
	}
	return "text:" + text
}

// key names an expression by what it means: two expressions of one scope with equal keys have equal values.
func (c *checker) key(s *scope, x expr) string {
	var b strings.Builder
	c.writeKey(&b, s, x)
	return b.String()
}

func (c *checker) writeKey(b *strings.Builder, s *scope, x expr) {
	if names, ok := chain(x); ok {
		if r, ok := c.lookup(s, names); ok {
			b.WriteString(r.key())
		} else {
			for _, n := range names {
				b.WriteString("." + strings.ToLower(n.text))
			}
		}
		return
	}
	switch x := x.(type) {
	case *numberLit:
		b.WriteString(x.text)
		return
	case *stringLit:
		b.WriteString(quote(x.value))
		return
	case *derefExpr:
		b.WriteString("." + strings.ToLower(x.name.text))
	case *unaryExpr:
		fmt.Fprintf(b, "unary%v", x.minus)
	case *arithmeticExpr:
		b.WriteString(x.op)
	case *comparisonExpr:
		b.WriteString(x.op)
	case *logicalExpr:
		fmt.Fprintf(b, "or%v", x.or)
	case *betweenExpr:
		fmt.Fprintf(b, "between%v", x.not)
	case *inListExpr:
		fmt.Fprintf(b, "in%v", x.not)
	case *likeExpr:
		fmt.Fprintf(b, "like%v", x.not)
	case *isNullExpr:
		fmt.Fprintf(b, "null%v", x.not)
	case *distinctExpr:
		fmt.Fprintf(b, "distinct%v", x.not)
	case *caseExpr:
		fmt.Fprintf(b, "case%v%v%d", x.operand != nil, x.fallback != nil, len(x.whens))
	case *castExpr:
		fmt.Fprintf(b, "cast%v%s", x.try, strings.ToLower(c.text[x.typ.pos:x.typ.end]))
	case *extractExpr:
		b.WriteString("extract" + strings.ToLower(x.field.text))
	case *trimExpr:
		fmt.Fprintf(b, "trim%s%v", x.side, x.char != nil)
	case *subscriptExpr, *notExpr, *arrayExpr, *rowExpr:
		fmt.Fprintf(b, "%T", x)
	case *callExpr:
		if len(x.name) != 1 || x.order != nil || x.filter != nil || x.over != nil || x.label != nil || x.mode != "" || x.within {
			b.WriteString(c.textKey(x))
			return
		}
		fmt.Fprintf(b, "%s%v%v", strings.ToLower(x.name[0].text), x.star, x.distinct)
	case *atZoneExpr:
		if x.interval != nil {
			b.WriteString(c.textKey(x))
			return
		}
		b.WriteString("zone" + quote(x.zone))
	default:
		b.WriteString(c.textKey(x))
		return
	}
	b.WriteByte('(')
	for i, child := range children(x) {
		if i > 0 {
			b.WriteByte(',')
		}
		c.writeKey(b, s, child)
	}
	b.WriteByte(')')
}
