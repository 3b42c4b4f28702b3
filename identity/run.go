package identity

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"runtime/debug"
	"slices"

	"github.com/lochlake/loch/disk"
)

// A run is an immutable file of entries in order. Integers are little-endian; the parts follow one another:
//
//	filter   blocks of 64 bytes, padded to a multiple of 4096
//	entries  24 bytes each: fingerprint uint64, then the first 16 bytes of the text's SHA-256; sorted by both
//	buckets  8 bytes each: number of entries before the bucket uint32, CRC32C of the bucket's entries uint32
//	footer   64 bytes
//
// Fingerprints are uniform, so a bucket is simply those that begin with the same bits, and filter block and bucket are found by
// arithmetic. Both are monotone in the fingerprint: a run is written front to back in one pass, with no more memory than its buckets (6 MB for
// 100 million entries).
//
// Checks: footer, filter and buckets when a run is opened; each bucket's entries every time that it is read.
const (
	runMagic   = "LOCHIDX1"
	entrySize  = 24
	blockSize  = 64
	pageSize   = 4096
	footerSize = 64
	bucketSize = 8
	// perBucket is how many entries a bucket has on average: 3 KB, one read of one or two pages.
	perBucket = 128
	// bitsPerKey of the filter. With 7 bits set in one block of 512, about 0.7 % of absent keys pass.
	bitsPerKey = 12
	probes     = 7
	maxRun     = 1<<32 - 1
)

var le = binary.LittleEndian

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorrupt: what the disk gave is not what was written. The index must be made anew from the table.
var ErrCorrupt = errors.New("identity index is corrupt")

func compare(a, b Key) int {
	if c := cmp.Compare(a.fp, b.fp); c != 0 {
		return c
	}
	return bytes.Compare(a.hash[:], b.hash[:])
}

// blockOf is which of n blocks a fingerprint belongs to.
func blockOf(fp, n uint64) uint64 {
	hi, _ := bits.Mul64(fp, n)
	return hi
}

// spread gives the bits from which the places within a block come. The fingerprint's high bits chose the block, so they are mixed.
func spread(fp uint64) uint64 {
	fp *= 0x9e3779b97f4a7c15
	return fp ^ fp>>32
}

func setBits(block *[8]uint64, fp uint64) {
	h := spread(fp)
	for range probes {
		block[h>>6&7] |= 1 << (h & 63)
		h >>= 9
	}
}

type run struct {
	name    string
	file    disk.File
	count   uint64
	blocks  uint64
	shift   uint // a bucket is the fingerprint shifted right by this
	entries int64
	mapped  disk.Mapping // the filter
	buckets []byte       // with one more than there are, whose count is that of all entries
}

// runWriter writes a run from keys that come in order.
type runWriter struct {
	file    disk.File
	run     run
	block   [8]uint64
	current uint64 // block being filled
	filter  section
	body    section
	bucket  uint64
	crc     uint32 // of the bucket's entries
	last    Key
}

// section is a buffered part of a file, with the CRC of what went in.
type section struct {
	file disk.File
	off  int64
	buf  []byte
	crc  uint32
}

func (s *section) flush() error {
	if _, err := s.file.WriteAt(s.buf, s.off); err != nil {
		return err
	}
	s.off += int64(len(s.buf))
	s.buf = s.buf[:0]
	return nil
}

func (s *section) full() bool { return len(s.buf) > 1<<18 }

// newRunWriter begins a run of at most most keys.
func newRunWriter(fsys disk.FS, name string, most uint64) (*runWriter, error) {
	if most > maxRun {
		return nil, fmt.Errorf("a run of %d identities is beyond its bound", most)
	}
	f, err := fsys.Create(name)
	if err != nil {
		return nil, err
	}
	blocks := max(1, (most*bitsPerKey+511)/512)
	prefix := uint(0) // bits of a bucket's number
	for most>>prefix > perBucket {
		prefix++
	}
	w := &runWriter{file: f, run: run{name: name, blocks: blocks, shift: 64 - prefix}}
	w.run.entries = int64((blocks*blockSize + pageSize - 1) / pageSize * pageSize)
	w.filter = section{file: f}
	w.body = section{file: f, off: w.run.entries}
	w.run.buckets = le.AppendUint32(w.run.buckets, 0)
	return w, nil
}

