package sqljson

import (
	"fmt"
	"strings"
)

// PathError is a path that is wrong, at a byte of its text.
type PathError struct {
	At      int
	Message string
}

func (e *PathError) Error() string { return e.Message }

// pathToken is one word of a path. Numbers and words keep their text; a variable is without its $.
type pathToken struct {
	kind pathTokenKind
	text string
	at   int
}

type pathTokenKind uint8

const (
	pathEnd    pathTokenKind = iota
	pathSymbol               // its text is the symbol
	pathWord
	pathVariable
	pathString
	pathInteger
	pathDecimal
	pathDouble
)

var pathSymbols = []string{"..", "==", "<>", "!=", "<=", ">=", "&&", "||", "$", "@", ".", "*", "[", "]", ",", "?", "(", ")", "+", "-", "/", "%", "<", ">", "!"}

// lexPath reads a path's words. Blanks between them have no meaning.
func lexPath(s string) ([]pathToken, error) {
	var out []pathToken
	for i := 0; ; {
		for i < len(s) && strings.IndexByte(" \r\n\t", s[i]) >= 0 {
			i++
		}
		if i == len(s) {
			return append(out, pathToken{pathEnd, "", i}), nil
		}
		t, n := lexOne(s[i:])
		if n == 0 {
			return nil, &PathError{i, fmt.Sprintf("unexpected '%s' in a JSON path", firstRune(s[i:]))}
		}
		t.at = i
		out = append(out, t)
		i += n
	}
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func lexOne(s string) (pathToken, int) {
	switch c := s[0]; {
	case c == '"':
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] == '"' {
				if i+1 < len(s) && s[i+1] == '"' {
					i++
				} else {
					return pathToken{kind: pathString, text: b.String()}, i + 1
				}
			}
			b.WriteByte(s[i])
		}
		return pathToken{}, 0
	case pathLetter(c):
		n := wordLength(s)
		return pathToken{kind: pathWord, text: s[:n]}, n
	case c == '$' && len(s) > 1 && pathLetter(s[1]):
		n := 1 + wordLength(s[1:])
		return pathToken{kind: pathVariable, text: s[1:n]}, n
	case pathDigit(c), c == '.' && len(s) > 1 && pathDigit(s[1]):
		return lexNumber(s)
	}
	for _, sym := range pathSymbols {
		if strings.HasPrefix(s, sym) {
			return pathToken{kind: pathSymbol, text: sym}, len(sym)
		}
	}
	return pathToken{}, 0
}

func pathLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func pathDigit(c byte) bool  { return c >= '0' && c <= '9' }

func wordLength(s string) int {
	n := 0
	for n < len(s) && (pathLetter(s[n]) || pathDigit(s[n])) {
		n++
	}
	return n
}

// lexNumber takes the longest number: digits with a point are a decimal, with an exponent a double.
func lexNumber(s string) (pathToken, int) {
	n, kind := 0, pathInteger
	for n < len(s) && pathDigit(s[n]) {
		n++
	}
	if n < len(s) && s[n] == '.' {
		kind = pathDecimal
		for n++; n < len(s) && pathDigit(s[n]); n++ {
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && pathDigit(s[m]) {
			kind = pathDouble
			for n = m; n < len(s) && pathDigit(s[n]); n++ {
			}
		}
	}
	return pathToken{kind: kind, text: s[:n]}, n
}
