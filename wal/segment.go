package wal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/lochlake/loch/disk"
)

// A segment is a header and then records, one after the other. Integers are little-endian.
//
//	header, 40 bytes, written twice so that one damaged byte does not cost the segment:
//	  magic "LOCHWAL2" | first sequence uint64 | salt [16]byte | zero uint32 | CRC32C of the 36 bytes before
//	record:
//	  magic uint32 | CRC32C of the head uint32 | length of data uint32 | kind uint8, zero [3]byte | sequence uint64 | CRC32C of the data uint32 | data
//
// The CRC of a head covers what stands behind it in the head; it and the CRC of the data begin with the segment's random salt. Without the salt, whoever sends events could
// put a well-formed record inside one, which a search for good records behind a damaged one would then believe.
//
// Segments of version 1 ("LOCHWAL1") are read and never written: what was accepted before an upgrade lies in them. Their records have one CRC for head and data, and the head no CRC of its own:
//
//	magic uint32 | CRC32C of all behind it uint32 | length of data uint32 | kind uint8, zero [3]byte | sequence uint64 | data
const (
	segmentMagic = "LOCHWAL" // and the version's digit
	headerSize   = 40
	headersSize  = 2 * headerSize
	recordMagic  = 0x5ec0_10c4
	recordSize   = 28 // of a record's head
	recordSize1  = 24 // in version 1
	suffix       = ".wal"
)

// version is that of a segment's format.
type version byte

const (
	version1 version = '1'
	version2 version = '2'
)

// headSize is the size of a record's head.
func (v version) headSize() int64 {
	if v == version1 {
		return recordSize1
	}
	return recordSize
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type salt [16]byte

func segmentName(first int64) string { return fmt.Sprintf("%016x%s", first, suffix) }

func parseSegmentName(name string) (first int64, ok bool) {
	hex, ok := strings.CutSuffix(name, suffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	first, err := strconv.ParseInt(hex, 16, 64)
	return first, err == nil
}

func newHeader(first int64) ([]byte, salt) {
	var s salt
	_, _ = rand.Read(s[:]) // never fails (crypto/rand)
	h := append(make([]byte, 0, headersSize), segmentMagic...)
	h = append(h, byte(version2))
	h = binary.LittleEndian.AppendUint64(h, uint64(first))
	h = append(h, s[:]...)
	h = append(h, 0, 0, 0, 0)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return append(h, h...), s
}

// errNewer: a segment is of a version that this program does not know. It is left as it is: what was accepted lies in it.
var errNewer = errors.New("the segment was written by a newer version of Loch")

// parseHeaders reads either copy of the header. The error is errHeader where neither is good.
func parseHeaders(b []byte) (v version, first int64, s salt, err error) {
	for ; len(b) >= headerSize; b = b[headerSize:] {
		h := b[:headerSize]
		if string(h[:7]) != segmentMagic || crc32.Checksum(h[:36], castagnoli) != binary.LittleEndian.Uint32(h[36:]) {
			continue
		}
		if v = version(h[7]); v != version1 && v != version2 {
			return v, 0, s, errNewer
		}
		copy(s[:], h[16:32])
		return v, int64(binary.LittleEndian.Uint64(h[8:])), s, nil
	}
	return 0, 0, s, errHeader
}

func appendRecord(b []byte, s *salt, sequence int64, kind uint8, parts ...[]byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, recordMagic)
	b = append(b, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(sequence))
	b = append(b, 0, 0, 0, 0)
	for _, p := range parts {
		b = append(b, p...)
	}
	head, data := b[at:at+recordSize], b[at+recordSize:]
	binary.LittleEndian.PutUint32(head[8:], uint32(len(data)))
	binary.LittleEndian.PutUint32(head[24:], saltedCRC(s, data))
	binary.LittleEndian.PutUint32(head[4:], saltedCRC(s, head[8:]))
	return b
}

func saltedCRC(s *salt, parts ...[]byte) uint32 {
	c := crc32.Update(0, castagnoli, s[:])
	for _, p := range parts {
		c = crc32.Update(c, castagnoli, p)
	}
	return c
}

// head is what stands before a record's data.
type head struct {
	size, length int64 // of itself, and of the data
	kind         uint8
	sequence     int64
}

// parseHead reads a record's head; b has at least headSize bytes. Where ok is true the head is what was written; in version 1 that is known only when the data was read, too.
func (v version) parseHead(s *salt, b []byte) (h head, ok bool) {
	if binary.LittleEndian.Uint32(b) != recordMagic || v != version1 && saltedCRC(s, b[8:recordSize]) != binary.LittleEndian.Uint32(b[4:]) {
		return h, false
	}
	return head{v.headSize(), int64(binary.LittleEndian.Uint32(b[8:])), b[12], int64(binary.LittleEndian.Uint64(b[16:]))}, true
}

// intact tells whether the data that follows a good head is what was written.
func (v version) intact(s *salt, head, data []byte) bool {
	if v == version1 {
		return saltedCRC(s, head[8:recordSize1], data) == binary.LittleEndian.Uint32(head[4:])
	}
	return saltedCRC(s, data) == binary.LittleEndian.Uint32(head[24:])
}

// Record is one record of the log.
type Record struct {
	Sequence int64
	Kind     uint8
	Data     []byte
}

// damage is a stretch of a segment that holds no good record.
type damage struct {
	from, to int64 // offsets
	tail     bool  // it reaches to the end: no good record follows
	torn     bool  // a tail as only an interrupted write leaves it (reader.torn)
}

// reader goes through a segment's good records in order.
type reader struct {
	file disk.File
	size int64
	v    version
	salt salt
	off  int64 // of the next record
	last int64 // sequence of the record before; sequences only rise
	buf  *bufio.Reader
	data []byte
	bad  func(damage)
}

// errHeader: neither copy of a segment's header is good.
var errHeader = errors.New("segment header is damaged")

func newReader(f disk.File, bad func(damage)) (*reader, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(size, headersSize))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	v, first, s, err := parseHeaders(head)
	if err != nil {
		return nil, err
	}
	r := &reader{file: f, size: size, v: v, salt: s, last: first - 1, bad: bad}
	r.seek(headersSize)
	return r, nil
}

