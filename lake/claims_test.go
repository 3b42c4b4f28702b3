package lake

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// said is what a table's metadata would say of a file.
func said(t testing.TB, lay *layout, rows, size int, stats []leafStats, day int32) *proof.Stats {
	t.Helper()
	sc, err := icebergSchema(lay.schema)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := dayPartition(sc)
	if err != nil {
		t.Fatal(err)
	}
	d, err := icebergFile(lay, spec, "file:///x.parquet", day, rows, size, stats)
	if err != nil {
		t.Fatal(err)
	}
	return statsOf(d)
}

// encoded writes rows into a file of one row group.
func encoded(t testing.TB, lay *layout, rows []Row) (path string, s *proof.Stats) {
	t.Helper()
	index := make([]int32, len(rows))
	for i := range index {
		index[i] = int32(i)
	}
	out := new(output)
	stats, err := newEncoder(lay).encode(out, rows, index)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, out.buf, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, said(t, lay, len(rows), len(out.buf), stats, rows[0].Event.Day())
}

// rewritten merges files into one with row groups of so many rows.
func rewritten(t testing.TB, lay *layout, groupRows int, files ...string) (path string, s *proof.Stats) {
	t.Helper()
	w := &rewriter{lay: lay, enc: newEncoder(lay), pause: func(ctx context.Context) error { return ctx.Err() }, most: bounds{groupRows, math.MaxInt32}}
	rows := int64(0)
	var day int32
	for _, f := range files {
		pr := footerOf(t, f)
		s, err := w.openSource(f, pr.NumRows)
		if err != nil {
			t.Fatal(err)
		}
		w.ins = append(w.ins, s)
		rows += pr.NumRows
		if err := w.read(t.Context(), s, lay.hidden.time, everyGroup, func(_ int64, c *cell) error { day = dayOf(c.num()); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(t.TempDir(), "merged.parquet")
	stats, size, err := w.file(t.Context(), path, rows)
	if err != nil {
		t.Fatal(err)
	}
	return path, said(t, lay, int(rows), int(size), stats, day)
}

func footerOf(t testing.TB, path string) *metadata.FileMetaData {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	fm, err := metadata.NewFileMetaData(b[len(b)-8-n:len(b)-8], nil)
	if err != nil {
		t.Fatal(err)
	}
	return fm
}

// altered copies the file, with another footer and other bytes before it.
func altered(t testing.TB, path string, change func(fm *metadata.FileMetaData, body []byte) []byte) (other string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fm := footerOf(t, path)
	out := bytes.NewBuffer(change(fm, b[:len(b)-8-int(binary.LittleEndian.Uint32(b[len(b)-8:]))]))
	n, err := fm.WriteTo(out, nil)
	if err != nil {
		t.Fatal(err)
	}
	other = filepath.Join(t.TempDir(), "other.parquet")
	if err := os.WriteFile(other, append(binary.LittleEndian.AppendUint32(out.Bytes(), uint32(n)), "PAR1"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return other
}

// dayOfRows are generated rows of one day.
func dayOfRows(t testing.TB, n int) []Row {
	rows, _ := generatedRows(t, n)
	for i := range rows {
		if rows[i].Event.Day() != rows[0].Event.Day() {
			return rows[:i]
		}
	}
	return rows
}

func cloudTrail(t testing.TB) *layout {
	lay, err := layoutOf(event.Schema(event.CloudTrail))
	if err != nil {
		t.Fatal(err)
	}
	return lay
}

func checkFile(t testing.TB, path string, s *proof.Stats) []string {
	t.Helper()
	n := int64(0)
	problems, err := CheckFile(t.Context(), event.CloudTrail, path, s.Rows, s, func(*Kept) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) == 0 && n != s.Rows {
		t.Fatalf("%d of %d rows, and no problem", n, s.Rows)
	}
	return problems
}

// withPageIndex adds an index of a column's pages: their places, and what they hold, as change leaves it.
func withPageIndex(t testing.TB, lay *layout, fm *metadata.FileMetaData, body []byte, column int, change func(pages []metadata.EncodedStatistics, firsts []int64)) []byte {
	t.Helper()
	c := fm.RowGroups[0].Columns[column]
	at := objstore.Range{Off: c.MetaData.DataPageOffset, Len: c.MetaData.TotalCompressedSize}
	pages, err := pagesOf(&columnChunk{chunk: at}, fm.NumRows, body[*c.OffsetIndexOffset:][:*c.OffsetIndexLength])
	if err != nil || len(pages) < 3 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	stats, firsts := make([]metadata.EncodedStatistics, len(pages)), make([]int64, len(pages))
	for i := range pages {
		stats[i] = metadata.EncodedStatistics{HasMin: true, Min: []byte("{"), HasMax: true, Max: []byte("}"), HasNullCount: true}
		firsts[i] = pages[i].first
	}
	change(stats, firsts)
	var offsets metadata.OffsetIndexBuilder
	index := metadata.NewColumnIndexBuilder(lay.parq.Column(column))
	for i := range pages {
		if err := offsets.AddPage(pages[i].Off, firsts[i], int32(pages[i].Len)); err != nil {
			t.Fatal(err)
		}
		if err := index.AddPage(&stats[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := offsets.Finish(0); err != nil {
		t.Fatal(err)
	}
	if err := index.Finish(); err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(body)
	place := func(write func() (int, error)) (*int64, *int32) {
		from := int64(out.Len())
		if _, err := write(); err != nil {
			t.Fatal(err)
		}
		n := int32(int64(out.Len()) - from)
		return &from, &n
	}
	c.OffsetIndexOffset, c.OffsetIndexLength = place(func() (int, error) { return offsets.WriteTo(out, nil) })
	c.ColumnIndexOffset, c.ColumnIndexLength = place(func() (int, error) { return index.WriteTo(out, nil) })
	return out.Bytes()
}

// What a file, or the table's metadata, says of rows must hold of them: each lie that would hide a row is told, with the column's name.
func TestWhatIsSaidOfRows(t *testing.T) {
	lay := cloudTrail(t)
	whole, right := encoded(t, lay, dayOfRows(t, 7000))
	column := func(path string) int { return lay.byPath[path] }
	id := func(path string) int { return lay.leaves[column(path)].col.ID }
	eight := func(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }
	type change = func(fm *metadata.FileMetaData, body []byte, s *proof.Stats) []byte
	footer := func(fn func(fm *metadata.FileMetaData)) change {
		return func(fm *metadata.FileMetaData, body []byte, _ *proof.Stats) []byte { fn(fm); return body }
	}
	manifest := func(fn func(s *proof.Stats)) change {
		return func(_ *metadata.FileMetaData, body []byte, s *proof.Stats) []byte { fn(s); return body }
	}
	pages := func(fn func(pages []metadata.EncodedStatistics, firsts []int64)) change {
		return func(fm *metadata.FileMetaData, body []byte, _ *proof.Stats) []byte {
			return withPageIndex(t, lay, fm, body, column("eventjson"), fn)
		}
	}
	for name, c := range map[string]struct {
		change change
		want   string // "": nothing is told
	}{
		"nothing": {footer(func(*metadata.FileMetaData) {}), ""},
		"a bloom filter without bits": {func(fm *metadata.FileMetaData, body []byte, _ *proof.Stats) []byte {
			m := fm.RowGroups[0].Columns[column("useridentity.accesskeyid")].MetaData
			end := *m.BloomFilterOffset + int64(*m.BloomFilterLength)
			clear(body[end-32 : end])
			return body
		}, "column useridentity.accesskeyid: row "},
		"a bloom filter without length": {footer(func(fm *metadata.FileMetaData) {
			fm.RowGroups[0].Columns[column("eventid")].MetaData.BloomFilterLength = nil
		}), "column eventid: the bloom filter of row group 0"},
		"a greatest text": {footer(func(fm *metadata.FileMetaData) {
			fm.RowGroups[0].Columns[column("eventname")].MetaData.Statistics.MaxValue = []byte("B")
		}), "column eventname: row "},
		"a greatest text of none": {footer(func(fm *metadata.FileMetaData) {
			fm.RowGroups[0].Columns[column("eventname")].MetaData.Statistics.MaxValue = []byte{}
		}), "has a value above those that the footer of row group 0 tells of"},
		"a least number": {footer(func(fm *metadata.FileMetaData) {
			st := fm.RowGroups[0].Columns[column("eventtime")].MetaData.Statistics
			st.MinValue = eight(int64(binary.LittleEndian.Uint64(st.MinValue)) + 1)
		}), "column eventtime: row "},
		"a least number in the old form": {footer(func(fm *metadata.FileMetaData) {
			st := fm.RowGroups[0].Columns[column("eventtime")].MetaData.Statistics
			st.Min = eight(int64(binary.LittleEndian.Uint64(st.MinValue)) + 1)
		}), "in its old form"},
		"a bound of another type": {footer(func(fm *metadata.FileMetaData) {
			fm.RowGroups[0].Columns[column("eventtime")].MetaData.Statistics.MinValue = []byte{1}
		}), "column eventtime: the statistics of row group 0"},
		"NULLs": {footer(func(fm *metadata.FileMetaData) {
			*fm.RowGroups[0].Columns[column("errorcode")].MetaData.Statistics.NullCount++
		}), "column errorcode: the footer of row group 0 tells of"},
		"rows": {footer(func(fm *metadata.FileMetaData) { fm.NumRows-- }), "its footer tells of"},
		"columns' names": {footer(func(fm *metadata.FileMetaData) {
			var of []int
			for i, e := range fm.FileMetaData.Schema {
				if e.Name == "eventname" || e.Name == "eventsource" {
					of = append(of, i)
				}
			}
			a, b := fm.FileMetaData.Schema[of[0]], fm.FileMetaData.Schema[of[1]]
			a.Name, b.Name = b.Name, a.Name
		}), "and not the event"},
		"a column twice": {footer(func(fm *metadata.FileMetaData) {
			for _, e := range fm.FileMetaData.Schema {
				if e.Name == "eventname" {
					n := int32(id("eventsource"))
					e.FieldID = &n
				}
			}
		}), "field 4, eventname, is there twice"},
		"an index of pages":             {pages(func([]metadata.EncodedStatistics, []int64) {}), ""},
		"where a page begins":           {pages(func(_ []metadata.EncodedStatistics, firsts []int64) { firsts[1]++ }), "column eventjson: the page index of row group 0: page 0 has"},
		"a page's greatest text":        {pages(func(p []metadata.EncodedStatistics, _ []int64) { p[1].Max = []byte("{") }), "has a value above those that the index of page 1 of row group 0"},
		"a page's NULLs":                {pages(func(p []metadata.EncodedStatistics, _ []int64) { p[2].NullCount = 3 }), "the index of page 2 of row group 0 tells of 3 NULLs"},
		"a page without values":         {pages(func(p []metadata.EncodedStatistics, _ []int64) { p[0] = metadata.EncodedStatistics{AllNullValue: true} }), "column eventjson: "},
		"the manifest's values":         {manifest(func(s *proof.Stats) { s.Values[id("errorcode")]++ }), "column errorcode: the table's metadata tells of"},
		"the manifest's NULLs":          {manifest(func(s *proof.Stats) { s.Nulls[id("sourceipaddress")] = s.Rows }), "column sourceipaddress: the table's metadata tells of"},
		"the manifest's least text":     {manifest(func(s *proof.Stats) { s.Lower[id("sourceipaddress")] = []byte("99") }), "column sourceipaddress: row "},
		"the manifest's greatest":       {manifest(func(s *proof.Stats) { s.Upper[id("eventtime")] = eight(1) }), "column eventtime: row 0 has a value above those that the table's metadata"},
		"a text of none as greatest":    {manifest(func(s *proof.Stats) { s.Upper[id("eventname")] = nil }), "column eventname: row 0 has a value above"},
		"the manifest's day":            {manifest(func(s *proof.Stats) { s.Day++ }), "and by the table's metadata the file's events are of"},
		"a field that there is not":     {manifest(func(s *proof.Stats) { s.Lower[4711] = []byte("x") }), "speaks of field 4711"},
		"numbers that are none":         {manifest(func(s *proof.Stats) { s.NaNs = map[int]int64{id("eventtime"): 2} }), "that are no numbers"},
		"a bound that the file has not": {manifest(func(s *proof.Stats) { delete(s.Lower, id("eventname")); delete(s.Upper, id("eventtime")) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := *right
			s.Values, s.Nulls, s.Lower, s.Upper = maps.Clone(s.Values), maps.Clone(s.Nulls), maps.Clone(s.Lower), maps.Clone(s.Upper)
			path := altered(t, whole, func(fm *metadata.FileMetaData, body []byte) []byte { return c.change(fm, body, &s) })
			problems := checkFile(t, path, &s)
			if c.want == "" && len(problems) > 0 || c.want != "" && !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("want %q, got %q", c.want, problems)
			}
		})
	}
}

// Of a file with several row groups each has its own say.
func TestWhatIsSaidOfRowGroups(t *testing.T) {
	lay := cloudTrail(t)
	rows := dayOfRows(t, 6000)
	one, _ := encoded(t, lay, rows[:2500])
	two, _ := encoded(t, lay, rows[2500:])
	path, s := rewritten(t, lay, 2000, one, two)
	if n := len(footerOf(t, path).RowGroups); n != 3 {
		t.Fatalf("%d row groups", n)
	}
	if problems := checkFile(t, path, s); len(problems) > 0 {
		t.Fatal(problems)
	}
	for g := range 3 {
		other := altered(t, path, func(fm *metadata.FileMetaData, body []byte) []byte {
			m := fm.RowGroups[g].Columns[lay.byPath["eventid"]].MetaData
			end := *m.BloomFilterOffset + int64(*m.BloomFilterLength)
			clear(body[end-32 : end])
			*fm.RowGroups[g].Columns[lay.byPath["errorcode"]].MetaData.Statistics.NullCount--
			return body
		})
		problems := strings.Join(checkFile(t, other, s), "\n")
		if strings.Count(problems, "\n") != 1 || !strings.Contains(problems, "column eventid: row ") ||
			!strings.Contains(problems, fmt.Sprintf("the bloom filter of row group %d", g)) || !strings.Contains(problems, fmt.Sprintf("column errorcode: the footer of row group %d tells of", g)) {
			t.Errorf("group %d: %s", g, problems)
		}
	}
}

// Bounds of numbers are in the order of their types.
func TestOrderOfBounds(t *testing.T) {
	float := func(f float64) []byte { return fixed(event.Double, int64(math.Float64bits(f))) }
	of := func(typ event.Type) *leaf { return &leaf{col: &event.Column{Type: typ}} }
	for _, c := range []struct {
		of   event.Type
		a, b []byte // in order
	}{
		{event.Double, float(-2), float(-1)},
		{event.Double, float(-1), float(math.Copysign(0, -1))},
		{event.Double, float(0), float(1e-300)},
		{event.Double, float(1), float(math.Inf(1))},
		{event.Int, fixed(event.Int, -5), fixed(event.Int, 3)},
		{event.Long, fixed(event.Long, math.MinInt64), fixed(event.Long, -1)},
	} {
		a, err1 := of(c.of).limit(c.a)
		b, err2 := of(c.of).limit(c.b)
		if err1 != nil || err2 != nil || !a.some || !b.some || a.num >= b.num {
			t.Errorf("%x is not below %x (%v, %v)", c.a, c.b, err1, err2)
		}
		if got := of(c.of).plain(a.num); !bytes.Equal(got, c.a) {
			t.Errorf("%x became %x", c.a, got)
		}
	}
	if minus, err := of(event.Double).limit(float(math.Copysign(0, -1))); err != nil || minus.num != 0 {
		t.Error("-0 is not 0", err)
	}
	if nan, err := of(event.Double).limit(float(math.NaN())); err != nil || nan.some {
		t.Error("NaN bounds something", err)
	}
	if _, err := of(event.Long).limit([]byte{1}); err == nil {
		t.Error("a byte is a long")
	}
}
