package lake

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// A dictionary is given up when it grows beyond these: the numbers would save little over the texts.
const (
	dictMostBytes  = 512 << 10
	dictSample     = 2048 // after so many distinct texts
	dictMostShare  = 0.6  // no more of the values than this may be distinct
	dictFirstTable = 1 << 8
)

// dictionary numbers distinct texts in the order of their first use. It has its own copies, as its page has them.
type dictionary struct {
	seed   maphash.Seed
	table  []uint32 // number + 1, by hash; a power of two long
	hashes []uint64
	starts []uint32 // where each begins in page
	page   []byte   // texts, each behind its length in four bytes
	recent uint32   // the number given last
}

func newDictionary() *dictionary {
	return &dictionary{seed: maphash.MakeSeed(), table: make([]uint32, dictFirstTable)}
}

func (d *dictionary) reset() {
	if len(d.table) > 16*max(len(d.starts), dictFirstTable) {
		d.table = make([]uint32, dictFirstTable)
	} else {
		clear(d.table)
	}
	d.hashes, d.starts, d.page, d.recent = d.hashes[:0], d.starts[:0], d.page[:0], 0
}

func (d *dictionary) size() int { return len(d.starts) }

// plain is the text of a number behind its length.
func (d *dictionary) plain(n uint32) []byte {
	at := d.starts[n]
	return d.page[at : at+4+binary.LittleEndian.Uint32(d.page[at:])]
}

// number gives the text's number, of count values so far. It is not ok where the dictionary is not worth having any more.
func (d *dictionary) number(t []byte, count int) (n uint32, ok bool) {
	if len(d.starts) > 0 && bytes.Equal(d.plain(d.recent)[4:], t) {
		return d.recent, true
	}
	h := maphash.Bytes(d.seed, t)
	mask := uint64(len(d.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		e := d.table[at]
		if e == 0 {
			d.table[at] = uint32(len(d.starts) + 1)
			break
		}
		if d.hashes[e-1] == h && bytes.Equal(d.plain(e - 1)[4:], t) {
			d.recent = e - 1
			return d.recent, true
		}
	}
	if len(d.starts) > dictSample && (len(d.page) > dictMostBytes || float64(len(d.starts)) > dictMostShare*float64(count)) {
		return 0, false
	}
	d.recent = uint32(len(d.starts))
	d.hashes = append(d.hashes, h)
	d.starts = append(d.starts, uint32(len(d.page)))
	d.page = binary.LittleEndian.AppendUint32(d.page, uint32(len(t)))
	d.page = append(d.page, t...)
	if 2*len(d.starts) > len(d.table) {
		d.grow()
	}
	return d.recent, true
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
