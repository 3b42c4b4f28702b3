package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/disk"
)

// tail is a way for a segment with the records "a", "b" and "c" to end, and what opening makes of it.
type tail struct {
	change  func([]byte) []byte
	want    string
	damaged int
	size    int // of the segment afterwards; -1: as it was
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 0x40; return b }
}

// tails are those that both versions have, by the size of a record's head.
func tails(recordSize int) map[string]tail {
	keep := headersSize + 2*(recordSize+1) // "a" and "b"
	return map[string]tail{
		"whole":                     {func(b []byte) []byte { return b }, "a b c", 0, keep + recordSize + 1},
		"last record short":         {func(b []byte) []byte { return b[:len(b)-1] }, "a b", 0, keep},
		"last header short":         {func(b []byte) []byte { return b[:keep+recordSize-1] }, "a b", 0, keep},
		"one byte of it":            {func(b []byte) []byte { return b[:keep+1] }, "a b", 0, keep},
		"zeros behind":              {func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, "a b c", 0, keep + recordSize + 1},
		"zeros instead":             {func(b []byte) []byte { clear(b[keep:]); return b }, "a b", 0, keep},
		"last data flipped":         {flip(keep + recordSize), "a b", 1, -1},
		"last data zero":            {func(b []byte) []byte { clear(b[keep+recordSize:]); return b }, "a b", 1, -1}, // a crash may leave that, too
		"last head zero":            {func(b []byte) []byte { clear(b[keep : keep+recordSize]); return b }, "a b", 1, -1},
		"middle zero":               {func(b []byte) []byte { clear(b[keep-recordSize-1 : keep]); return b }, "a c", 1, -1},
		"middle data flipped":       {flip(keep - 1), "a c", 1, -1},
		"middle CRC flipped":        {flip(keep - recordSize + 3), "a c", 1, -1},
		"middle length flipped":     {flip(keep - recordSize + 7), "a c", 1, -1},
		"middle length huge":        {flip(keep - recordSize + 10), "a c", 1, -1},
		"middle sequence flipped":   {flip(keep - recordSize + 15), "a c", 1, -1},
		"middle magic flipped":      {flip(keep - recordSize - 1), "a c", 1, -1},
		"first header copy flipped": {flip(9), "a b c", 0, -1},
		"both header copies":        {func(b []byte) []byte { return flip(9)(flip(49)(b)) }, "", 1, -1},
		"header only half":          {func(b []byte) []byte { return b[:30] }, "", 0, -1},
		"empty":                     {func(b []byte) []byte { return nil }, "", 0, -1},
	}
}

// TestTails: what each way of ending badly leaves, and what opening makes of it.
func TestTails(t *testing.T) {
	all := tails(recordSize)
	const last = headersSize + 2*(recordSize+1) // the last record begins there
	for at := range recordSize {
		all[fmt.Sprint("last head flipped at ", at)] = tail{flip(last + at), "a b", 1, -1}
	}
	maps.Copy(all, map[string]tail{
		"last head flipped, data short": {func(b []byte) []byte { return flip(last + 8)(b)[:len(b)-1] }, "a b", 1, -1},
		"some bytes that are no head":   {func(b []byte) []byte { return flip(last)(b)[:last+9] }, "a b", 1, -1},
	})
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, Options{Dir: dir})
			for _, r := range []string{"a", "b", "c"} {
				add(t, l, r)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			c.check(t, dir)
		})
	}
}

// TestTailsOfVersion1: segments of the version before, as its program wrote them, are read after an upgrade as they were before it.
func TestTailsOfVersion1(t *testing.T) {
	all := tails(recordSize1)
	const last = headersSize + 2*(recordSize1+1)
	all["last length greater"] = tail{flip(last + 8), "a b", 0, last} // its head has no CRC: it cannot be told from a torn one
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, err := os.ReadFile("testdata/version1.wal")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, segmentName(1)), b, 0o600); err != nil {
				t.Fatal(err)
			}
			c.check(t, dir)
		})
	}
}

func (c tail) check(t *testing.T, dir string) {
	path := segments(t, dir)[0]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = c.change(bytes.Clone(b))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	for i := range 2 { // the second opening finds the same, and what was appended in between
		reg := prometheus.NewRegistry()
		l := open(t, Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), Registerer: reg})
		if got := replayed(t, l, 0); got != c.want {
			t.Errorf("replayed %q, want %q", got, c.want)
		}
		if got := len(l.Damaged()); got != c.damaged && (i == 0 || len(c.want) > 1) {
			t.Errorf("damage %v, want %d", l.Damaged(), c.damaged)
		}
		families, err := reg.Gather()
		for _, f := range families {
			if f.GetName() == "loch_log_damaged" && int(f.GetMetric()[0].GetGauge().GetValue()) != len(l.Damaged()) {
				t.Errorf("%v counted of %d", f, len(l.Damaged()))
			}
		}
		if err != nil || len(families) == 0 {
			t.Errorf("%d metrics, %v", len(families), err)
		}
		for _, d := range l.Damaged() {
			if kept, err := os.ReadFile(d.Copy); err != nil || !bytes.Equal(kept, b) {
				t.Errorf("copy of %d bytes of %d, %v", len(kept), len(b), err)
			}
		}
		if info, err := os.Stat(path); c.size >= 0 && (err != nil || info.Size() != int64(c.size)) {
			t.Errorf("segment: %v, %v, want %d bytes", info, err, c.size)
		}
		was := seq
		if seq = add(t, l, "z"); seq <= was || len(b) > headersSize && seq <= 3 {
			t.Errorf("sequence %d was given before", seq)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c.want = strings.TrimSpace(c.want + " z")
	}
}

