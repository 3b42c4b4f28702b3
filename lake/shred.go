package lake

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/lochlake/loch/event"
)

// column gathers the values of one leaf over the rows of one file. Texts are slices of the events' own memory.
type column struct {
	defs  []uint8
	reps  []uint8 // only where repeated
	texts [][]byte
	nums  []int64
	rows  int // where repeated: rows that have an entry
}

// begin gives a repeated leaf its entry for row r, with nothing in it: def says how much of the path to it is there.
func (c *column) begin(r int, def uint8) {
	if c.rows > r {
		c.defs[len(c.defs)-1] = def
		return
	}
	c.skip(r)
	c.defs, c.reps = append(c.defs, def), append(c.reps, 0)
	c.rows = r + 1
}

// skip fills in the rows before r in which nothing of the path was there.
func (c *column) skip(r int) {
	if n := r - c.rows; n > 0 {
		at := len(c.defs)
		c.defs, c.reps = grow(c.defs, n), grow(c.reps, n)
		clear(c.defs[at:])
		clear(c.reps[at:])
		c.rows = r
	}
}

// next gives room for one more entry in row r: the row's empty one, whose definition level is at most empty, or a new one.
func (c *column) next(r int, empty, def uint8) {
	if c.rows <= r {
		c.begin(r, def)
	} else if last := len(c.defs) - 1; c.defs[last] <= empty {
		c.defs[last] = def
	} else {
		c.defs, c.reps = append(c.defs, def), append(c.reps, 1)
	}
}

func grow(b []uint8, n int) []uint8 {
	if cap(b)-len(b) < n {
		b = append(make([]uint8, 0, 2*cap(b)+n), b...)
	}
	return b[:len(b)+n]
}

// shredder turns rows into columns, the way of Dremel: each leaf has its values, and levels that say where in the path to it
// something was missing (definition) or began again (repetition).
type shredder struct {
	lay   *layout
	cols  []column
	elems []int // by list: index of the last element of the present row
	n     int
}

func newShredder(lay *layout) *shredder {
	return &shredder{lay: lay, cols: make([]column, len(lay.leaves)), elems: make([]int, lay.lists)}
}

func (s *shredder) reset(rows int) {
	s.n = rows
	for i := range s.cols {
		c := &s.cols[i]
		clear(c.texts) // the events must not be kept alive
		c.texts, c.nums, c.defs, c.reps, c.rows = c.texts[:0], c.nums[:0], c.defs[:0], c.reps[:0], 0
		if !s.lay.leaves[i].repeated {
			c.defs = grow(c.defs, rows)
			clear(c.defs)
		}
	}
}

// shred fills the columns from rows, in the order of index.
func (s *shredder) shred(rows []Row, index []int32) error {
	s.reset(len(index))
	h := &s.lay.hidden
	for r, at := range index {
		row := &rows[at]
		ev := row.Event
		for i := range ev.Fields {
			f := &ev.Fields[i]
			if int(f.Node) >= len(s.lay.places) {
				return fmt.Errorf("event %s: field of unknown node %d", ev.ID, f.Node)
			}
			s.field(r, f)
		}
		s.text(h.text, r, ev.Text)
		s.num(h.time, r, ev.Time)
		s.num(h.epoch, r, row.Epoch)
		s.num(h.sequence, r, row.Sequence)
		s.num(h.position, r, int64(row.Position))
		s.num(h.accepted, r, row.Accepted)
		s.num(h.decoder, r, event.DecoderVersion)
		s.num(h.conflict, r, bit(row.Conflict))
		s.text(h.writer, r, bytesOf(row.Writer))
		s.text(h.provenance, r, bytesOf(row.Provenance))
	}
	return s.finish()
}

func (s *shredder) field(r int, f *event.Field) {
	p := &s.lay.places[f.Node]
	switch p.role {
	case roleScalar:
		lf, c := &s.lay.leaves[p.lo], &s.cols[p.lo]
		if lf.repeated {
			if c.rows <= r {
				c.begin(r, lf.maxDef)
			} else if c.defs[len(c.defs)-1] == lf.maxDef {
				c.drop(lf)
			}
			c.defs[len(c.defs)-1] = lf.maxDef
			c.add(lf, f)
			return
		}
		if p.lo == s.lay.hidden.time {
			return // the record's own time
		}
		if c.defs[r] == lf.maxDef {
			c.drop(lf) // the last of duplicate members wins
		}
		c.defs[r] = lf.maxDef
		c.add(lf, f)
	case roleStruct:
		for i := p.lo; i < p.hi; i++ {
			if c := &s.cols[i]; !s.lay.leaves[i].repeated {
				c.defs[r] = p.level
			} else {
				c.begin(r, p.level)
			}
		}
	case roleList:
		s.elems[p.list] = -1
		for i := p.lo; i < p.hi; i++ {
			s.cols[i].begin(r, p.level)
		}
	case roleElement:
		empty := p.level - 2 // the list's own level
		for ; s.elems[p.list] < int(f.Elem)-1; s.elems[p.list]++ {
			for i := p.lo; i < p.hi; i++ {
				s.cols[i].next(r, empty, p.level-1) // an element that is null
			}
		}
		s.elems[p.list] = int(f.Elem)
		for i := p.lo; i < p.hi; i++ {
			s.cols[i].next(r, empty, p.level)
		}
	case roleMap:
		for i := p.lo; i < p.hi; i++ {
			s.cols[i].begin(r, p.level)
		}
	case roleValue: // a map's value; its key is the leaf before
		k, v := &s.cols[p.lo-1], &s.cols[p.lo]
		k.next(r, p.level-2, p.level-1)
		k.texts = append(k.texts, f.Key)
		if f.Val == nil {
			v.next(r, p.level-2, p.level-1) // JSON null
			return
		}
		v.next(r, p.level-2, p.level)
		v.texts = append(v.texts, f.Val)
	}
}

func (c *column) add(lf *leaf, f *event.Field) {
	if lf.text() {
		c.texts = append(c.texts, f.Val)
	} else {
		c.nums = append(c.nums, f.Num)
	}
}

func (c *column) drop(lf *leaf) {
	if lf.text() {
		c.texts = c.texts[:len(c.texts)-1]
	} else {
		c.nums = c.nums[:len(c.nums)-1]
	}
}

func (s *shredder) text(leaf, r int, v []byte) {
	c := &s.cols[leaf]
	c.defs[r] = 1
	c.texts = append(c.texts, v)
}

func (s *shredder) num(leaf, r int, v int64) {
	c := &s.cols[leaf]
	c.defs[r] = 1
	c.nums = append(c.nums, v)
}

// finish completes repeated columns, and refuses columns whose levels and values do not agree: a reader would pair values with the wrong rows.
func (s *shredder) finish() error {
	for i := range s.cols {
		c, lf := &s.cols[i], &s.lay.leaves[i]
		if lf.repeated {
			c.skip(s.n)
		}
		values := len(c.nums)
		if lf.text() {
			values = len(c.texts)
		}
		if n := bytes.Count(c.defs, []byte{lf.maxDef}); n != values {
			return fmt.Errorf("column %s: %d values for %d places: fields of an event are out of order", lf.path, values, n)
		}
	}
	return nil
}

// bytesOf is the memory of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
