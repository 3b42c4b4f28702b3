package functions

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Trino reads regular expressions with Joni, in the syntax of Java. They are run by regexp2, which backtracks as Joni does, in .NET's syntax: this
// file writes the one as the other. What is not known to mean the same is refused.

const (
	// \d, \w and \s are of ASCII alone, but \b looks at all of Unicode's words.
	digitSet = `0-9`
	asciiSet = `0-9A-Za-z_`
	spaceSet = `\t\n\v\f\r\x20`
	wordSet  = `\p{L}\p{M}\p{N}\p{Pc}`
)

// pattern is a translated regular expression.
type pattern struct {
	text   string
	groups int
	names  map[string]int
	fold   bool // it has (?i)
}

type patternReader struct {
	in     string
	at     int
	out    strings.Builder
	groups int
	names  map[string]int
	depth  int
	fold   bool
	behind bool // within a look-behind, where Joni takes texts of one length only
}

// patternError refuses a pattern.
type patternError string

func (e patternError) Error() string {
	return "regular expression with " + string(e) + " is not supported yet"
}

// maxPatternDepth bounds how deep groups and classes lie in one another.
const maxPatternDepth = 100

// translate writes a pattern in regexp2's syntax.
func translate(text string) (p pattern, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case patternError:
			err = e
		default:
			panic(e)
		}
	}()
	r := &patternReader{in: text, names: map[string]int{}}
	r.alternatives(false)
	if r.at < len(r.in) {
		r.refuse("a closing parenthesis too many")
	}
	return pattern{r.out.String(), r.groups, r.names, r.fold}, nil
}

func (r *patternReader) refuse(what string) { panic(patternError(what)) }

func (r *patternReader) deeper() {
	if r.depth++; r.depth > maxPatternDepth {
		r.refuse("too deep nesting")
	}
}

func (r *patternReader) next() rune {
	c, n := utf8.DecodeRuneInString(r.in[r.at:])
	if n == 0 {
		r.refuse("an end in the middle of a construct")
	}
	r.at += n
	return c
}

func (r *patternReader) skip(s string) bool {
	if strings.HasPrefix(r.in[r.at:], s) {
		r.at += len(s)
		return true
	}
	return false
}

// alternatives reads up to the group's end. multi: whether (?m) holds, which a flag in the group's middle may change.
func (r *patternReader) alternatives(multi bool) {
	r.deeper()
	defer func() { r.depth-- }()
	begin := r.out.Len()
	for r.at < len(r.in) && r.in[r.at] != ')' {
		start := r.out.Len()
		if flags := strings.HasPrefix(r.in[r.at:], "(?") && flagged(r.in[r.at+2:]); flags && start > begin {
			r.refuse("flags in the middle")
		}
		quantified := true
		switch c := r.next(); c {
		case '|':
			r.out.WriteByte('|')
			quantified = false
		case '^':
			if multi {
				r.out.WriteString(`(?:\A|(?<=\n)(?!\z))`)
			} else {
				r.out.WriteString(`\A`)
			}
			quantified = false
		case '$':
			if multi {
				r.out.WriteString(`(?=\n|\z)`)
			} else {
				r.out.WriteString(`(?=\n?\z)`)
			}
			quantified = false
		case '.':
			r.out.WriteByte('.')
		case '[':
			r.out.WriteString(r.class())
		case '(':
			if r.behind {
				r.refuse("a group within a look-behind")
			}
			quantified = r.group(&multi)
		case '{':
			if interval(r.in[r.at-1:]) > 0 {
				r.refuse("a quantifier of nothing")
			}
			r.out.WriteString(literalRune(c))
		case '\\':
			quantified = r.escape()
		case '*', '+', '?':
			r.refuse("a quantifier of nothing")
		default:
			r.out.WriteString(literalRune(c))
		}
		r.quantifier(start, quantified)
	}
}

// flagged tells whether a text that stands after "(?" sets flags for what follows.
func flagged(s string) bool {
	rest := strings.TrimLeft(s, "-ism")
	return len(rest) < len(s) && strings.HasPrefix(rest, ")")
}

// quantifier reads what may stand after an atom that begins at start of what is written.
func (r *patternReader) quantifier(start int, may bool) {
	rest := r.in[r.at:]
	n := 0
	switch {
	case rest == "":
		return
	case strings.IndexByte("*+?", rest[0]) >= 0:
		n = 1
	default:
		n = interval(rest)
	}
	if n == 0 {
		return
	}
	if !may || r.behind {
		r.refuse("a quantifier of an anchor, or within a look-behind")
	}
	q := rest[:n]
	r.at += n
	switch {
	case r.skip("?"):
		r.out.WriteString(q + "?")
	case r.skip("+"):
		atom := r.out.String()[start:]
		before := r.out.String()[:start]
		r.out.Reset()
		r.out.WriteString(before + "(?>" + atom + q + ")")
	default:
		r.out.WriteString(q)
	}
	if rest := r.in[r.at:]; rest != "" && (strings.IndexByte("*+?", rest[0]) >= 0 || interval(rest) > 0) {
		r.refuse("a quantifier of a quantifier")
	}
}

