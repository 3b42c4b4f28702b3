package functions

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// urls are the functions over URLs, which they read as Java's class URI does (RFC 2396 with its deviations): what is none for it has no parts.
func urls(d definer) {
	part := func(name string, of func(u *uri) (string, bool)) {
		d.define("loch_url_extract_"+name+"(varchar) varchar", func(a Row, r *Result) {
			u, ok := parseURI(a.At(0).Text())
			if !ok {
				r.Null()
				return
			}
			text, ok := of(u)
			if !ok {
				text = ""
			}
			r.Text(text)
		})
	}
	part("protocol", func(u *uri) (string, bool) { return u.scheme, true })
	part("host", func(u *uri) (string, bool) { return u.host, true })
	part("path", func(u *uri) (string, bool) { return decodeURI(u.path, true), true })
	part("query", func(u *uri) (string, bool) { return decodeURI(u.query, false), u.hasQuery })
	part("fragment", func(u *uri) (string, bool) { return decodeURI(u.fragment, false), true })
	d.define("loch_url_extract_port(varchar) bigint", func(a Row, r *Result) {
		u, ok := parseURI(a.At(0).Text())
		if !ok || u.port < 0 {
			r.Null()
			return
		}
		r.Int(int64(u.port))
	})
	d.failing("loch_url_extract_parameter(varchar, varchar) varchar", func(a Row, r *Result) error {
		u, ok := parseURI(a.At(0).Text())
		if !ok || !u.hasQuery {
			r.Null()
			return nil
		}
		for query, more := u.query, true; more; {
			var parameter string
			parameter, query, more = strings.Cut(query, "&")
			name, value, _ := strings.Cut(parameter, "=")
			if name != a.At(1).Text() {
				continue
			}
			text, err := decodeForm(value)
			if err != nil {
				return err
			}
			r.Text(text)
			return nil
		}
		r.Null()
		return nil
	})
	d.failing("loch_url_decode(varchar) varchar", func(a Row, r *Result) error {
		text, err := decodeForm(a.At(0).Text())
		if err != nil {
			return err
		}
		r.Text(text)
		return nil
	})
	d.define("loch_url_encode(varchar) varchar", func(a Row, r *Result) {
		const hex = "0123456789ABCDEF"
		out := r.Scratch[:0]
		for _, c := range a.At(0).Bytes() {
			switch {
			case alphanumeric(c) || strings.IndexByte("-_.*", c) >= 0:
				out = append(out, c)
			case c == ' ':
				out = append(out, '+')
			default:
				out = append(out, '%', hex[c>>4], hex[c&15])
			}
		}
		r.Scratch = out
		r.Bytes(out)
	})
}

// decodeForm takes back the encoding of forms: a plus is a blank, %XX is a byte.
func decodeForm(text string) (string, error) {
	if strings.IndexByte(text, '+') < 0 && strings.IndexByte(text, '%') < 0 {
		return text, nil
	}
	var b []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(text) {
				return "", errorf("URLDecoder: Incomplete trailing escape (%%) pattern")
			}
			n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", errorf("URLDecoder: Illegal hex characters in escape (%%) pattern - Error at index 0 in: \"%s\"", text[i+1:i+3])
			}
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return replaceInvalid(b), nil
}

// decodeURI takes back the escapes %XX, but not those between brackets where the part is one that may hold an address.
func decodeURI(text string, brackets bool) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	var b []byte
	within := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '[':
			within = true
		case c == ']':
			within = false
		}
		if c == '%' && !(within && brackets) && i+2 < len(text) {
			n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, c)
	}
	return replaceInvalid(b)
}

// replaceInvalid puts U+FFFD in the place of what is no UTF-8, one for the bytes that begin a character together, as Java's decoder does.
func replaceInvalid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out []byte
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c != utf8.RuneError || n > 1 {
			out, b = append(out, b[:n]...), b[n:]
			continue
		}
		out, b = append(out, "\ufffd"...), b[beginning(b):]
	}
	return string(out)
}

// beginning is how many bytes of b, which begins with no character, Java's decoder takes for one that has gone wrong.
func beginning(b []byte) int {
	follows := func(i int) bool { return i < len(b) && b[i]&0xc0 == 0x80 }
	switch first := b[0]; {
	case first < 0xe0 || first > 0xf4 || !follows(1), first == 0xe0 && b[1] < 0xa0, first == 0xf0 && b[1] < 0x90, first == 0xf4 && b[1] >= 0x90:
		return 1
	case !follows(2):
		return 2
	}
	return 3
}

// uri is a URI's parts, as they stand in it.
type uri struct {
	scheme, host, path, query, fragment string
	port                                int // -1 where there is none
	hasQuery                            bool
}