func (w *runWriter) add(k Key) error {
	if w.run.count > 0 {
		c := compare(w.last, k)
		if c == 0 {
			return nil
		}
		if c > 0 {
			return fmt.Errorf("%w: entries out of order", ErrCorrupt)
		}
	}
	w.last = k
	for b := blockOf(k.fp, w.run.blocks); w.current < b; {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	setBits(&w.block, k.fp)
	// Shifting by 64 gives 0 in Go: with one bucket all is in it.
	for b := k.fp >> w.run.shift; w.bucket < b; {
		w.endBucket()
	}
	at := len(w.body.buf)
	w.body.buf = le.AppendUint64(w.body.buf, k.fp)
	w.body.buf = append(w.body.buf, k.hash[:]...)
	w.crc = crc32.Update(w.crc, castagnoli, w.body.buf[at:])
	w.run.count++
	if w.body.full() {
		return w.body.flush()
	}
	return nil
}

func (w *runWriter) endBlock() error {
	for _, word := range w.block {
		w.filter.buf = le.AppendUint64(w.filter.buf, word)
	}
	w.block = [8]uint64{}
	w.current++
	if w.filter.full() {
		w.filter.crc = crc32.Update(w.filter.crc, castagnoli, w.filter.buf)
		return w.filter.flush()
	}
	return nil
}

func (w *runWriter) endBucket() {
	w.run.buckets = le.AppendUint32(w.run.buckets, w.crc)
	w.run.buckets = le.AppendUint32(w.run.buckets, uint32(w.run.count))
	w.crc = 0
	w.bucket++
}

// finish makes the run durable in content; its name is so only when the directory is synced.
func (w *runWriter) finish() error {
	for w.current < w.run.blocks {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	w.filter.crc = crc32.Update(w.filter.crc, castagnoli, w.filter.buf)
	for n := uint64(1) << (64 - w.run.shift); w.bucket < n; {
		w.endBucket()
	}
	// Each bucket's CRC was appended behind its start; the last start has none.
	w.run.buckets = le.AppendUint32(w.run.buckets, 0)
	w.body.buf = append(w.body.buf, w.run.buckets...)
	foot := append(make([]byte, 0, footerSize), runMagic...)
	for _, v := range []uint64{w.run.count, w.run.blocks, uint64(w.run.shift)} {
		foot = le.AppendUint64(foot, v)
	}
	foot = le.AppendUint32(foot, w.filter.crc)
	foot = le.AppendUint32(foot, crc32.Checksum(w.run.buckets, castagnoli))
	foot = foot[:footerSize-4]
	foot = le.AppendUint32(foot, crc32.Checksum(foot, castagnoli))
	w.body.buf = append(w.body.buf, foot...)
	if err := errors.Join(w.filter.flush(), w.body.flush()); err != nil {
		return err
	}
	return w.file.Sync()
}

// openRun opens a run and checks footer, filter and buckets.
func openRun(fsys disk.FS, name string) (_ *run, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	r := &run{name: name, file: f}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, errors.Join(err, r.close()))
		}
	}()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	var foot [footerSize]byte
	if size < footerSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, size)
	}
	if _, err := f.ReadAt(foot[:], size-footerSize); err != nil {
		return nil, err
	}
	if string(foot[:8]) != runMagic || crc32.Checksum(foot[:footerSize-4], castagnoli) != le.Uint32(foot[footerSize-4:]) {
		return nil, fmt.Errorf("%w: footer", ErrCorrupt)
	}
	r.count, r.blocks, r.shift = le.Uint64(foot[8:]), le.Uint64(foot[16:]), uint(le.Uint64(foot[24:]))
	r.entries = int64((r.blocks*blockSize + pageSize - 1) / pageSize * pageSize)
	buckets := (int64(1)<<(64-r.shift) + 1) * bucketSize
	if r.entries+int64(r.count)*entrySize+buckets+footerSize != size {
		return nil, fmt.Errorf("%w: %d bytes long", ErrCorrupt, size)
	}
	r.buckets = make([]byte, buckets)
	if _, err := f.ReadAt(r.buckets, size-footerSize-buckets); err != nil {
		return nil, err
	}
	if crc32.Checksum(r.buckets, castagnoli) != le.Uint32(foot[36:]) {
		return nil, fmt.Errorf("%w: buckets", ErrCorrupt)
	}
	if r.mapped, err = f.Map(0, int64(r.blocks)*blockSize); err != nil {
		return nil, err
	}
	return r, r.checkFilter(le.Uint32(foot[32:]))
}

// checkFilter reads the filter once: a filter that lost a bit would call a known identity new.
func (r *run) checkFilter(want uint32) (err error) {
	defer recoverFault(&err)()
	if crc32.Checksum(r.mapped.Bytes, castagnoli) != want {
		return fmt.Errorf("%w: filter", ErrCorrupt)
	}
	return nil
}

// recoverFault makes an error of the fault that a failing disk gives to who reads mapped memory; without it the process would end.
// It is called, and what it returns deferred, in the function that reads.
func recoverFault(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok {
				panic(r)
			}
			*err = fmt.Errorf("reading the identity index: fault at %#x: %w", fault.Addr(), ErrCorrupt)
		}
	}
}

func (r *run) close() error {
	return errors.Join(r.mapped.Close(), r.file.Close())
}

// mayHold is false where the run surely has no entry of the fingerprint.
func (r *run) mayHold(fp uint64) bool {
	b := r.mapped.Bytes[blockOf(fp, r.blocks)*blockSize:][:blockSize]
	h := spread(fp)
	for range probes {
		// Bit n of word w of a little-endian block is bit n&7 of byte w*8+n>>3, which is simply bit h&511.
		if b[h>>3&63]&(1<<(h&7)) == 0 {
			return false
		}
		h >>= 9
	}
	return true
}

// find looks a key up: whether its fingerprint is there, and whether the key itself is. buf is scratch.
func (r *run) find(k Key, buf *[]byte) (fp, exact bool, err error) {
	bucket := r.buckets[(k.fp>>r.shift)*bucketSize:]
	from, crc, to := le.Uint32(bucket), le.Uint32(bucket[4:]), le.Uint32(bucket[8:])
	n := int(to-from) * entrySize
	if from > to || uint64(to) > r.count {
		return false, false, fmt.Errorf("%s: %w: bucket", r.name, ErrCorrupt)
	}
	*buf = slices.Grow((*buf)[:0], n)[:n]
	b := *buf
	if _, err := r.file.ReadAt(b, r.entries+int64(from)*entrySize); err != nil && err != io.EOF {
		return false, false, err
	}
	if crc32.Checksum(b, castagnoli) != crc {
		return false, false, fmt.Errorf("%s: %w: entries %d to %d", r.name, ErrCorrupt, from, to)
	}
	lo, hi := 0, int(to-from)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if le.Uint64(b[m*entrySize:]) < k.fp {
			lo = m + 1
		} else {
			hi = m
		}
	}
	for ; lo < int(to-from) && le.Uint64(b[lo*entrySize:]) == k.fp; lo++ {
		fp = true
		if [16]byte(b[lo*entrySize+8:]) == k.hash {
			return true, true, nil
		}
	}
	return fp, false, nil
}
