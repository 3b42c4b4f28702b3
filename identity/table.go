package identity

import "slices"

// table holds the newest keys in memory, in buckets by the high bits of their fingerprints. Several keys may share a fingerprint.
//
// Nearly every key is new. Entering it must not wait for memory, so it is appended to its bucket: as many places are written to as there are buckets, which the caches
// hold, where a hash table of the same size misses them with every key. Asking for it must not either, so a small filter, the sieve, comes first, which says
// of nearly all that they are not there; only what passes it has its bucket read. And buckets are nearly the order in which a run wants the keys.
type table struct {
	buckets [][]Key
	sieve   []uint64
	shift   uint // 64 less the bits of a bucket's number
	n       int
	first   int64 // least and greatest sequence of the records that brought the keys
	last    int64
}

const (
	firstTable  = 3   // bits of a bucket's number, to begin with
	bucketKeys  = 128 // on average, before there are twice as many buckets
	bucketRoom  = 170 // keys for which a bucket of a table that begins full-grown has room: 4 kB; of 10,000 buckets one or two have more
	bucketWords = 16  // of the sieve: 8 bits for each key
	sieveBits   = 6   // of a fingerprint, to choose a bit of a word
)

// newTable makes a table of 1 << bits buckets, to begin with.
func newTable(bits uint) *table {
	return &table{buckets: make([][]Key, 1<<bits), sieve: make([]uint64, bucketWords<<bits), shift: 64 - bits}
}

// sieved gives the fingerprint's word of the sieve, and its bits in it: by the lowest of the fingerprint, since the highest choose the word.
func (t *table) sieved(fp uint64) (word, bits uint64) {
	const mask = 1<<sieveBits - 1
	return fp >> (t.shift - 4), 1<<(fp&mask) | 1<<(fp>>sieveBits&mask) | 1<<(fp>>(2*sieveBits)&mask)
}

// mayHold is false where the fingerprint is not there.
func (t *table) mayHold(fp uint64) bool {
	word, bits := t.sieved(fp)
	return t.sieve[word]&bits == bits
}

// warm reads what find and add are going to: in a loop of nothing else the processor waits for many of the caches' misses at once, between the steps of a check for one after the other. The sum is for nothing.
func (t *table) warm(keys []Key) (sum uint64) {
	for i := range keys {
		word, _ := t.sieved(keys[i].fp)
		sum += t.sieve[word]
		if b := t.buckets[keys[i].fp>>t.shift]; len(b) < cap(b) {
			sum += b[:len(b)+1][len(b)].fp
		}
	}
	return sum
}

// find tells whether the fingerprint is there, and whether the key itself is.
func (t *table) find(k Key) (fp, exact bool) {
	if !t.mayHold(k.fp) {
		return false, false
	}
	bucket := t.buckets[k.fp>>t.shift]
	for i := range bucket {
		if bucket[i].fp == k.fp {
			fp = true
			if bucket[i].hash == k.hash {
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
	if t.n > bucketKeys*len(t.buckets) {
		t.split()
	}
	t.place(k)
}

func (t *table) place(k Key) {
	word, bits := t.sieved(k.fp)
	t.sieve[word] |= bits
	bucket := &t.buckets[k.fp>>t.shift]
	if *bucket == nil {
		*bucket = make([]Key, 0, bucketRoom)
	}
	*bucket = append(*bucket, k)
}

// split makes two buckets of each.
func (t *table) split() {
	old := t.buckets
	*t = table{buckets: make([][]Key, 2*len(old)), sieve: make([]uint64, 2*len(t.sieve)), shift: t.shift - 1, n: t.n, first: t.first, last: t.last}
	for i, bucket := range old {
		for _, k := range bucket {
			t.place(k)
		}
		old[i] = nil
	}
}

// sorted gives the keys in order.
func (t *table) sorted() []Key {
	keys := make([]Key, 0, t.n)
	for _, bucket := range t.buckets {
		from := len(keys)
		keys = append(keys, bucket...)
		slices.SortFunc(keys[from:], compare)
	}
	return keys
}
