package lake

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/proof"
)

// Planning and engines leave rows out by what is said of them: statistics, bloom filters and page indexes in the file, counts and bounds in the table's manifests. What says less than the
// rows hold would hide an event from a query, though its row is whole.

// claim is what is said of a column's values in a run of rows.
type claim struct {
	by           string // what says it
	end          int64  // the row behind the last
	places       int64  // values, NULLs among them; -1: not told
	nulls        int64  // -1: not told
	lower, upper limit
	filter       []byte // bits of a bloom filter; nil: none

	places0, values0 int64 // how many the column had before the first row
	refuted          bool  // by a value, which is told once
}

// limit is a bound on a column's values.
type limit struct {
	some bool
	text []byte
	num  int64 // of what is no text, in the order of its type
}

// holder holds a column's claims against its values, which come in the order of rows.
type holder struct {
	leaf   *leaf
	tracks [][]claim // of each kind, in the order of rows; the first is about the present row
	until  int64     // the first row of which another claim speaks
	places int64     // so far
	values int64     // those that are not NULL
	tell   func(format string, args ...any)

	// What the present claims say together.
	lower, upper limit
	filters      [][]byte
}

// cell holds what the column has in a row.
func (h *holder) cell(row int64, v *cell) {
	if row >= h.until {
		h.advance(row)
	}
	h.places += int64(len(v.defs))
	if !h.leaf.text() {
		for _, n := range v.nums {
			h.values++
			if n, ok := h.leaf.ordered(n); ok && (h.lower.some && n < h.lower.num || h.upper.some && n > h.upper.num || h.filters != nil) {
				h.refute(row, nil, n)
			}
		}
		return
	}
	for raw := v.raw; len(raw) > 0; {
		end := 4 + binary.LittleEndian.Uint32(raw)
		t := raw[4:end]
		raw = raw[end:]
		h.values++
		if h.lower.some && bytes.Compare(t, h.lower.text) < 0 || h.upper.some && bytes.Compare(t, h.upper.text) > 0 || h.filters != nil && !h.mayHave(t) {
			h.refute(row, t, 0)
		}
	}
}

func (h *holder) mayHave(t []byte) bool {
	sum := bloomHasher.Sum64(t)
	for _, bits := range h.filters {
		if !bloomHas(bits, sum) {
			return false
		}
	}
	return true
}

// ordered gives a number such that its order is that of the values; not ok for NaN, which has no place in it.
func (l *leaf) ordered(n int64) (int64, bool) {
	if l.col.Type != event.Double {
		return n, true
	}
	f := math.Float64frombits(uint64(n))
	if f == 0 {
		return 0, true // also -0
	}
	if n < 0 {
		n ^= math.MaxInt64
	}
	return n, f == f
}

// advance ends the claims that do not speak of the row any more, and brings together what the others say.
func (h *holder) advance(row int64) {
	h.until = math.MaxInt64
	for i, t := range h.tracks {
		for len(t) > 0 && row >= t[0].end {
			h.close(&t[0])
			if t = t[1:]; len(t) > 0 {
				t[0].places0, t[0].values0 = h.places, h.values
			}
		}
		if h.tracks[i] = t; len(t) > 0 {
			h.until = min(h.until, t[0].end)
		}
	}
	h.gather()
}

// gather brings together what the present claims say that no value refuted yet.
func (h *holder) gather() {
	h.lower, h.upper, h.filters = limit{}, limit{}, nil
	for _, t := range h.tracks {
		if len(t) == 0 || t[0].refuted {
			continue
		}
		c := &t[0]
		if c.lower.some && (!h.lower.some || h.compare(c.lower, h.lower) > 0) {
			h.lower = c.lower
		}
		if c.upper.some && (!h.upper.some || h.compare(c.upper, h.upper) < 0) {
			h.upper = c.upper
		}
		if c.filter != nil {
			h.filters = append(h.filters, c.filter)
		}
	}
}

