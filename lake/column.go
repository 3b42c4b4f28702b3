package lake

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// column gathers one leaf over the rows of a file: levels, and values in the form that a page has them. An event's texts are numbered or copied
// as the event passes, while it is in the processor's cache, and nothing of it is kept.
type column struct {
	leaf *leaf
	defs []uint8
	reps []uint8 // only where repeated
	rows int     // where repeated: rows that have an entry
	from int     // entries that lie in finished pages

	count    int     // values, those in finished pages included
	nums     []int64 // values that are no texts
	numbered bool    // texts are numbers of the dictionary
	dict     *dictionary
	index    []uint32
	raw      []byte // texts one after another, each behind its length in four bytes (PLAIN), where they are not numbered
	last     int    // where the last of them begins

	done chunk // finished pages
	some bool  // lower and upper are set
	// The least and the greatest text of finished pages, and their hashes for a bloom filter.
	lower, upper []byte
	hashes       []uint64
}

func newColumn(lf *leaf) column {
	c := column{leaf: lf}
	if lf.dict {
		c.dict = newDictionary()
	}
	return c
}

func (c *column) reset(rows int) {
	c.defs, c.reps, c.nums, c.index, c.raw = c.defs[:0], c.reps[:0], c.nums[:0], c.index[:0], c.raw[:0]
	c.lower, c.upper, c.hashes, c.some = c.lower[:0], c.upper[:0], c.hashes[:0], false
	c.rows, c.from, c.count = 0, 0, 0
	c.done.reset()
	if !c.leaf.repeated {
		c.defs = grow(c.defs, rows)
		clear(c.defs)
	}
	if c.numbered = c.leaf.dict; c.numbered {
		c.dict.reset()
	}
}

func (c *column) text(v []byte) {
	c.count++
	if c.numbered {
		if n, ok := c.dict.number(v, c.count); ok {
			c.index = append(c.index, n)
			return
		}
		c.spell()
	}
	c.last = len(c.raw)
	c.raw = binary.LittleEndian.AppendUint32(c.raw, uint32(len(v)))
	c.raw = append(c.raw, v...)
}

// spell gives the dictionary up: its numbers become the texts that they stand for.
func (c *column) spell() {
	c.numbered = false
	for _, n := range c.index {
		c.raw = append(c.raw, c.dict.plain(n)...)
	}
	c.index = c.index[:0]
}

func (c *column) num(v int64) {
	c.count++
	c.nums = append(c.nums, v)
}

// drop takes back the last value, which no other followed.
func (c *column) drop() {
	c.count--
	switch {
	case !c.leaf.text():
		c.nums = c.nums[:len(c.nums)-1]
	case c.numbered:
		c.index = c.index[:len(c.index)-1]
	default:
		c.raw = c.raw[:c.last]
	}
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

func grow(b []uint8, n int) []uint8 { return slices.Grow(b, n)[:len(b)+n] }

// each calls fn for every text of raw.
func each(raw []byte, fn func([]byte)) {
	for len(raw) > 0 {
		n := 4 + int(binary.LittleEndian.Uint32(raw))
		fn(raw[4:n])
		raw = raw[n:]
	}
}

// survey enters texts that are about to be written into the column's bounds and hashes.
func (c *column) survey(raw []byte) {
	if !c.leaf.bounds && !c.leaf.bloom || len(raw) == 0 {
		return
	}
	var lo, hi []byte
	if c.some {
		lo, hi = c.lower, c.upper
	} else {
		n := 4 + int(binary.LittleEndian.Uint32(raw))
		lo, hi = raw[4:n], raw[4:n]
	}
	each(raw, func(t []byte) {
		if bytes.Compare(t, lo) < 0 {
			lo = t
		} else if bytes.Compare(t, hi) > 0 {
			hi = t
		}
		if c.leaf.bloom {
			c.hashes = append(c.hashes, bloomHasher.Sum64(t))
		}
	})
	// Two steps, since lo or hi may be the other's old memory.
	lo, hi = bytes.Clone(lo), bytes.Clone(hi)
	c.lower, c.upper, c.some = lo, hi, true
}