// interval is how long the {n}, {n,} or {n,m} is that a text begins with, 0 where it begins with none.
func interval(s string) int {
	if s[0] != '{' {
		return 0
	}
	i, commas, digits := 1, 0, 0
	for ; i < len(s) && s[i] != '}'; i++ {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			digits++
		case s[i] == ',' && digits > 0 && commas == 0:
			commas++
		default:
			return 0
		}
	}
	if i == len(s) || digits == 0 || digits > 8 {
		return 0
	}
	return i + 1
}

// group reads what stands after an opening parenthesis; the answer is whether it may be quantified.
func (r *patternReader) group(multi *bool) bool {
	inner := *multi
	may := true
	switch {
	case r.skip("?:"):
		r.out.WriteString("(?:")
	case r.skip("?="), r.skip("?!"), r.skip("?<="), r.skip("?<!"):
		begin := strings.LastIndexByte(r.in[:r.at], '?')
		r.out.WriteString("(" + r.in[begin:r.at])
		may = false
		r.behind = strings.HasPrefix(r.in[begin:], "?<")
	case r.skip("?>"):
		r.out.WriteString("(?>")
	case r.skip("?<"):
		name, rest, ok := strings.Cut(r.in[r.at:], ">")
		if !ok || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" || r.names[name] > 0 {
			r.refuse("a name that is no word, or stands twice")
		}
		r.at = len(r.in) - len(rest)
		r.groups++
		r.names[name] = r.groups
		r.out.WriteByte('(')
	case r.skip("?"):
		r.flags(&inner)
		if r.skip(")") { // up to the end of the group around it
			*multi = inner
			r.out.WriteByte(')')
			return false
		}
		if !r.skip(":") {
			r.refuse("(?…) of another kind")
		}
		r.out.WriteByte(':')
	default:
		r.groups++
		r.out.WriteByte('(')
	}
	r.alternatives(inner)
	r.behind = false
	if !r.skip(")") {
		r.refuse("a group without an end")
	}
	r.out.WriteByte(')')
	return may
}

// flags reads i, s and m, on or off, and writes the first two. What is written for ^ and $ has (?m) in it.
func (r *patternReader) flags(multi *bool) {
	var on, off string
	to := &on
	for {
		switch {
		case r.skip("-"):
			to = &off
		case r.skip("i"):
			*to += "i"
			r.fold = true
		case r.skip("s"):
			*to += "s"
		case r.skip("m"):
			*multi = to == &on
		default:
			if off != "" {
				on += "-" + off
			}
			if on == "" && strings.HasPrefix(r.in[r.at:], ")") {
				on = "-n" // of .NET, and off anyway
			}
			r.out.WriteString("(?" + on)
			return
		}
	}
}

