package identity

import "slices"

// table holds the newest keys in memory: open addressing with linear probing, no deletion. Several keys may share a fingerprint.
// Fingerprints are uniform; 0 marks an empty slot and is kept apart. A key's slot is given by the high bits of its fingerprint, so that
// the slots are nearly in order already when they are to be sorted.
//
// Most keys are new, and a look at a slot far from the last one is a cache miss. So a small filter comes first, which says of nearly all of them that they
// are not there: a word for eight slots, three bits of it for a key.
type table struct {
	slots []Key
	sieve []uint64
	shift uint  // 64 less the bits of a slot's number
	zero  []Key // keys with fingerprint 0
	n     int
	first int64 // least and greatest sequence of the records that brought the keys
	last  int64
}

// newTable makes a table of 1 << bits slots, to begin with.
func newTable(bits uint) *table {
	return &table{slots: make([]Key, 1<<bits), sieve: make([]uint64, 1<<bits/sieveSlots), shift: 64 - bits}
}

const (
	firstTable = 10 // bits
	sieveSlots = 8  // for each word of the sieve
)

// sieved gives the fingerprint's word of the sieve, and its bits in it: by the lowest of the fingerprint, since the highest choose the word.
func (t *table) sieved(fp uint64) (word, bits uint64) {
	return fp >> t.shift / sieveSlots, 1<<(fp&63) | 1<<(fp>>6&63) | 1<<(fp>>12&63)
}

// find tells whether the fingerprint is there, and whether the key itself is.
func (t *table) find(k Key) (fp, exact bool) {
	if k.fp == 0 {
		return len(t.zero) > 0, slices.Contains(t.zero, k)
	}
	if word, bits := t.sieved(k.fp); t.sieve[word]&bits != bits {
		return false, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := k.fp >> t.shift; t.slots[i].fp != 0; i = (i + 1) & mask {
		if t.slots[i].fp == k.fp {
			fp = true
			if t.slots[i].hash == k.hash {
				return true, true
			}
		}
	}
	return fp, false
}

// add adds a key that find did not find, of a record whose sequence lies between first and last.
func (t *table) add(k Key, first, last int64) {
	if t.n == 0 {
		t.first = first
	}
	t.first, t.last = min(t.first, first), max(t.last, last)
	t.n++
	if k.fp == 0 {
		t.zero = append(t.zero, k)
		return
	}
	if t.n > len(t.slots)/4*3 {
		old := t.slots
		t.slots = make([]Key, 2*len(old))
		t.sieve = make([]uint64, 2*len(t.sieve))
		t.shift--
		for _, o := range old {
			if o.fp != 0 {
				t.place(o)
			}
		}
	}
	t.place(k)
}

func (t *table) place(k Key) {
	word, bits := t.sieved(k.fp)
	t.sieve[word] |= bits
	mask := uint64(len(t.slots) - 1)
	i := k.fp >> t.shift
	for t.slots[i].fp != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = k
}

// sorted gives the keys in order.
func (t *table) sorted() []Key {
	keys := make([]Key, 0, t.n)
	keys = append(keys, t.zero...)
	slices.SortFunc(keys, compare)
	var wrapped []Key // probing went over the end: these come last
	for i, k := range t.slots {
		switch {
		case k.fp == 0:
		case k.fp>>t.shift > uint64(i):
			wrapped = append(wrapped, k)
		default:
			keys = append(keys, k)
		}
	}
	keys = append(keys, wrapped...)
	for i := 1; i < len(keys); i++ { // insertion: no key is farther from its place than its cluster is long
		for j := i; j > 0 && compare(keys[j-1], keys[j]) > 0; j-- {
			keys[j-1], keys[j] = keys[j], keys[j-1]
		}
	}
	return keys
}