const (
	marks    = "-_.!~*'()"
	pathSet  = marks + ":@&=+$,;/"
	uricSet  = marks + ";/?:@&=+$,[]"
	userSet  = marks + ";:&=+$,"
	nameSet  = marks + "$,;:@&=" + "+"
	hostsSet = userSet + "-.:@[]"
)

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// allowed tells whether a part has only letters, digits, the characters of a set, escapes, and characters beyond ASCII that are neither controls
// nor blanks.
func allowed(text, set string) bool {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case alphanumeric(c) || strings.IndexByte(set, c) >= 0:
			i++
		case c == '%':
			if i+2 >= len(text) || !hexadecimal(text[i+1]) || !hexadecimal(text[i+2]) {
				return false
			}
			i += 3
		case c >= utf8.RuneSelf:
			other, n := utf8.DecodeRuneInString(text[i:])
			if other < 0xa0 || unicode.Is(unicode.Z, other) {
				return false
			}
			i += n
		default:
			return false
		}
	}
	return true
}

func hexadecimal(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// parseURI reads a URI; ok is false where Java's constructor fails.
func parseURI(text string) (u *uri, ok bool) {
	u = &uri{port: -1}
	rest := text
	if i := strings.IndexAny(text, "/?#:"); i >= 0 && text[i] == ':' {
		u.scheme, rest = text[:i], text[i+1:]
		if !schemeName(u.scheme) || rest == "" || rest[0] == '#' {
			return nil, false
		}
	}
	rest, u.fragment, _ = strings.Cut(rest, "#")
	if !allowed(u.fragment, uricSet) {
		return nil, false
	}
	if u.scheme != "" && rest[0] != '/' { // opaque: no parts but the fragment
		return u, allowed(rest, uricSet)
	}
	rest, u.query, u.hasQuery = strings.Cut(rest, "?")
	if !allowed(u.query, uricSet) {
		return nil, false
	}
	if after, found := strings.CutPrefix(rest, "//"); found {
		end := strings.IndexByte(after, '/')
		if end < 0 {
			end = len(after)
		}
		switch {
		case end > 0:
			if !u.authority(after[:end]) {
				return nil, false
			}
		case len(text) == len(u.scheme)+len(":")+len("//") && u.scheme != "" || text == "//":
			return nil, false
		}
		rest = after[end:]
	}
	u.path = rest
	return u, allowed(u.path, pathSet)
}

func schemeName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c|0x20 >= 'a' && c|0x20 <= 'z') && (i == 0 || !alphanumeric(c) && strings.IndexByte("+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

// authority reads user, host and port. One that is none of a server may be a name of another kind, which has no host.
func (u *uri) authority(text string) bool {
	name := allowed(text, nameSet)
	server := allowed(text, hostsSet)
	if strings.IndexByte(text, '[') >= 0 && !server {
		server = allowed(strings.ReplaceAll(text, "%", "-"), hostsSet)
	}
	if server && u.server(text) {
		return true
	}
	u.host, u.port = "", -1
	return name
}

func (u *uri) server(text string) bool {
	if user, rest, found := strings.Cut(text, "@"); found {
		if !allowed(user, userSet) {
			return false
		}
		text = rest
	}
	end := 0
	if strings.HasPrefix(text, "[") {
		end = strings.IndexByte(text, ']') + 1
		if end == 0 || !addressV6(text[1:end-1]) {
			return false
		}
	} else {
		end = len(text)
		if i := strings.IndexByte(text, ':'); i >= 0 {
			end = i
		}
		if !addressV4(text[:end]) && !hostName(text[:end]) {
			return false
		}
	}
	u.host = text[:end]
	port := text[end:]
	switch {
	case port == "" || port == ":":
		return true
	case port[0] != ':':
		return false
	}
	for _, c := range port[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	n, err := strconv.ParseInt(port[1:], 10, 32)
	u.port = int(n)
	return err == nil
}

// hostName tells whether a text is labels of letters, digits and hyphens, of which the last begins with a letter.
func hostName(text string) bool {
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	for i, l := range labels {
		if l == "" || !alphanumeric(l[0]) || !alphanumeric(l[len(l)-1]) || strings.Trim(l, "-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return false
		}
		for j := range len(l) {
			if !alphanumeric(l[j]) && l[j] != '-' {
				return false
			}
		}
		if i == len(labels)-1 && i > 0 && l[0] >= '0' && l[0] <= '9' {
			return false
		}
	}
	return true
}

func addressV4(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil || n > 255 || p[0] == '+' {
			return false
		}
	}
	return true
}

// addressV6 tells whether a text is an IPv6 address, with an optional zone after a percent sign.
func addressV6(text string) bool {
	text, zone, found := strings.Cut(text, "%")
	if found && (zone == "" || strings.Trim(zone, "_.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "") {
		return false
	}
	groups := func(part string) (n int, ok bool) {
		if part == "" {
			return 0, true
		}
		list := strings.Split(part, ":")
		for i, g := range list {
			if i == len(list)-1 && strings.IndexByte(g, '.') >= 0 {
				return n + 2, addressV4(g)
			}
			if g == "" || len(g) > 4 || strings.Trim(g, "0123456789abcdefABCDEF") != "" {
				return 0, false
			}
			n++
		}
		return n, true
	}
	before, after, short := strings.Cut(text, "::")
	m, ok := groups(before)
	n, ok2 := groups(after)
	if !ok || !ok2 || short && strings.IndexByte(before, '.') >= 0 {
		return false
	}
	if short {
		return m+n < 8
	}
	return m == 8
}