// literalRune writes a character that stands for itself.
func literalRune(c rune) string {
	if c < utf8.RuneSelf && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
		return `\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])
	}
	return string(c)
}

// escape reads what stands after a backslash outside classes; the answer is whether it may be quantified.
func (r *patternReader) escape() bool {
	switch c := r.next(); c {
	case 'b', 'B':
		const same, other = `(?:(?<=[` + wordSet + `])(?=[` + wordSet + `])|(?<![` + wordSet + `])(?![` + wordSet + `]))`,
			`(?:(?<=[` + wordSet + `])(?![` + wordSet + `])|(?<![` + wordSet + `])(?=[` + wordSet + `]))`
		r.out.WriteString(map[rune]string{'b': other, 'B': same}[c])
		return false
	case 'A', 'z', 'Z':
		r.out.WriteByte('\\')
		r.out.WriteRune(c)
		return false
	case 'Q':
		text, rest, _ := strings.Cut(r.in[r.at:], `\E`)
		r.at = len(r.in) - len(rest)
		for i, c := range text {
			// A quantifier that follows belongs to the last character alone.
			if i+utf8.RuneLen(c) == len(text) && rest != "" && strings.IndexByte("*+?{", rest[0]) >= 0 {
				r.refuse(`a quantifier after \E`)
			}
			r.out.WriteString(literalRune(c))
		}
		return false
	case 'k':
		name, rest, ok := strings.Cut(r.in[r.at:], ">")
		number := r.names[strings.TrimPrefix(name, "<")]
		if !ok || number == 0 || name[0] != '<' || r.behind {
			r.refuse(`\k of no group`)
		}
		r.at = len(r.in) - len(rest)
		r.out.WriteString(`(?:\` + strconv.Itoa(number) + `)`)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if n := int(c - '0'); n > r.groups || r.at < len(r.in) && r.in[r.at] >= '0' && r.in[r.at] <= '9' {
			r.refuse("a reference to no group before it")
		}
		if r.behind {
			r.refuse("a reference within a look-behind")
		}
		r.out.WriteString(`(?:\` + string(c) + `)`)
	default:
		r.at -= utf8.RuneLen(c)
		if set, not := r.set(); set != "" {
			r.out.WriteString("[" + map[bool]string{true: "^"}[not] + set + "]")
		} else {
			r.out.WriteString(literalRune(r.character()))
		}
	}
	return true
}

// set reads the rest of an escape that stands for several characters; "" where it is none.
func (r *patternReader) set() (set string, not bool) {
	at := r.at
	switch c := r.next(); c {
	case 'd', 'D':
		return digitSet, c == 'D'
	case 'w', 'W':
		return asciiSet, c == 'W'
	case 's', 'S':
		return spaceSet, c == 'S'
	case 'p', 'P':
		for _, name := range []string{"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "P", "S", "Z"} {
			if r.skip("{" + name + "}") {
				return `\p{` + name + `}`, c == 'P'
			}
		}
		r.refuse(`this \p`)
	}
	r.at = at
	return "", false
}

// character reads the rest of an escape that stands for one character.
func (r *patternReader) character() rune {
	c := r.next()
	hex := func(n int) rune {
		if r.at+n > len(r.in) {
			r.refuse("a cut escape")
		}
		code, err := strconv.ParseUint(r.in[r.at:r.at+n], 16, 21)
		if err != nil || code > unicode.MaxRune || code >= 0xd800 && code < 0xe000 || n == 2 && code >= 0x80 {
			r.refuse("this code of a character")
		}
		r.at += n
		return rune(code)
	}
	switch c {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'a':
		return '\a'
	case 'e':
		return 0x1b
	case 'u':
		return hex(4)
	case 'x':
		if r.skip("{") {
			n := strings.IndexByte(r.in[r.at:], '}')
			if n < 1 || n > 8 {
				r.refuse("this code of a character")
			}
			code, err := strconv.ParseUint(r.in[r.at:r.at+n], 16, 21)
			if err != nil || code > unicode.MaxRune || code >= 0xd800 && code < 0xe000 {
				r.refuse("this code of a character")
			}
			r.at += n + 1
			return rune(code)
		}
		return hex(2)
	}
	if c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		r.refuse(`\` + string(c))
	}
	return c
}

// class reads a class in brackets, with classes within and intersections.
func (r *patternReader) class() string {
	r.deeper()
	defer func() { r.depth-- }()
	not := r.skip("^")
	if r.skip("]") {
		r.refuse("an empty class")
	}
	var both []string // what the && part
	var set strings.Builder
	var others []string // classes within and negated sets
	union := func() string {
		list := others
		if set.Len() > 0 {
			list = append(list, "["+set.String()+"]")
		}
		set.Reset()
		others = nil
		switch len(list) {
		case 0:
			r.refuse("an empty class")
		case 1:
			return list[0]
		}
		return "(?:" + strings.Join(list, "|") + ")"
	}
	for !r.skip("]") {
		switch {
		case r.skip("&&"):
			both = append(both, union())
			continue
		case strings.HasPrefix(r.in[r.at:], "[:"):
			r.refuse("a class [:…:]")
		case r.skip("["):
			others = append(others, r.class())
			continue
		}
		from, one := r.member(&set, &others)
		if !one {
			if strings.HasPrefix(r.in[r.at:], "-") && !strings.HasPrefix(r.in[r.at:], "-]") {
				r.refuse("a range from a class")
			}
			continue
		}
		set.WriteString(literalRune(from))
		if rest := r.in[r.at:]; strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "-]") {
			r.at++
			if strings.HasPrefix(r.in[r.at:], "[") || strings.HasPrefix(r.in[r.at:], "&&") {
				r.refuse("a range to a class")
			}
			before := set.Len()
			to, one := r.member(&set, &others)
			if !one || to < from || set.Len() != before {
				r.refuse("a range to a class, or backwards")
			}
			set.WriteString("-" + literalRune(to))
		}
	}
	text := union()
	for _, b := range both {
		text = "(?:(?=" + b + ")" + text + ")"
	}
	switch {
	case !not:
		return text
	case both == nil && strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "[^") && !strings.HasPrefix(text, "(?:"):
		return "[^" + text[1:]
	}
	return `(?:(?!` + text + `)[\s\S])`
}

// member reads one character of a class, or a set of them, which it adds.
func (r *patternReader) member(set *strings.Builder, others *[]string) (c rune, one bool) {
	if c = r.next(); c != '\\' {
		return c, true
	}
	text, not := r.set()
	switch {
	case text == "":
		return r.character(), true
	case not:
		*others = append(*others, "[^"+text+"]")
	default:
		set.WriteString(text)
	}
	return 0, false
}
