package worker

import "strings"

// Quote writes a string literal of DuckDB's SQL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// QuoteList writes a list of strings, which DuckDB takes where it wants a constant. One literal that is split takes it a third of the time that
// a literal for each takes; files are named by the hundred.
func QuoteList(list []string) string {
	joined := strings.Join(list, "\n")
	if len(list) > 1 && strings.Count(joined, "\n") == len(list)-1 {
		return "string_split(" + Quote(joined) + ", chr(10))"
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Quote(s))
	}
	b.WriteByte(']')
	return b.String()
}

// Ident writes a quoted name of DuckDB's SQL.
func Ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