func (h *holder) compare(a, b limit) int {
	return cmp.Or(bytes.Compare(a.text, b.text), cmp.Compare(a.num, b.num))
}

// refute tells which claims a value refutes.
func (h *holder) refute(row int64, text []byte, num int64) {
	v := limit{text: text, num: num}
	for _, t := range h.tracks {
		if len(t) == 0 || t[0].refuted {
			continue
		}
		c := &t[0]
		sum := bloomHasher.Sum64(text)
		if !h.leaf.text() {
			sum = bloomHasher.Sum64(h.leaf.plain(num))
		}
		switch {
		case c.lower.some && h.compare(v, c.lower) < 0:
			h.tell("column %s: row %d has a value below those that %s tells of: queries would miss it", h.leaf.path, row, c.by)
		case c.upper.some && h.compare(v, c.upper) > 0:
			h.tell("column %s: row %d has a value above those that %s tells of: queries would miss it", h.leaf.path, row, c.by)
		case c.filter != nil && !bloomHas(c.filter, sum):
			h.tell("column %s: row %d has a value that %s does not have: queries would miss it", h.leaf.path, row, c.by)
		default:
			continue
		}
		c.refuted = true
	}
	h.gather()
}

// plain is an ordered number as PLAIN encoding has it.
func (l *leaf) plain(n int64) []byte {
	if l.col.Type == event.Double && n < 0 {
		n ^= math.MaxInt64
	}
	return fixed(l.col.Type, n)
}

// close compares what was said of the numbers of values.
func (h *holder) close(c *claim) {
	places, nulls := h.places-c.places0, h.places-c.places0-(h.values-c.values0)
	if c.places >= 0 && c.places != places {
		h.tell("column %s: %s tells of %d values, and there are %d", h.leaf.path, c.by, c.places, places)
	}
	if c.nulls >= 0 && c.nulls != nulls {
		h.tell("column %s: %s tells of %d NULLs, and there are %d", h.leaf.path, c.by, c.nulls, nulls)
	}
}

// finish ends what is left of the claims, behind the last row.
func (h *holder) finish() { h.advance(math.MaxInt64) }

// limit reads a bound as statistics and manifests have it.
func (l *leaf) limit(raw []byte) (limit, error) {
	if raw == nil {
		return limit{}, nil
	}
	var n int64
	switch t := l.col.Type; {
	case l.text():
		return limit{some: true, text: raw}, nil
	case t == event.Boolean && len(raw) == 1:
		n = int64(raw[0])
	case t == event.Int && len(raw) == 4:
		n = int64(int32(binary.LittleEndian.Uint32(raw)))
	case (t == event.Long || t == event.Timestamp || t == event.Double) && len(raw) == 8:
		n = int64(binary.LittleEndian.Uint64(raw))
	default:
		return limit{}, fmt.Errorf("a bound of %d bytes is none of its type", len(raw))
	}
	n, some := l.ordered(n)
	return limit{some: some, num: n}, nil
}

// bounded sets a claim's bounds.
func (c *claim) bounded(l *leaf, lower, upper []byte) (err error) {
	var errs [2]error
	c.lower, errs[0] = l.limit(lower)
	c.upper, errs[1] = l.limit(upper)
	return errors.Join(errs[:]...)
}

// claims gathers what is said of each column: by the file, and by the table's metadata, nil where that is not known.
func (c *checker) claims(said *proof.Stats) error {
	f, err := os.Open(c.src.path)
	if err != nil {
		return err
	}
	defer f.Close()
	c.held = make([]holder, len(c.w.lay.leaves))
	for leaf := range c.held {
		h := &c.held[leaf]
		h.leaf, h.tell = &c.w.lay.leaves[leaf], c.tell
		if said != nil {
			if err := h.manifest(said, c.src.starts[len(c.src.starts)-1]); err != nil {
				c.tell("column %s: %v", h.leaf.path, err)
			}
		}
		if c.src.leaves[leaf] < 0 {
			continue
		}
		if err := h.footer(f, c.src, c.src.leaves[leaf]); err != nil {
			c.tell("column %s: %v", h.leaf.path, err)
		}
	}
	if said != nil {
		c.strangers(said)
	}
	return nil
}

