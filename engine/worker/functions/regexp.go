package functions

import (
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// regexps are the functions over regular expressions, for patterns that DuckDB's own engine does not read as Trino does, or that only the data tell.
func regexps(d definer) {
	d.failing("loch_regexp_like(varchar, varchar) boolean", func(a Row, r *Result) error {
		found := false
		err := eachMatch(a, 0, func(*matched) bool {
			found = true
			return false
		})
		r.Bool(found)
		return err
	})
	d.failing("loch_regexp_count(varchar, varchar) bigint", func(a Row, r *Result) error {
		n := int64(0)
		err := eachMatch(a, 0, func(*matched) bool {
			n++
			return true
		})
		r.Int(n)
		return err
	})
	d.failing("loch_regexp_extract(varchar, varchar, bigint) varchar", func(a Row, r *Result) error {
		group, err := groupOf(a)
		if err != nil {
			return err
		}
		text, ok := "", false
		if err := eachMatch(a, 0, func(m *matched) bool {
			text, ok = m.group(group)
			return false
		}); err != nil {
			return err
		}
		if !ok {
			r.Null()
			return nil
		}
		r.Text(text)
		return nil
	})
	d.failing("loch_regexp_extract_all(varchar, varchar, bigint) array(varchar)", func(a Row, r *Result) error {
		group, err := groupOf(a)
		if err != nil {
			return err
		}
		r.Begin()
		err = eachMatch(a, 0, func(m *matched) bool {
			e := r.Elem()
			if text, ok := m.group(group); ok {
				e.Text(text)
			} else {
				e.Null()
			}
			return true
		})
		r.End()
		return err
	})
	// regexp_split, and what regexp_replace leaves as it is.
	d.failing("loch_regexp_split(varchar, varchar) array(varchar)", func(a Row, r *Result) error {
		last := 0
		var source []rune
		r.Begin()
		err := eachMatch(a, 0, func(m *matched) bool {
			source = m.source
			r.Elem().Text(string(m.source[last:m.Index]))
			last = m.Index + m.Length
			return true
		})
		if source == nil {
			r.Elem().Bytes(a.At(0).Bytes())
		} else {
			r.Elem().Text(string(source[last:]))
		}
		r.End()
		return err
	})
	// The groups of each match.
	d.failing("loch_regexp_groups(varchar, varchar) array(array(varchar))", func(a Row, r *Result) error {
		r.Begin()
		err := eachMatch(a, 0, func(m *matched) bool {
			list := r.Elem()
			list.Begin()
			for i := 1; i <= m.groups; i++ {
				e := list.Elem()
				if text, ok := m.group(i); ok {
					e.Text(text)
				} else {
					e.Null()
				}
			}
			list.End()
			return true
		})
		r.End()
		return err
	})
	// What lies between the matches, and what takes their places: NULL where one of these is.
	d.failing("loch_regexp_join(array(varchar), array(varchar)) varchar", func(a Row, r *Result) error {
		out := r.Scratch[:0]
		between, with := a.At(0), a.At(1)
		for i := range between.Len() {
			out = append(out, between.Elem(i).Bytes()...)
			if i == with.Len() {
				break
			}
			if with.Elem(i).Null() {
				r.Null()
				return nil
			}
			if out = append(out, with.Elem(i).Bytes()...); len(out) > maxResult {
				return errTooLarge
			}
		}
		r.Scratch = out
		r.Bytes(out)
		return nil
	})
	d.failing("loch_regexp_replace(varchar, varchar, varchar) varchar", replaceMatches)
	d.failing("loch_regexp_position(varchar, varchar, integer, integer) integer", func(a Row, r *Result) error {
		start, occurrence := a.At(2).Int(), a.At(3).Int()
		switch {
		case start < 1:
			return errorf("start position cannot be smaller than 1")
		case occurrence < 1:
			return errorf("occurrence cannot be smaller than 1")
		}
		if _, err := programOf(a.At(1).Text()); err != nil {
			return err
		}
		at := int64(-1)
		if start <= int64(len([]rune(a.At(0).Text()))) {
			err := eachMatch(a, int(start-1), func(m *matched) bool {
				if occurrence--; occurrence == 0 {
					at = int64(m.Index) + 1
				}
				return occurrence > 0
			})
			if err != nil {
				return err
			}
		}
		r.Int(at)
		return nil
	})
}

// program is a compiled pattern.
type program struct {
	pattern
	*regexp2.Regexp
}

// programs are the compiled patterns, a bounded number of them.
var programs struct {
	sync.Mutex
	known map[string]*program
}

const (
	maxPrograms = 1000
	// matchTime bounds one search: a pattern may take a time that doubles with each character.
	matchTime = 10 * time.Second
)

func programOf(text string) (*program, error) {
	programs.Lock()
	defer programs.Unlock()
	if p := programs.known[text]; p != nil {
		return p, nil
	}
	text = strings.Clone(text) // the argument's bytes are DuckDB's
	p, err := translate(text)
	if err == nil && p.fold && !ascii(text) {
		err = patternError("letters beyond ASCII without regard to case")
	}
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(p.text, regexp2.None)
	if err != nil {
		return nil, patternError(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	re.MatchTimeout = matchTime
	if programs.known == nil || len(programs.known) >= maxPrograms {
		programs.known = map[string]*program{}
	}
	made := &program{p, re}
	programs.known[text] = made
	return made, nil
}

// matched is one match.
type matched struct {
	*regexp2.Match
	*program
	source []rune
}

// group is the text of a group; ok is false where it has no part in the match.
func (m *matched) group(i int) (text string, ok bool) {
	g := m.GroupByNumber(i)
	if g == nil || len(g.Captures) == 0 {
		return "", false
	}
	return g.String(), true
}

// eachMatch gives the matches of the second argument in the first, from a character on, until found answers false. After an empty match the search
// goes on one character later, after another where it ends, so that an empty one may follow.
func eachMatch(a Row, from int, found func(*matched) bool) error {
	p, err := programOf(a.At(1).Text())
	if err != nil {
		return err
	}
	if p.fold && !ascii(a.At(0).Text()) { // one character may then match several
		return patternError("(?i) over text beyond ASCII")
	}
	source := []rune(a.At(0).Text())
	for from <= len(source) {
		m, err := p.FindRunesMatchStartingAt(source, from)
		if err != nil {
			return errors.New("a search with a regular expression took too long")
		}
		if m == nil || !found(&matched{m, p, source}) {
			return nil
		}
		from = m.Index + m.Length
		if m.Length == 0 {
			from++
		}
	}
	return nil
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// groupOf is the third argument, a group of the pattern.
func groupOf(a Row) (int, error) {
	p, err := programOf(a.At(1).Text())
	if err != nil {
		return 0, err
	}
	switch n := a.At(2).Int(); {
	case n < 0:
		return 0, errorf("Group cannot be negative")
	case n > int64(p.groups):
		return 0, errorf("Pattern has %d groups. Cannot access group %d", p.groups, n)
	default:
		return int(n), nil
	}
}

// replaceMatches is regexp_replace with a text in which $1 and ${name} stand for groups.
func replaceMatches(a Row, r *Result) error {
	with := a.At(2).Text()
	out := r.Scratch[:0]
	last := 0
	var source []rune
	var problem error
	err := eachMatch(a, 0, func(m *matched) bool {
		source = m.source
		out = append(out, string(m.source[last:m.Index])...)
		last = m.Index + m.Length
		out, problem = m.expand(out, with)
		if len(out) > maxResult {
			problem = errTooLarge
		}
		return problem == nil
	})
	switch {
	case err != nil:
		return err
	case problem != nil:
		return problem
	case source == nil:
		r.Bytes(a.At(0).Bytes())
		return nil
	}
	out = append(out, string(source[last:])...)
	r.Scratch = out
	r.Bytes(out)
	return nil
}

// expand appends a replacement.
func (m *matched) expand(out []byte, with string) ([]byte, error) {
	illegal := errorf("Illegal replacement sequence: %s", with)
	for i := 0; i < len(with); i++ {
		switch with[i] {
		case '\\':
			if i++; i == len(with) {
				return out, illegal
			}
			out = append(out, with[i])
		case '$':
			rest := with[i+1:]
			number, used := 0, 0
			if name, ok := strings.CutPrefix(rest, "{"); ok {
				name, _, closed := strings.Cut(name, "}")
				number = m.names[name]
				if !closed || number == 0 {
					return out, errorf("Illegal replacement sequence: unknown group { %s }", name)
				}
				used = len(name) + len("{}")
			} else {
				for used < len(rest) && rest[used] >= '0' && rest[used] <= '9' {
					n := number*10 + int(rest[used]-'0')
					if n > m.groups {
						if used == 0 {
							return out, errorf("Illegal replacement sequence: unknown group %d", n)
						}
						break
					}
					number = n
					used++
				}
				if used == 0 {
					return out, illegal
				}
			}
			text, _ := m.group(number)
			out = append(out, text...)
			i += used
		default:
			out = append(out, with[i])
		}
	}
	return out, nil
}