func (r *reader) seek(off int64) {
	r.off = off
	r.buf = bufio.NewReaderSize(io.NewSectionReader(r.file, off, max(0, r.size-off)), 1<<18)
}

// next gives the next good record, or io.EOF. Its Data is valid until the next call.
func (r *reader) next() (Record, error) {
	if r.off >= r.size {
		return Record{}, io.EOF
	}
	rec, ok, err := r.read()
	if err != nil || ok {
		return rec, err
	}
	return r.resume()
}

// read reads the record at r.off; ok is false where there is no good one.
func (r *reader) read() (rec Record, ok bool, err error) {
	var buf [recordSize]byte
	raw := buf[:r.v.headSize()]
	if r.size-r.off < int64(len(raw)) {
		return rec, false, nil
	}
	if _, err := io.ReadFull(r.buf, raw); err != nil {
		return rec, false, err
	}
	h, ok := r.v.parseHead(&r.salt, raw)
	if !ok || r.size-r.off-h.size < h.length || h.sequence <= r.last {
		return rec, false, nil
	}
	if int64(cap(r.data)) < h.length {
		r.data = make([]byte, h.length)
	}
	r.data = r.data[:h.length]
	if _, err := io.ReadFull(r.buf, r.data); err != nil {
		return rec, false, err
	}
	if !r.v.intact(&r.salt, raw, r.data) {
		return rec, false, nil
	}
	r.off += h.size + h.length
	r.last = h.sequence
	return Record{h.sequence, h.kind, r.data}, true, nil
}

// resume looks for the next good record behind a bad one at r.off, and reports the stretch between.
func (r *reader) resume() (Record, error) {
	from := r.off
	rest := make([]byte, r.size-from)
	if _, err := r.file.ReadAt(rest, from); err != nil && err != io.EOF {
		return Record{}, err
	}
	magic := binary.LittleEndian.AppendUint32(nil, recordMagic)
	for at := 1; ; at++ {
		i := bytes.Index(rest[min(at, len(rest)):], magic)
		if i < 0 {
			break
		}
		at += i
		r.seek(from + int64(at))
		rec, ok, err := r.read()
		if err != nil {
			return rec, err
		}
		if ok {
			r.bad(damage{from: from, to: from + int64(at)})
			return rec, nil
		}
	}
	r.off = r.size
	r.bad(damage{from: from, to: r.size, tail: true, torn: r.torn(rest)})
	return Record{}, io.EOF
}

// torn tells whether a tail, behind which no good record follows, is what an interrupted write leaves and what was acknowledged is not. Nothing but a torn tail is ever cut.
//
// What is acknowledged was covered by an fsync: head and data are there, and only damage can change them since. A write that power or kernel interrupted was not acknowledged; of its bytes any
// 512-byte sectors may be there, in any order, and the file may end anywhere in it. What was never filled is zeros, since segments only grow. So a tail is torn where
//
//   - the head of its first record is good by its own CRC and the file ends before the data does. The head cannot lie about the length, and of a record that was acknowledged the file has all;
//   - the file ends within that head, and what there is begins as a head does: a record that was acknowledged would be longer;
//   - it is nothing but zeros: the file was extended, and none of the sectors filled. Damage that zeroes a whole last record, and all that was acknowledged behind it, cannot be told from this; it alone goes unseen.
//
// Everything else is damage, reported and kept in quarantine: a record that is there in full and fails a CRC, whichever byte of head or data it was. An interrupted write, too, may leave such a tail (a head without some
// of its data before the end, data without its head). Then nothing was lost, but that cannot be known, and an alarm too many loses nothing.
//
// In version 1 the length has no CRC of its own, and is believed: where the last record's was changed to a greater one, the tail is taken for torn.
func (r *reader) torn(tail []byte) bool {
	if len(bytes.Trim(tail, "\x00")) == 0 {
		return true
	}
	if int64(len(tail)) < r.v.headSize() {
		magic := binary.LittleEndian.AppendUint32(nil, recordMagic)
		n := min(len(tail), len(magic))
		return r.v == version1 || bytes.Equal(tail[:n], magic[:n])
	}
	h, ok := r.v.parseHead(&r.salt, tail)
	return ok && int64(len(tail)) < h.size+h.length
}
