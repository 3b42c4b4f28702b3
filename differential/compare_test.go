package differential

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// diff tells how an answer differs from what Trino answered; "" where it does not. An error differs from an answer, but not from another error.
func diff(s *statement, got, want *recording) string {
	switch {
	case got.Error != "" && want.Error != "":
		return ""
	case want.Error != "":
		if s.Lake {
			return ""
		}
		return fmt.Sprintf("answers %s, where Trino fails with %s: %s", show(got), want.Error, want.Message)
	case got.Error != "":
		return fmt.Sprintf("fails with %s, where Trino answers %s", got.Message, show(want))
	}
	if len(got.Columns) != len(want.Columns) {
		return fmt.Sprintf("has %d columns, not %d", len(got.Columns), len(want.Columns))
	}
	for i, c := range want.Columns {
		if got.Columns[i] != c {
			return fmt.Sprintf("column %d is %q %s, not %q %s", i+1, got.Columns[i].Name, got.Columns[i].Type, c.Name, c.Type)
		}
	}
	g, w := canonical(got), canonical(want)
	switch {
	case s.Rough:
		settle(g, w, 1e-12)
	case s.Near:
		settle(g, w, 0x1p-51)
	}
	if !want.Ordered {
		sortRows(g)
		sortRows(w)
	}
	if slices.EqualFunc(g, w, func(a, b []*string) bool { return rowKey(a) == rowKey(b) }) {
		return ""
	}
	ours, theirs := without(g, w), without(w, g)
	if len(ours)+len(theirs) == 0 {
		return fmt.Sprintf("orders its rows otherwise: %s, not %s", showRows(g), showRows(w))
	}
	return fmt.Sprintf("%d rows for %d; gives %s, not %s", len(g), len(w), showRows(ours), showRows(theirs))
}

// without gives the rows of a that b does not have.
func without(a, b [][]*string) [][]*string {
	count := map[string]int{}
	for _, r := range b {
		count[rowKey(r)]++
	}
	var out [][]*string
	for _, r := range a {
		k := rowKey(r)
		if count[k]--; count[k] < 0 {
			out = append(out, r)
		}
	}
	return out
}

// settle takes over the doubles of w into g that differ from g's by no more than such a part of them, or in the last digit alone.
func settle(g, w [][]*string, part float64) {
	for i := range min(len(g), len(w)) {
		for j := range min(len(g[i]), len(w[i])) {
			if g[i][j] == nil || w[i][j] == nil {
				continue
			}
			a, err := strconv.ParseFloat(*g[i][j], 64)
			b, err2 := strconv.ParseFloat(*w[i][j], 64)
			if err == nil && err2 == nil && (a == math.Nextafter(b, a) || math.Abs(a-b) <= math.Abs(b)*part) {
				g[i][j] = w[i][j]
			}
		}
	}
}

// canonical gives the rows with the entries of maps sorted, as a map has no order.
func canonical(r *recording) [][]*string {
	out := make([][]*string, len(r.Rows))
	for i, row := range r.Rows {
		out[i] = append([]*string(nil), row...)
		for j, v := range row {
			if v != nil && strings.Contains(r.Columns[j].Type, "map(") {
				text := sortEntries(*v)
				out[i][j] = &text
			}
		}
	}
	return out
}

// sortEntries sorts what stands between braces at every depth: the entries of maps (and the fields of rows, which have the same order on both sides).
func sortEntries(text string) string {
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		if i := strings.IndexByte(text, '='); i >= 0 {
			return text[:i+1] + sortEntries(text[i+1:])
		}
		return text
	}
	var parts []string
	depth, start := 0, 1
	for i := 1; i < len(text)-1; i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 && strings.HasPrefix(text[i:], ", ") {
				parts = append(parts, sortEntries(text[start:i]))
				start = i + 2
			}
		}
	}
	parts = append(parts, sortEntries(text[start:len(text)-1]))
	if text[0] == '{' {
		sort.Strings(parts)
	}
	return text[:1] + strings.Join(parts, ", ") + text[len(text)-1:]
}

const shown = 12 // rows of an answer in a message

func show(r *recording) string {
	if r.Error != "" {
		return r.Error + ": " + r.Message
	}
	return showRows(r.Rows)
}

func showRows(rows [][]*string) string {
	if len(rows) == 0 {
		return "no rows"
	}
	var b strings.Builder
	for i, row := range rows {
		if i == shown {
			fmt.Fprintf(&b, "… (%d rows)", len(rows))
			break
		}
		b.WriteString(showRow(row))
	}
	return b.String()
}

func showRow(row []*string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, v := range row {
		if i > 0 {
			b.WriteString(", ")
		}
		if v == nil {
			b.WriteString("NULL")
		} else {
			fmt.Fprintf(&b, "%q", *v)
		}
	}
	b.WriteByte(')')
	return b.String()
}
