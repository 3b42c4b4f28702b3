package dialect

import "strings"

// pattern is a type in a function's signature: a type of its own, or a variable that stands for the same type wherever it is written.
type pattern struct {
	kind     Kind
	variable byte // 'T', 'K', …; 0 where it is none
	any      bool // every type
	args     []pattern
}

// signature is one form of a function: "split(varchar, varchar) array(varchar)". A last parameter followed by "…" may be repeated, and be
// missing. A result "=2" is the type of the second argument, "array(=2)" an array
// of it.
type signature struct {
	params   []pattern
	variadic bool
	result   pattern
	same     int    // the result is the type of this argument, from 1
	list     bool   // or an array of it
	text     string // how it is written, with $1, $2, … for the arguments and $* for all of them
	write    func(*invocation) value
}

// invocation is a call whose arguments fit a signature.
type invocation struct {
	*env
	call *callExpr
	args []value // in the types of the signature
	typ  Type    // of the result
	bind map[byte]Type
}

// at is where the i-th argument stands.
func (v *invocation) at(i int) int { return v.call.args[i].at() }

// literal is the string that the i-th argument must be.
func (v *invocation) literal(i int) string {
	s, ok := v.args[i].text()
	if !ok {
		v.unsupported(v.at(i), "an argument "+itoa(i+1)+" of "+v.call.name[0].text+" that is no literal")
	}
	return s
}

// out is the result, written by a template over the arguments.
func (v *invocation) out(text string) value {
	return value{sql: v.template(text, v.args...), typ: v.typ}
}

var patternNames = map[string]Kind{
	"boolean": Boolean, "tinyint": Tinyint, "smallint": Smallint, "integer": Integer, "bigint": Bigint, "real": Real, "double": Double, "decimal": Decimal,
	"varchar": Varchar, "varbinary": Varbinary, "json": JSON, "date": Date, "time": Time, "timestamp": Timestamp, "zoned": TimestampZoned,
	"daysecond": IntervalDaySecond, "yearmonth": IntervalYearMonth, "uuid": UUID, "char": Char, "ipaddress": IPAddress, "array": Array, "map": Map, "row": Row, "function": Function,
	"unknown": Unknown,
}

// sig reads a signature.
func sig(text string) (name string, s signature) {
	name, rest, _ := strings.Cut(text, "(")
	p := &patternReader{rest}
	for !strings.HasPrefix(p.rest, ")") {
		s.params = append(s.params, p.read())
		if strings.HasPrefix(p.rest, "…") {
			p.rest = strings.TrimPrefix(p.rest, "…")
			s.variadic = true
		}
		p.rest = strings.TrimPrefix(p.rest, ", ")
	}
	p.rest = strings.TrimPrefix(p.rest, ") ")
	if s.list = strings.HasPrefix(p.rest, "array(="); s.list {
		p.rest = strings.TrimPrefix(p.rest, "array(")
	}
	if strings.HasPrefix(p.rest, "=") {
		s.same = int(p.rest[1] - '0')
	} else {
		s.result = p.read()
	}
	return name, s
}

type patternReader struct{ rest string }

func (p *patternReader) read() pattern {
	n := 0
	for n < len(p.rest) && letter(p.rest[n]) {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if n == 1 {
		return pattern{variable: word[0]}
	}
	if word == "any" {
		return pattern{any: true}
	}
	kind, ok := patternNames[word]
	if !ok {
		panic("dialect: no type " + word + " for a signature")
	}
	t := pattern{kind: kind}
	if strings.HasPrefix(p.rest, "(") {
		p.rest = p.rest[1:]
		for {
			t.args = append(t.args, p.read())
			if strings.HasPrefix(p.rest, ")") {
				p.rest = p.rest[1:]
				break
			}
			p.rest = strings.TrimPrefix(p.rest, ", ")
		}
	}
	return t
}

// match binds a pattern's variables to a value's type, and answers how far the type is from what the pattern wants.
func (p pattern) match(t Type, bind map[byte]Type) (distance int, ok bool) {
	switch {
	case p.any:
		return 0, t.Kind != Function
	case p.variable != 0:
		known, bound := bind[p.variable]
		if !bound {
			bind[p.variable] = t
			return 0, true
		}
		c, ok := common(known, t)
		bind[p.variable] = c
		return 0, ok
	case t.Kind == Unknown:
		for _, a := range p.args {
			if a.variable != 0 {
				if _, bound := bind[a.variable]; !bound {
					bind[a.variable] = TypeUnknown
				}
			}
		}
		return 1, true
	}
	switch p.kind {
	case Array:
		if t.Kind != Array {
			return 0, false
		}
		if p.args == nil {
			return 0, true
		}
		return p.args[0].match(*t.Elem, bind)
	case Map:
		if t.Kind != Map {
			return 0, false
		}
		if p.args == nil {
			return 0, true
		}
		k, ok := p.args[0].match(*t.Key, bind)
		v, ok2 := p.args[1].match(*t.Elem, bind)
		return k + v, ok && ok2
	case Row:
		if t.Kind != Row || len(p.args) > 0 && len(t.Fields) != len(p.args) {
			return 0, false
		}
		for i, a := range p.args {
			d, ok := a.match(t.Fields[i].Type, bind)
			if !ok {
				return 0, false
			}
			distance += d
		}
		return distance, true
	case Function:
		return 0, t.Kind == Function && len(t.Fields) == len(p.args)-1
	case t.Kind:
		return 0, true
	case Char: // what is no char has functions of its own
		return 0, false
	case Decimal:
		if t.integral() {
			return 6, true
		}
		return 0, false
	}
	target := Type{Kind: p.kind}
	switch p.kind {
	case Timestamp, TimestampZoned, Time:
		target.Precision, target.Zone = max(t.Precision, 3), "UTC"
		if t.Kind == Date {
			target.Precision = 0
		}
	}
	return coercible(t, target)
}

// instance is the type that a pattern has once its variables are bound; from is the argument that stands there, where one does.
func (p pattern) instance(bind map[byte]Type, from Type) Type {
	switch {
	case p.any:
		return from
	case p.variable != 0:
		return bind[p.variable]
	}
	switch p.kind {
	case Array:
		if p.args == nil {
			if from.Kind == Unknown {
				return ArrayOf(TypeUnknown)
			}
			return from
		}
		e := Type{}
		if from.Elem != nil {
			e = *from.Elem
		}
		return ArrayOf(p.args[0].instance(bind, e))
	case Map:
		if p.args == nil {
			if from.Kind == Unknown {
				return MapOf(TypeUnknown, TypeUnknown)
			}
			return from
		}
		return MapOf(p.args[0].instance(bind, Type{}), p.args[1].instance(bind, Type{}))
	case Row:
		if p.args == nil {
			return from
		}
		t := Type{Kind: Row}
		for i, a := range p.args {
			n := ""
			if i < len(from.Fields) {
				n = from.Fields[i].Name
			}
			t.Fields = append(t.Fields, Field{n, a.instance(bind, Type{})})
		}
		return t
	case from.Kind:
		return from
	case Decimal:
		return from.asDecimal()
	case Timestamp:
		return TimestampOf(max(from.Precision, 0))
	case TimestampZoned:
		return zonedOf(from.Precision, "UTC")
	}
	return Type{Kind: p.kind}
}
