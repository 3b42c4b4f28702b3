package differential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/lochlake/loch/differential/trinotest"
)

// recording is what Trino answered to one statement: columns and rows, or an error.
type recording struct {
	Statement string             `json:"statement"`
	Columns   []trinotest.Column `json:"columns,omitempty"`
	Rows      [][]*string        `json:"rows,omitempty"` // null is NULL; in the order of the answer
	Ordered   bool               `json:"ordered,omitempty"`
	Error     string             `json:"error,omitempty"` // Trino's name of it
	Message   string             `json:"message,omitempty"`
}

// recordings is a file of them.
type recordings struct {
	Trino      string            `json:"trino"` // version
	Statements []json.RawMessage `json:"statements"`
}

// readRecordings reads testdata/*.json, by file and statement.
func readRecordings(dir string) (map[string]map[string]*recording, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]*recording{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var file recordings
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		m := map[string]*recording{}
		for _, raw := range file.Statements {
			var r recording
			if err := json.Unmarshal(raw, &r); err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
			m[r.Statement] = &r
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = m
	}
	return out, nil
}

// writeRecordings writes one file, a statement a line.
func writeRecordings(dir, file string, all []*recording) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"trino\": %q, \"statements\": [\n", trinotest.Version)
	for i, r := range all {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
		b.Write(bytes.TrimSpace(line.Bytes()))
		if i < len(all)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]}\n")
	return os.WriteFile(filepath.Join(dir, file+".json"), b.Bytes(), 0o644)
}

// record makes a recording of what Trino gave.
func record(s *statement, a *trinotest.Answer, err error) (*recording, error) {
	r := &recording{Statement: s.Text, Ordered: s.Order}
	if e, ok := errors.AsType[*trinotest.Error](err); ok {
		r.Error, r.Message = e.Name, e.Message
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.Columns, r.Rows = a.Columns, a.Rows
	if !r.Ordered {
		sortRows(r.Rows)
	}
	return r, nil
}

// sortRows puts rows in an order of their texts, where a statement gives none.
func sortRows(rows [][]*string) {
	sort.SliceStable(rows, func(i, j int) bool { return rowKey(rows[i]) < rowKey(rows[j]) })
}

// rowKey is a row as one text that no other row has.
func rowKey(row []*string) string {
	var b strings.Builder
	for _, v := range row {
		if v == nil {
			b.WriteString("N;")
			continue
		}
		fmt.Fprintf(&b, "%d:%s;", len(*v), *v)
	}
	return b.String()
}
