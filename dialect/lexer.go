package dialect

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd        tokenKind = iota
	tokWord                 // an unquoted identifier or a keyword
	tokQuoted               // "identifier"
	tokString               // 'string'
	tokUnicode              // U&'string'
	tokBinary               // X'hex'
	tokInteger              // 12, 1_000, 0xff, 0o17, 0b101
	tokDecimal              // 1.5
	tokDouble               // 1.5e3
	tokSymbol               // operators and punctuation
	tokDigitWord            // 1abc: no identifier in Trino, but part of a store's ID
	tokBackquoted           // `name`: Trino refuses it by name
	tokBad                  // text says why; an error only once the parser comes to it
)

// token is one word of a statement. Tokens are lexed as the parser asks for them, since what stands after FROM has rules of its own.
type token struct {
	kind tokenKind
	pos  int    // byte offsets in the statement
	end  int    //
	text string // as written; of quoted tokens what the quotes hold, unescaped
	word string // of a tokWord that is a keyword of Trino's: in upper case
}

func (t *token) is(word string) bool   { return t.kind == tokWord && t.word == word }
func (t *token) isSym(sym string) bool { return t.kind == tokSymbol && t.text == sym }

type lexer struct {
	src string
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func wordByte(c byte) bool {
	return letter(c) || digit(c) || c == '_'
}

// skip is the offset of the first byte from pos on that is neither blank nor comment, or a message where a comment does not end.
func (l *lexer) skip(pos int) (int, string) {
	for pos < len(l.src) {
		switch c := l.src[pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			pos++
		case strings.HasPrefix(l.src[pos:], "--"):
			if i := strings.IndexAny(l.src[pos:], "\r\n"); i >= 0 {
				pos += i
			} else {
				pos = len(l.src)
			}
		case strings.HasPrefix(l.src[pos:], "/*"):
			i := strings.Index(l.src[pos+2:], "*/")
			if i < 0 {
				return pos, "the comment that begins here does not end"
			}
			pos += i + 4
		default:
			return pos, ""
		}
	}
	return pos, ""
}

// next is the token that begins at or after pos.
func (l *lexer) next(pos int) token {
	pos, bad := l.skip(pos)
	if bad != "" {
		return token{kind: tokBad, pos: pos, end: len(l.src), text: bad}
	}
	if pos >= len(l.src) {
		return token{kind: tokEnd, pos: pos, end: pos}
	}
	src := l.src
	c := src[pos]
	switch {
	case c == '\'':
		return l.quoted(pos, pos, '\'', tokString)
	case c == '"':
		t := l.quoted(pos, pos, '"', tokQuoted)
		if t.kind == tokQuoted && t.text == "" {
			t.kind, t.text = tokBad, "Zero-length delimited identifier not allowed"
		}
		return t
	case c == '`':
		return l.quoted(pos, pos, '`', tokBackquoted)
	case (c == 'x' || c == 'X') && pos+1 < len(src) && src[pos+1] == '\'':
		return l.quoted(pos, pos+1, '\'', tokBinary)
	case (c == 'u' || c == 'U') && strings.HasPrefix(src[pos+1:], "&'"):
		return l.quoted(pos, pos+2, '\'', tokUnicode)
	case letter(c) || c == '_':
		end := pos + 1
		for end < len(src) && wordByte(src[end]) {
			end++
		}
		return token{kind: tokWord, pos: pos, end: end, text: src[pos:end], word: keyword(src[pos:end])}
	case digit(c) || c == '.' && pos+1 < len(src) && digit(src[pos+1]):
		return l.number(pos)
	}
	for _, sym := range symbols {
		if strings.HasPrefix(src[pos:], sym) {
			end := pos + len(sym)
			if sym == "!=" {
				sym = "<>"
			}
			return token{kind: tokSymbol, pos: pos, end: end, text: sym}
		}
	}
	r, n := utf8.DecodeRuneInString(src[pos:])
	return token{kind: tokBad, pos: pos, end: pos + n, text: "unexpected character '" + printable(r) + "'"}
}

// The longer ones first.
var symbols = [...]string{"<>", "<=", ">=", "!=", "||", "->", "=>", "{-", "-}", "(", ")", "[", "]", "{", "}", ",", ".", ";", ":", "=", "<", ">",
	"+", "-", "*", "/", "%", "?", "|", "^", "$"}

func (l *lexer) quoted(pos, open int, quote byte, kind tokenKind) token {
	src := l.src
	for i, begin, text := open+1, open+1, ""; ; i++ {
		n := strings.IndexByte(src[i:], quote)
		if n < 0 {
			return token{kind: tokBad, pos: pos, end: len(src), text: "the quote that begins here does not end"}
		}
		i += n
		if i+1 < len(src) && src[i+1] == quote {
			text += src[begin : i+1]
			i++
			begin = i + 1
			continue
		}
		return token{kind: kind, pos: pos, end: i + 1, text: text + src[begin:i]}
	}
}

// number lexes integers, decimals and doubles; what goes on in letters is no number.
func (l *lexer) number(pos int) token {
	src := l.src
	if src[pos] == '0' && pos+1 < len(src) {
		if in, ok := radixDigits[src[pos+1]|0x20]; ok {
			end := pos + 2
			for end < len(src) && (strings.IndexByte(in, src[end]|0x20) >= 0 || src[end] == '_') {
				end++
			}
			if end > pos+2 && (end == len(src) || !wordByte(src[end])) {
				return token{kind: tokInteger, pos: pos, end: end, text: src[pos:end]}
			}
		}
	}
	kind, end := tokInteger, l.digits(pos)
	if end < len(src) && src[end] == '.' {
		kind, end = tokDecimal, l.digits(end+1)
	}
	if end < len(src) && src[end]|0x20 == 'e' {
		e := end + 1
		if e < len(src) && (src[e] == '+' || src[e] == '-') {
			e++
		}
		if stop := l.digits(e); stop > e {
			kind, end = tokDouble, stop
		}
	}
	if end < len(src) && wordByte(src[end]) {
		for end < len(src) && wordByte(src[end]) {
			end++
		}
		return token{kind: tokDigitWord, pos: pos, end: end, text: src[pos:end]}
	}
	return token{kind: kind, pos: pos, end: end, text: src[pos:end]}
}

var radixDigits = map[byte]string{'x': "0123456789abcdef", 'o': "01234567", 'b': "01"}

// digits is the end of the digits from pos on, with single underscores between them.
func (l *lexer) digits(pos int) int {
	for pos < len(l.src) && (digit(l.src[pos]) || l.src[pos] == '_' && pos > 0 && digit(l.src[pos-1]) && pos+1 < len(l.src) && digit(l.src[pos+1])) {
		pos++
	}
	return pos
}

// tableToken lexes an event data store's ID or ARN that stands unquoted where a table's name is expected; ok is false where there is none.
func (l *lexer) tableToken(pos int) (t token, ok bool) {
	pos, bad := l.skip(pos)
	if bad != "" {
		return token{}, false
	}
	rest := l.src[pos:]
	if len(rest) > 4 && strings.EqualFold(rest[:4], "arn:") {
		n := 4
		for n < len(rest) && (wordByte(rest[n]) || strings.IndexByte(":/-", rest[n]) >= 0) {
			n++
		}
		return token{kind: tokQuoted, pos: pos, end: pos + n, text: rest[:n]}, true
	}
	if n := uuidLength(rest); n > 0 {
		return token{kind: tokQuoted, pos: pos, end: pos + n, text: rest[:n]}, true
	}
	return token{}, false
}

// uuidLength is 36 where s begins with a UUID that nothing prolongs, or 0.
func uuidLength(s string) int {
	const n = 36
	if len(s) < n || len(s) > n && (wordByte(s[n]) || s[n] == '-') {
		return 0
	}
	for i := range n {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return 0
			}
		default:
			if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
	}
	return n
}

func printable(r rune) string {
	if r < 0x20 || r == utf8.RuneError || r == 0x7f {
		return fmt.Sprintf("\\u{%x}", r)
	}
	return string(r)
}

// place turns a byte offset into a line and a column, both from 1; the column counts characters.
func place(src string, pos int) (line, column int) {
	pos = min(pos, len(src))
	line, start := 1, 0
	for i := range pos {
		if src[i] == '\n' {
			line, start = line+1, i+1
		}
	}
	return line, utf8.RuneCountInString(src[start:pos]) + 1
}
