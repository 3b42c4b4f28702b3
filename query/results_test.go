package query

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lochlake/loch/engine"
	"pgregory.net/rapid"
)

func writeResults(t interface{ Fatal(...any) }, path string, columns []engine.Column, rows [][]engine.Value, r *room) {
	w, err := newResultWriter(path, columns, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
}

func TestResultsRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "r")
		width := rapid.IntRange(1, 4).Draw(t, "columns")
		columns := make([]engine.Column, width)
		for i := range columns {
			columns[i] = engine.Column{Name: rapid.String().Draw(t, "name"), Type: "varchar"}
		}
		seed := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) engine.Value {
			if rapid.Bool().Draw(t, "null") {
				return engine.Value{Null: true}
			}
			return engine.Value{Text: []byte(rapid.String().Draw(t, "text"))}
		}), width, width), 0, 40).Draw(t, "rows")
		var rows [][]engine.Value // many rows of few kinds, so that there are several blocks
		for range rapid.IntRange(1, 80).Draw(t, "repeats") {
			rows = append(rows, seed...)
		}
		usage := &room{bound: 1 << 40}
		writeResults(t, path, columns, rows, usage)
		st, err := os.Stat(path)
		if err != nil || st.Size() != usage.used.Load() {
			t.Fatalf("%d bytes entered of %d: %v", usage.used.Load(), st.Size(), err)
		}
		r, err := openResults(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		if r.rows != int64(len(rows)) || len(r.columns) != width || r.columns[0].Name != columns[0].Name {
			t.Fatalf("%d rows, columns %v", r.rows, r.columns)
		}
		n := rapid.IntRange(1, 1000).Draw(t, "page")
		most := rapid.Int64Range(1, 1<<20).Draw(t, "bytes")
		var at int64
		for at < r.rows {
			got, next, err := r.page(at, n, most)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 || len(got) > n || next != at+int64(len(got)) {
				t.Fatalf("a page of %d rows from %d to %d", len(got), at, next)
			}
			for i, row := range got {
				for c, v := range row {
					if want := rows[at+int64(i)][c]; v.Null != want.Null || string(v.Text) != string(want.Text) {
						t.Fatalf("row %d column %d: %v, want %v", at+int64(i), c, v, want)
					}
				}
			}
			at = next
		}
		if got, next, err := r.page(at, n, most); err != nil || len(got) != 0 || next != r.rows {
			t.Fatalf("after the end: %d rows, next %d, %v", len(got), next, err)
		}
	})
}

func TestDamagedResultsAreNotAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	rows := make([][]engine.Value, 2500)
	for i := range rows {
		rows[i] = []engine.Value{{Text: []byte("some text")}}
	}
	writeResults(t, path, []engine.Column{{Name: "a", Type: "varchar"}}, rows, &room{bound: 1 << 30})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func() error {
		r, err := openResults(path)
		if err != nil {
			return err
		}
		defer r.close()
		for at := int64(0); at < r.rows; {
			if _, at, err = r.page(at, 1000, 1<<30); err != nil {
				return err
			}
		}
		return nil
	}
	for i := 0; i < len(whole); i += 1 + len(whole)/300 {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 0x10
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := read(); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, 20, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := read(); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestResultsHaveBounds(t *testing.T) {
	dir := t.TempDir()
	usage := &room{bound: 100_000}
	w, err := newResultWriter(filepath.Join(dir, "r"), []engine.Column{{Name: "a", Type: "varchar"}}, usage)
	if err != nil {
		t.Fatal(err)
	}
	row := []engine.Value{{Text: make([]byte, 1000)}}
	for range 2000 {
		if err = w.row(row); err != nil {
			break
		}
	}
	if !errors.Is(err, errResultSpace) {
		t.Fatalf("got %v", err)
	}
	if err := w.abandon(); err != nil {
		t.Fatal(err)
	}
	if n := usage.used.Load(); n != 0 {
		t.Errorf("%d bytes are still entered", n)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
}

func FuzzOpenResults(f *testing.F) {
	path := filepath.Join(f.TempDir(), "r")
	writeResults(f, path, []engine.Column{{Name: "a", Type: "varchar"}}, [][]engine.Value{{{Text: []byte("x")}}, {{Null: true}}}, &room{bound: 1 << 30})
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openResults(path)
		if err != nil {
			return
		}
		defer r.close()
		_, _, _ = r.page(0, 1000, 1<<20)
	})
}
