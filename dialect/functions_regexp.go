package dialect

import (
	"errors"
	"regexp/syntax"
	"strings"
)

func init() {
	// add defines a function by what DuckDB's engine gives, where that reads the pattern as Trino does, or else by one of the worker's.
	add := func(sigText string, write func(v *invocation, p expression) value, otherwise func(t Type) string) {
		defineBy(sigText, func(v *invocation) value {
			run := v.out(otherwise(v.typ))
			r, ok := v.attempt(func() value {
				p := v.regexp(1)
				r := write(v, p)
				if p.end { // RE2's $ does not match before a line's end that ends the text
					r.sql = v.template("CASE WHEN ends_with($1, chr(10)) THEN $3 ELSE $2 END", v.args[0], value{sql: r.sql, typ: v.typ}, run)
				}
				if p.fold { // nor do its letters match ligatures; the worker refuses these
					r.sql = v.template("CASE WHEN regexp_matches($1, '[\u00df\u1e9e\ufb00-\ufb06]') THEN $3 ELSE $2 END", v.args[0], value{sql: r.sql, typ: v.typ}, run)
					v.backtracks++
				}
				return r
			})
			if !ok {
				v.backtracks++
				return run
			}
			return r
		})
	}
	call := func(text string) func(Type) string { return func(t Type) string { return fallible(text, t) } }
	varchars := ArrayOf(TypeVarchar)
	add("regexp_like(varchar, varchar) boolean", func(v *invocation, p expression) value { return v.outRegexp("regexp_matches($1, $2)", p) },
		call("loch_regexp_like($1, $2)"))
	add("regexp_extract(varchar, varchar) =1", func(v *invocation, p expression) value {
		return v.outRegexp("CASE WHEN regexp_matches($1, $2) THEN regexp_extract($1, $2) END", p)
	}, call("loch_regexp_extract($1, $2, 0)"))
	add("regexp_extract(varchar, varchar, bigint) =1", func(v *invocation, p expression) value {
		g := v.group(2, p)
		return v.outRegexp("CASE WHEN regexp_matches($1, $2) THEN regexp_extract($1, $2, "+g+") END", p)
	}, call("loch_regexp_extract($1, $2, $3)"))
	add("regexp_extract_all(varchar, varchar) array(=1)", func(v *invocation, p expression) value {
		v.needText(p)
		return v.outRegexp("regexp_extract_all($1, $2)", p)
	}, call("loch_regexp_extract_all($1, $2, 0)"))
	add("regexp_extract_all(varchar, varchar, bigint) array(=1)", func(v *invocation, p expression) value {
		v.needText(p)
		return v.outRegexp("regexp_extract_all($1, $2, "+v.group(2, p)+")", p)
	}, call("loch_regexp_extract_all($1, $2, $3)"))
	add("regexp_count(varchar, varchar) bigint", func(v *invocation, p expression) value {
		v.needText(p)
		return v.outRegexp("CAST(len(regexp_extract_all($1, $2)) AS BIGINT)", p)
	}, call("loch_regexp_count($1, $2)"))
	add("regexp_split(varchar, varchar) array(=1)", func(v *invocation, p expression) value {
		v.needText(p)
		return v.outRegexp("string_split_regex($1, $2)", p)
	}, call("loch_regexp_split($1, $2)"))
	add("regexp_replace(varchar, varchar) =1", func(v *invocation, p expression) value {
		v.needText(p)
		return v.outRegexp("regexp_replace($1, $2, '', 'g')", p)
	}, call("loch_regexp_replace($1, $2, '')"))
	add("regexp_replace(varchar, varchar, varchar) varchar", func(v *invocation, p expression) value {
		v.needText(p)
		with := stringValue(v.replacement(2, p))
		return value{sql: v.template("regexp_replace($1, $2, $3, 'g')", v.args[0], p.value, with), typ: v.typ}
	}, call("loch_regexp_replace($1, $2, $3)"))
	three := &scalarFunctions["regexp_replace"][len(scalarFunctions["regexp_replace"])-1]
	replace := three.write
	three.write = func(v *invocation) value {
		if x, y, ok := v.lengths(0, 2); ok {
			v.typ = varcharWithin(x + max(x*y/2, y)*(x+1))
		}
		return replace(v)
	}
	defineBy("regexp_replace(varchar, varchar, function(array(varchar), varchar)) varchar", func(v *invocation) value {
		v.backtracks++
		return v.out(fallible("loch_regexp_join("+fallible("loch_regexp_split($1, $2)", varchars)+", list_transform("+
			fallible("loch_regexp_groups($1, $2)", ArrayOf(varchars))+", $3))", TypeVarchar))
	})
	for _, f := range []struct{ args, call string }{{"", ", 1, 1"}, {", integer", ", $3, 1"}, {", integer, integer", ", $3, $4"}} {
		defineBy("regexp_position(varchar, varchar"+f.args+") integer", func(v *invocation) value {
			v.backtracks++
			return v.out(fallible("loch_regexp_position($1, $2"+f.call+")", TypeInteger))
		})
	}
}

