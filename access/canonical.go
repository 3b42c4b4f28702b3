package access

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// canonical is the canonical request, by the rules for every service but S3.
func (s *Signature) canonical(bodyHash string) string {
	var b strings.Builder
	b.WriteString(s.r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath(s.wirePath()))
	b.WriteByte('\n')
	b.WriteString(s.canonicalQuery())
	b.WriteByte('\n')
	for _, name := range s.headers {
		value, _ := s.header(name)
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.headers, ";"))
	b.WriteByte('\n')
	b.WriteString(bodyHash)
	return b.String()
}

// wirePath is the path as it was sent, escapes and all.
func (s *Signature) wirePath() string {
	if uri := s.r.RequestURI; strings.HasPrefix(uri, "/") {
		uri, _, _ = strings.Cut(uri, "?")
		return uri
	}
	return s.r.URL.EscapedPath() // the absolute form, which is sent to proxies
}

// canonicalPath removes dot segments and empty ones (RFC 3986, 5.2.4) and escapes what is left, which was escaped for the wire already: so every
// segment ends up escaped twice.
func canonicalPath(wire string) string {
	clean := path.Clean("/" + wire)
	if clean != "/" && strings.HasSuffix(wire, "/") {
		clean += "/"
	}
	return escape(clean, true)
}

// canonicalQuery sorts the parameters by escaped name, then value.
func (s *Signature) canonicalQuery() string {
	type pair struct{ name, value string }
	var pairs []pair
	for name, values := range s.query {
		for _, v := range values {
			pairs = append(pairs, pair{escape(name, false), escape(v, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

// header gives a header's canonical value: its values trimmed, runs of spaces made one, joined by commas.
func (s *Signature) header(lower string) (string, bool) {
	switch lower {
	case "host":
		return s.r.Host, s.r.Host != ""
	case "content-length":
		return strconv.FormatInt(s.r.ContentLength, 10), s.r.ContentLength >= 0
	}
	values := s.r.Header.Values(lower)
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ","), len(values) > 0
}

// escape is AWS's URI encoding: every byte but RFC 3986's unreserved ones, and slashes where they are to stay.
func escape(text string, slashes bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' || c == '/' && slashes {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