const manifestSays = "the table's metadata"

// manifest takes up what the table's metadata says of the file.
func (h *holder) manifest(said *proof.Stats, rows int64) error {
	id := h.leaf.col.ID
	c := claim{by: manifestSays, end: rows, places: -1, nulls: -1}
	if n, ok := said.Values[id]; ok {
		c.places = n
	}
	if n, ok := said.Nulls[id]; ok {
		c.nulls = n
	}
	bound := func(m map[int][]byte) []byte {
		b, ok := m[id]
		if ok && b == nil {
			b = []byte{} // the empty text
		}
		return b
	}
	err := c.bounded(h.leaf, bound(said.Lower), bound(said.Upper))
	h.tracks = append(h.tracks, []claim{c})
	return err
}

// strangers tells of fields that the table's metadata speaks of and that are no columns with values.
func (c *checker) strangers(said *proof.Stats) {
	told := map[int]bool{}
	stranger := func(id int) {
		if _, ok := c.w.lay.byID[int32(id)]; !ok && !told[id] {
			told[id] = true
			c.tell("%s speaks of field %d, which has no values", manifestSays, id)
		}
	}
	for _, m := range [...]map[int]int64{said.Values, said.Nulls, said.NaNs} {
		for id := range m {
			stranger(id)
		}
	}
	for _, m := range [...]map[int][]byte{said.Lower, said.Upper} {
		for id := range m {
			stranger(id)
		}
	}
	for id, n := range said.NaNs {
		if n != 0 { // JSON has none
			c.tell("%s tells of %d values of field %d that are no numbers", manifestSays, n, id)
		}
	}
}

// footer takes up what the file says of its column of that number.
func (h *holder) footer(f *os.File, s *source, column int) error {
	var groups, before, filters, pages []claim
	for g, rg := range s.meta.RowGroups {
		m := rg.Columns[column].MetaData
		said := func(what string) claim {
			return claim{by: fmt.Sprintf("%s of row group %d", what, g), end: s.starts[g+1], places: -1, nulls: -1}
		}
		now, old, filter := said("the footer"), said("the footer, in its old form,"), said("the bloom filter")
		now.places = m.NumValues
		if st := m.Statistics; st != nil {
			if st.NullCount != nil {
				now.nulls = *st.NullCount
			}
			if err := errors.Join(now.bounded(h.leaf, st.MinValue, st.MaxValue), old.bounded(h.leaf, st.Min, st.Max)); err != nil {
				return fmt.Errorf("the statistics of row group %d: %w", g, err)
			}
		}
		if m.BloomFilterOffset != nil {
			var n int32
			if m.BloomFilterLength != nil {
				n = *m.BloomFilterLength
			}
			raw, err := readPart(f, *m.BloomFilterOffset, n)
			if err == nil {
				filter.filter, err = bloomBits(raw)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", filter.by, err)
			}
		}
		of, err := h.pages(f, s, g, column)
		if err != nil {
			return fmt.Errorf("the page index of row group %d: %w", g, err)
		}
		groups, before, filters, pages = append(groups, now), append(before, old), append(filters, filter), append(pages, of...)
	}
	h.tracks = append(h.tracks, groups)
	for _, t := range [][]claim{before, filters, pages} {
		if slices.ContainsFunc(t, func(c claim) bool { return c.lower.some || c.upper.some || c.filter != nil || c.nulls >= 0 }) {
			h.tracks = append(h.tracks, t)
		}
	}
	return nil
}

// readPart reads a part of a file that its footer names.
func readPart(f *os.File, off int64, n int32) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if off < 0 || n <= 0 || off+int64(n) > info.Size() {
		return nil, fmt.Errorf("it would be %d bytes at %d of a file of %d", n, off, info.Size())
	}
	b := make([]byte, n)
	_, err = f.ReadAt(b, off)
	return b, err
}
