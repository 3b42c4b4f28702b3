package lake

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// A dictionary is given up when it grows beyond these: the indices would save little over the values.
const (
	dictMostBytes  = 512 << 10
	dictSample     = 2048 // after so many values
	dictMostShare  = 0.6  // no more of them than this may be distinct
	dictFirstTable = 1 << 10
)

// dictionary numbers distinct texts in the order of their first use.
type dictionary struct {
	seed    maphash.Seed
	table   []uint32 // entry index + 1, by hash; a power of two long
	hashes  []uint64
	entries [][]byte
	indices []uint32
	bytes   int
}

func newDictionary() *dictionary { return &dictionary{seed: maphash.MakeSeed()} }

// build fills the dictionary from texts, and tells whether it is worth having.
func (d *dictionary) build(texts [][]byte) bool {
	if d.table == nil || len(d.table) > 1<<16 {
		d.table = make([]uint32, dictFirstTable)
	}
	d.reset()
	d.indices = slices.Grow(d.indices[:0], len(texts))[:len(texts)]
	var last []byte
	lastIndex := uint32(0)
	for i, t := range texts {
		if i > 0 && bytes.Equal(t, last) {
			d.indices[i] = lastIndex
			continue
		}
		lastIndex, last = d.index(t), t
		d.indices[i] = lastIndex
		if len(d.entries) > dictSample && (d.bytes > dictMostBytes || float64(len(d.entries)) > dictMostShare*float64(i+1)) {
			return false
		}
	}
	return len(d.entries) < len(texts) || len(texts) == 1
}

// reset forgets the entries, and with them the memory they lie in.
func (d *dictionary) reset() {
	clear(d.table)
	clear(d.entries)
	d.hashes, d.entries, d.bytes = d.hashes[:0], d.entries[:0], 0
}

func (d *dictionary) index(t []byte) uint32 {
	h := maphash.Bytes(d.seed, t)
	mask := uint64(len(d.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		e := d.table[at]
		if e == 0 {
			d.table[at] = uint32(len(d.entries) + 1)
			d.hashes = append(d.hashes, h)
			d.entries = append(d.entries, t)
			d.bytes += len(t) + 4
			if 2*len(d.entries) > len(d.table) {
				d.grow()
			}
			return uint32(len(d.entries) - 1)
		}
		if d.hashes[e-1] == h && bytes.Equal(d.entries[e-1], t) {
			return e - 1
		}
	}
}

func (d *dictionary) grow() {
	d.table = make([]uint32, 4*len(d.table))
	mask := uint64(len(d.table) - 1)
	for i, h := range d.hashes {
		at := h & mask
		for d.table[at] != 0 {
			at = (at + 1) & mask
		}
		d.table[at] = uint32(i + 1)
	}
}