// read goes through a segment of these bytes.
func read(t *testing.T, b []byte) (got string, bad []damage) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := disk.OS.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := newReader(f, func(d damage) { bad = append(bad, d) })
	for err == nil {
		var rec Record
		if rec, err = r.next(); err == nil {
			got += string(rec.Data) + " "
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return strings.TrimSpace(got), bad
}

// TestEveryBit: whichever bit of a segment changes, either nothing is missing, or the stretch where it is missing is told, and not taken for an interrupted write's.
func TestEveryBit(t *testing.T) {
	b, s := newHeader(1)
	for i, r := range []string{"first", "", "the third"} {
		b = appendRecord(b, &s, int64(i+1), 1, []byte(r))
	}
	whole, bad := read(t, b)
	if whole != "first  the third" || bad != nil {
		t.Fatal(whole, bad)
	}
	for at := range b {
		for bit := range 8 {
			b[at] ^= 1 << bit
			got, bad := read(t, b)
			if at < headersSize && (got != whole || bad != nil) || at >= headersSize && (got == whole || len(bad) != 1 || bad[0].torn) {
				t.Errorf("bit %d of byte %d: %q, %+v", bit, at, got, bad)
			}
			b[at] ^= 1 << bit
		}
	}
}

// TestInterruptedWrites: a group commit that ended anywhere is cut off quietly, and what it had brought whole stays.
func TestInterruptedWrites(t *testing.T) {
	b, s := newHeader(1)
	b = appendRecord(b, &s, 1, 1, []byte("acknowledged"))
	acknowledged := len(b)
	var ends []int
	for i := range 3 {
		b = appendRecord(b, &s, int64(i+2), 1, bytes.Repeat([]byte{'x'}, 20))
		ends = append(ends, len(b))
	}
	for end := acknowledged; end <= len(b); end++ {
		whole := 1
		at := acknowledged
		for _, e := range ends {
			if e <= end {
				whole, at = whole+1, e
			}
		}
		for _, zeros := range []int{0, 1, recordSize - 1, 5000} { // behind: the file was extended
			written := append(bytes.Clone(b[:end]), make([]byte, zeros)...)
			got, bad := read(t, written)
			if len(strings.Fields(got)) != whole {
				t.Fatalf("end %d and %d zeros: %q", end, zeros, got)
			}
			// With zeros behind it a record may look as if it were there in full. Then it is told: it might have been acknowledged.
			if len(written) > at && (len(bad) != 1 || bad[0].from != int64(at) || !bad[0].tail || zeros == 0 && !bad[0].torn) || len(written) == at && bad != nil {
				t.Errorf("end %d and %d zeros: %+v", end, zeros, bad)
			}
		}
	}
}

// TestNewerVersion: a segment of a version to come is neither read nor put aside.
func TestNewerVersion(t *testing.T) {
	dir := t.TempDir()
	b, _ := newHeader(1)
	for h := b; len(h) > 0; h = h[headerSize:] {
		h[7] = '3'
		binary.LittleEndian.PutUint32(h[36:], crc32.Checksum(h[:36], castagnoli))
	}
	path := filepath.Join(dir, segmentName(1))
	if err := os.WriteFile(path, append(b, "what came"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, errNewer) {
		t.Errorf("got %v", err)
	}
	if names := segments(t, dir); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

// FuzzChange: no change of one byte makes a record go missing unseen.
func FuzzChange(f *testing.F) {
	f.Add([]byte("first"), []byte("second"), headersSize+recordSize+5+8, byte(0x40))
	f.Add([]byte{}, bytes.Repeat([]byte{0xc4, 0x10, 0xc0, 0x5e}, 20), headersSize, byte(1))
	f.Fuzz(func(t *testing.T, first, second []byte, at int, x byte) {
		b, s := newHeader(1)
		b = appendRecord(b, &s, 1, 1, first)
		b = appendRecord(b, &s, 2, 1, second)
		if at < headersSize || at >= len(b) || x == 0 {
			return
		}
		b[at] ^= x
		if _, bad := read(t, b); len(bad) != 1 || bad[0].torn && len(bytes.Trim(b[bad[0].from:], "\x00")) > 0 {
			t.Errorf("byte %d: %+v", at, bad)
		}
	})
}
