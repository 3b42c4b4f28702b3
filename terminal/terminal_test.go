package terminal

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, format string, columns []string, rows ...[]Cell) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewRows(&b, format, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	got := write(t, "table", []string{"eventname", "n"}, []Cell{{Text: "GetObject"}, {Text: "7"}}, []Cell{{Null: true}, {Text: "\x1b[31mred\u202e"}})
	want := "eventname  n\n─────────  ─────────\nGetObject  7\nNULL       �[31mred�\n(2 rows)\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if got := write(t, "table", []string{"a"}); got != "a\n─\n(0 rows)\n" {
		t.Errorf("empty: %q", got)
	}
	for format, want := range map[string]string{"table": "(0 rows)\n", "csv": "", "json": "[\n]\n", "jsonl": ""} {
		if got := write(t, format, nil); got != want {
			t.Errorf("%s of nothing: %q", format, got)
		}
	}
	wide := write(t, "table", []string{"a"}, []Cell{{Text: strings.Repeat("x", 300)}})
	if !strings.Contains(wide, strings.Repeat("x", widest-1)+"…\n") {
		t.Errorf("a wide text is not cut: %s", wide)
	}
	var rows [][]Cell
	for i := range measured + 10 {
		rows = append(rows, []Cell{{Text: fmt.Sprint(i)}})
	}
	if n := strings.Count(write(t, "table", []string{"a"}, rows...), "\n"); n != len(rows)+3 {
		t.Errorf("%d lines for %d rows", n, len(rows))
	}
}

func TestCSVAndJSON(t *testing.T) {
	rows := [][]Cell{{{Text: `a,"b"` + "\n"}, {Text: "1"}}, {{Null: true}, {Text: ""}}}
	got, err := csv.NewReader(strings.NewReader(write(t, "csv", []string{"x", "y"}, rows...))).ReadAll()
	if err != nil || len(got) != 3 || got[1][0] != `a,"b"`+"\n" || got[2][0] != "" {
		t.Errorf("csv: %q, %v", got, err)
	}
	var objects []map[string]any
	if err := json.Unmarshal([]byte(write(t, "json", []string{"x", "x"}, rows...)), &objects); err != nil {
		t.Fatal(err)
	}
	if len(objects) != 2 || objects[0]["x_2"] != "1" || objects[1]["x"] != nil || objects[1]["x_2"] != "" {
		t.Errorf("json: %v", objects)
	}
	if err := json.Unmarshal([]byte(write(t, "json", []string{"x"})), &objects); err != nil || len(objects) != 0 {
		t.Errorf("empty json: %v, %v", objects, err)
	}
	if lines := strings.Split(strings.TrimSpace(write(t, "jsonl", []string{"x", "y"}, rows...)), "\n"); len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("jsonl: %q", lines)
	}
	if _, err := NewRows(&bytes.Buffer{}, "xml", nil); err == nil || !strings.Contains(err.Error(), "csv") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestLine(t *testing.T) {
	now := time.Now()
	p := &Progress{label: "import", start: now.Add(-10 * time.Second)}
	got := p.line(State{Events: 120000, Bytes: 25_000_000, TotalBytes: 100_000_000}, now)
	if want := "import 25% 120,000 events, 25.0 MB, 12,000 events/s, 30s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCountAndBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{5: "5 B", 1500: "1.5 kB", 2_500_000: "2.5 MB", 3_210_000_000: "3.21 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
