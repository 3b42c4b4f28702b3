package wal

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// TestCopy: a copy has the records that are kept, of closed segments and of the one being written, and a log on it goes on behind all sequences.
func TestCopy(t *testing.T) {
	from := Options{Dir: filepath.Join(t.TempDir(), "wal"), SegmentBytes: 200}
	l, err := Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var last int64
	for i := range 20 {
		if last, err = l.Append(t.Context(), 1, nil, fmt.Appendf(nil, "record %d of the log that is copied", i)); err != nil {
			t.Fatal(err)
		}
	}
	release := l.Hold()
	if err := l.Release(last); err != nil {
		t.Fatal(err)
	}
	read := func(dir string) (got []int64, next int64) {
		c, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if d := c.Damaged(); d != nil {
			t.Errorf("the copy is damaged: %+v", d)
		}
		if err := c.Replay(t.Context(), 0, func(r Record) error { got = append(got, r.Sequence); return nil }); err != nil {
			t.Fatal(err)
		}
		if next, err = c.Append(t.Context(), 1, nil, []byte("x")); err != nil {
			t.Fatal(err)
		}
		return got, next
	}
	for _, want := range [][]int64{{7, 8, 20}, {1}, nil} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := l.Copy(t.Context(), dir, func(r Record) (bool, error) { return slices.Contains(want, r.Sequence), nil }); err != nil {
			t.Fatal(err)
		}
		got, next := read(dir)
		if !slices.Equal(got, want) || next != 22 {
			t.Errorf("kept %v: the copy has %v, and gives %d", want, got, next)
		}
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := l.Copy(t.Context(), dir, func(Record) (bool, error) { return true, nil }); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(dir); len(got) >= 20 {
		t.Errorf("released segments were kept after the hold: %v", got)
	}
}