// attempt writes something, unless that is refused as not supported yet.
func (v *invocation) attempt(write func() value) (out value, ok bool) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			if !strings.HasSuffix(e.Message, notYet) {
				panic(e)
			}
			ok = false
		default:
			panic(e)
		}
	}()
	return write(), true
}

// expression is a regular expression that RE2 reads as Trino does.
type expression struct {
	value  value
	tree   *syntax.Regexp
	groups int
	end    bool // it has a $
	fold   bool // it has (?i)
}

// foldsToMore tells of characters that match a sequence of others where case is of no regard, and of those that may belong to such a sequence
// (Unicode's CaseFolding.txt, status F).
func foldsToMore(c rune) bool {
	return strings.ContainsRune("\u00df\u0130\u0149\u01f0\u0390\u03b0\u0587\u02bc\u02be", c) || c >= 0x300 && c < 0x370 || c >= 0x1e96 && c <= 0x1e9e ||
		c >= 0x1f50 && c <= 0x1ffc || c >= 0xfb00 && c <= 0xfb17
}

// outRegexp is out with the pattern in the second argument's place.
func (v *invocation) outRegexp(text string, p expression) value {
	return value{sql: v.template(text, v.args[0], p.value), typ: v.typ}
}

// regexp is the i-th argument, a regular expression in Java's syntax as Trino has it. What RE2, DuckDB's engine, has not or reads otherwise is
// refused, which attempt turns to the worker's engine.
func (v *invocation) regexp(i int) expression {
	text := v.literal(i)
	at := v.at(i)
	var b strings.Builder
	class, end, fold := false, false, false
	refuse := func(what string) { v.unsupported(at, "regular expression with "+what) }
	for j := 0; j < len(text); j++ {
		c := text[j]
		rest := text[j:]
		switch {
		case c == '\\' && j+1 < len(text):
			j++
			switch n := text[j]; {
			case n == 'd':
				b.WriteString(`\d`) // of ASCII, as all of these
			case n == 'D' && !class:
				b.WriteString(`\D`)
			case n == 'w', n == 'W' && !class:
				b.WriteString(`\` + string(n))
			case n == 's' && class:
				b.WriteString(`\t\n\v\f\r `)
			case n == 's':
				b.WriteString(`[\t\n\v\f\r ]`)
			case n == 'S' && !class:
				b.WriteString(`[^\t\n\v\f\r ]`)
			case strings.IndexByte("Aztnrfa", n) >= 0 && !class, class && strings.IndexByte("tnrfa", n) >= 0:
				b.WriteString(`\` + string(n))
			case n < 0x80 && !letter(n) && !digit(n):
				b.WriteString(`\` + string(n))
			default:
				refuse(`\` + string(n))
			}
		case class && c == '[':
			refuse("a class within a class")
		case class && strings.HasPrefix(rest, "&&"):
			refuse("&&")
		case c == '[':
			class = true
			b.WriteByte(c)
			if strings.HasPrefix(text[j+1:], "^") {
				b.WriteByte('^')
				j++
			}
			if strings.HasPrefix(text[j+1:], "]") {
				refuse("an empty class")
			}
		case c == ']' && class:
			class = false
			b.WriteByte(c)
		case class:
			b.WriteByte(c)
		case strings.HasPrefix(rest, "(?"):
			if j > 0 && !strings.HasPrefix(rest, "(?:") {
				refuse("flags in the middle")
			}
			if !strings.HasPrefix(rest, "(?:") && !strings.HasPrefix(rest, "(?i)") && !strings.HasPrefix(rest, "(?s)") && !strings.HasPrefix(rest, "(?is)") {
				refuse("(?" + strings.ToValidUTF8(rest[2:min(3, len(rest))], "") + "…)")
			}
			fold = fold || strings.HasPrefix(rest, "(?i")
			b.WriteByte(c)
		case (c == '+') && j > 0 && strings.IndexByte("*+?}", text[j-1]) >= 0 && (j < 2 || text[j-2] != '\\'):
			refuse("a possessive quantifier")
		case c == '$':
			if j+1 < len(text) && text[j+1] != ')' && text[j+1] != '|' {
				refuse("$ before the end")
			}
			end = true
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	if fold && strings.ContainsFunc(text, foldsToMore) {
		refuse("letters that match several without regard to case")
	}
	tree, err := syntax.Parse(b.String(), syntax.Perl)
	if err != nil {
		why := err.Error()
		if e := (*syntax.Error)(nil); errors.As(err, &e) {
			why = e.Code.String()
		}
		v.fail(at, "invalid regular expression: %s", why)
	}
	return expression{stringValue(b.String()), tree, tree.MaxCap(), end, fold}
}

// needText refuses patterns that match an empty text, whose repeated matches engines count differently.
func (v *invocation) needText(p expression) {
	if matchesEmpty(p.tree) {
		v.unsupported(v.at(1), v.call.name[0].text+" with a pattern that matches the empty string")
	}
}

func matchesEmpty(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	case syntax.OpRepeat:
		return r.Min == 0 || matchesEmpty(r.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return matchesEmpty(r.Sub[0])
	case syntax.OpConcat:
		for _, s := range r.Sub {
			if !matchesEmpty(s) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, s := range r.Sub {
			if matchesEmpty(s) {
				return true
			}
		}
	}
	return false
}

// group is the number of a group that takes part in every match: where one does not, Trino answers NULL and DuckDB an empty text.
func (v *invocation) group(i int, p expression) string {
	n, ok := v.args[i].lit.(int64)
	if !ok {
		v.unsupported(v.at(i), "a group that is no literal")
	}
	if n < 0 || n > int64(p.groups) {
		v.fail(v.at(i), "Pattern has %d groups. Cannot access group %d", p.groups, n)
	}
	if n > 9 || n > 0 && !takesPart(p.tree, int(n)) {
		v.unsupported(v.at(i), "a group that may have no part in a match")
	}
	return itoa64(n)
}

func takesPart(r *syntax.Regexp, group int) bool {
	switch r.Op {
	case syntax.OpCapture:
		return r.Cap == group || takesPart(r.Sub[0], group)
	case syntax.OpConcat:
		for _, s := range r.Sub {
			if takesPart(s, group) {
				return true
			}
		}
	case syntax.OpPlus:
		return takesPart(r.Sub[0], group)
	case syntax.OpRepeat:
		return r.Min > 0 && takesPart(r.Sub[0], group)
	}
	return false
}

// replacement is the i-th argument, Java's replacement text with $1 and \$, in RE2's form with \1.
func (v *invocation) replacement(i int, p expression) string {
	text := v.literal(i)
	var b strings.Builder
	for j := 0; j < len(text); j++ {
		switch c := text[j]; {
		case c == '\\' && j+1 < len(text):
			j++
			if text[j] == '\\' {
				b.WriteString(`\\`)
			} else {
				b.WriteByte(text[j])
			}
		case c == '$' && j+1 < len(text) && digit(text[j+1]):
			j++
			n := int(text[j] - '0')
			if j+1 < len(text) && digit(text[j+1]) || n > p.groups {
				v.unsupported(v.at(i), "replacement '"+text+"'")
			}
			b.WriteString(`\` + itoa(n))
		case c == '\\', c == '$':
			v.unsupported(v.at(i), "replacement '"+text+"'")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
