// Package terminal shows results and progress to the person at the keyboard, and to the script that took their place.
package terminal

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// Cell is one value of a row; NULL is not the empty text.
type Cell struct {
	Text string
	Null bool
}

// Rows takes the rows of an answer in order and writes them in one format.
type Rows interface {
	Row(cells []Cell) error
	// Close writes what is left. It must be called once after the last row.
	Close() error
}

// Formats are the names that NewRows knows.
const Formats = "table,csv,json,jsonl"

// NewRows writes rows with those columns to w as table, csv, json (one array of objects) or jsonl (an object a line). Names that stand twice get "_2" and so on in the
// JSON formats, for an object has one member of a name. Without columns (an answer without rows may not name them) there is no header.
func NewRows(w io.Writer, format string, columns []string) (Rows, error) {
	bw := bufio.NewWriter(w)
	switch format {
	case "table":
		return &table{w: bw, columns: columns}, nil
	case "csv":
		c := csv.NewWriter(bw)
		if len(columns) == 0 {
			return &csvRows{c: c, w: bw}, nil
		}
		return &csvRows{c: c, w: bw}, c.Write(columns)
	case "json", "jsonl":
		return newJSON(bw, columns, format == "json")
	}
	return nil, fmt.Errorf("unknown format %q: choose one of %s", format, Formats)
}

// widest is how wide a table's column grows before its texts are cut, in terminal cells.
const widest = 60

// table measures the first rows before it writes, and lets later ones overrun.
type table struct {
	w       *bufio.Writer
	columns []string
	first   [][]Cell
	widths  []int
	count   int
}

const measured = 500

func (t *table) Row(cells []Cell) error {
	t.count++
	if t.widths == nil {
		t.first = append(t.first, append([]Cell(nil), cells...))
		if len(t.first) < measured {
			return nil
		}
		return t.begin()
	}
	return t.line(cells)
}

func (t *table) begin() error {
	t.widths = make([]int, len(t.columns))
	for i, c := range t.columns {
		t.widths[i] = runewidth.StringWidth(printable(c))
	}
	for _, row := range t.first {
		for i, c := range row {
			t.widths[i] = max(t.widths[i], min(widest, runewidth.StringWidth(shown(c))))
		}
	}
	head := make([]Cell, len(t.columns))
	rule := make([]Cell, len(t.columns))
	for i, c := range t.columns {
		head[i].Text = c
		rule[i].Text = strings.Repeat("─", t.widths[i])
	}
	rows := append([][]Cell{head, rule}, t.first...)
	t.first = nil
	if len(t.columns) == 0 {
		rows = nil
	}
	for _, r := range rows {
		if err := t.line(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) line(cells []Cell) error {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		s := runewidth.Truncate(shown(c), max(t.widths[i], 1), "…")
		b.WriteString(s)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-runewidth.StringWidth(s))))
		}
	}
	_, err := t.w.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	return err
}

func (t *table) Close() error {
	if t.widths == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	fmt.Fprintf(t.w, "(%s)\n", Counted(int64(t.count), "row"))
	return t.w.Flush()
}

func shown(c Cell) string {
	if c.Null {
		return "NULL"
	}
	return printable(c.Text)
}

// printable takes out what would move a terminal's cursor or colour: an event's text comes from whoever sent it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar:
			return '�'
		}
		return r
	}, s)
}

type csvRows struct {
	c    *csv.Writer
	w    *bufio.Writer
	line []string
}

func (c *csvRows) Row(cells []Cell) error {
	c.line = c.line[:0]
	for _, v := range cells {
		c.line = append(c.line, v.Text)
	}
	return c.c.Write(c.line)
}

func (c *csvRows) Close() error {
	c.c.Flush()
	if err := c.c.Error(); err != nil {
		return err
	}
	return c.w.Flush()
}

type jsonRows struct {
	w     *bufio.Writer
	names [][]byte
	array bool
	count int
}

func newJSON(w *bufio.Writer, columns []string, array bool) (*jsonRows, error) {
	j := &jsonRows{w: w, array: array}
	used := map[string]bool{}
	for _, c := range columns {
		name := c
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", c, n)
		}
		used[name] = true
		b, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		j.names = append(j.names, b)
	}
	return j, nil
}

func (j *jsonRows) Row(cells []Cell) error {
	switch {
	case !j.array:
	case j.count == 0:
		j.w.WriteString("[\n")
	default:
		j.w.WriteString(",\n")
	}
	j.count++
	j.w.WriteByte('{')
	for i, c := range cells {
		if i > 0 {
			j.w.WriteByte(',')
		}
		j.w.Write(j.names[i])
		j.w.WriteByte(':')
		if c.Null {
			j.w.WriteString("null")
			continue
		}
		b, err := json.Marshal(c.Text)
		if err != nil {
			return err
		}
		j.w.Write(b)
	}
	j.w.WriteByte('}')
	if !j.array {
		return j.w.WriteByte('\n')
	}
	return nil
}

func (j *jsonRows) Close() error {
	if j.array {
		if j.count == 0 {
			j.w.WriteByte('[')
		}
		j.w.WriteString("\n]\n")
	}
	return j.w.Flush()
}
