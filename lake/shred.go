package lake

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/lochlake/loch/event"
)

// shredder turns rows into columns, the way of Dremel: each leaf has its values, and levels that say where in the path to it
// something was missing (definition) or began again (repetition).
type shredder struct {
	lay   *layout
	cols  []column
	elems []int // by list: index of the last element of the present row
	n     int
	full  func(c *column, entries int) // called when a column's texts are a page's worth, with the entries that the page has
}

func newShredder(lay *layout, full func(*column, int)) *shredder {
	s := &shredder{lay: lay, elems: make([]int, lay.lists), full: full}
	for i := range lay.leaves {
		s.cols = append(s.cols, newColumn(&lay.leaves[i]))
	}
	return s
}

// shred fills the columns from rows, in the order of index.
func (s *shredder) shred(rows []Row, index []int32) error {
	s.n = len(index)
	for i := range s.cols {
		s.cols[i].reset(s.n)
	}
	h := &s.lay.hidden
	for r, at := range index {
		row := &rows[at]
		ev := row.Event
		for i := range ev.Fields {
			f := &ev.Fields[i]
			if int(f.Node) >= len(s.lay.places) {
				return fmt.Errorf("event %s: field of unknown node %d", ev.ID, f.Node)
			}
			s.field(r, ev, f)
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

func (s *shredder) field(r int, ev *event.Record, f *event.Field) {
	p := &s.lay.places[f.Node]
	switch p.role {
	case roleScalar:
		c := &s.cols[p.lo]
		if c.leaf.repeated {
			s.element(c, r, ev, f)
			return
		}
		switch {
		case p.lo == s.lay.hidden.time:
			return // the record's own time
		case c.defs[r] == c.leaf.maxDef:
			c.drop() // the last of duplicate members wins
		case len(c.raw) >= c.leaf.page:
			s.full(c, r)
		}
		c.defs[r] = c.leaf.maxDef
		c.add(ev, f)
	case roleStruct:
		for i := p.lo; i < p.hi; i++ {
			if c := &s.cols[i]; !c.leaf.repeated {
				c.defs[r] = p.level
			} else {
				c.begin(r, p.level)
			}
		}
	case roleList:
		s.elems[p.list] = -1
		for i := p.lo; i < p.hi; i++ {
			s.row(&s.cols[i], r, p.level)
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
			s.row(&s.cols[i], r, p.level)
		}
	case roleValue: // a map's value; its key is the leaf before
		k, v := &s.cols[p.lo-1], &s.cols[p.lo]
		k.next(r, p.level-2, p.level-1)
		k.text(ev.Key(f))
		val := ev.Val(f)
		if val == nil {
			v.next(r, p.level-2, p.level-1) // JSON null
			return
		}
		v.next(r, p.level-2, p.level)
		v.text(val)
	}
}

// row begins row r of a list or map that is there, after finishing a page if there is enough for one.
func (s *shredder) row(c *column, r int, def uint8) {
	if len(c.raw) >= c.leaf.page && c.rows <= r {
		s.full(c, len(c.defs))
	}
	c.begin(r, def)
}

// element enters a scalar of a list's element.
func (s *shredder) element(c *column, r int, ev *event.Record, f *event.Field) {
	if c.rows <= r {
		c.begin(r, c.leaf.maxDef)
	} else if c.defs[len(c.defs)-1] == c.leaf.maxDef {
		c.drop()
	}
	c.defs[len(c.defs)-1] = c.leaf.maxDef
	c.add(ev, f)
}

func (c *column) add(ev *event.Record, f *event.Field) {
	if c.leaf.text() {
		c.text(ev.Val(f))
	} else {
		c.num(f.Num)
	}
}

func (s *shredder) text(leaf, r int, v []byte) {
	c := &s.cols[leaf]
	if len(c.raw) >= c.leaf.page {
		s.full(c, r)
	}
	c.defs[r] = 1
	c.text(v)
}

func (s *shredder) num(leaf, r int, v int64) {
	c := &s.cols[leaf]
	c.defs[r] = 1
	c.num(v)
}

// finish completes repeated columns, and refuses columns whose levels and values do not agree: a reader would pair values with the wrong rows.
func (s *shredder) finish() error {
	for i := range s.cols {
		c := &s.cols[i]
		if c.leaf.repeated {
			c.skip(s.n)
		}
		if n := bytes.Count(c.defs, []byte{c.leaf.maxDef}); n != c.count {
			return fmt.Errorf("column %s: %d values for %d places: fields of an event are out of order", c.leaf.path, c.count, n)
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
