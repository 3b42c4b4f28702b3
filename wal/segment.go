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
//	  magic "LOCHWAL1" | first sequence uint64 | salt [16]byte | zero uint32 | CRC32C of the 36 bytes before
//	record:
//	  magic uint32 | CRC32C uint32 | length of data uint32 | kind uint8, zero [3]byte | sequence uint64 | data
//
// A record's CRC begins with the segment's random salt and covers everything after itself. Without the salt, whoever sends events could
// put a well-formed record inside one, which a search for good records behind a damaged one would then believe.
const (
	segmentMagic = "LOCHWAL1"
	headerSize   = 40
	headersSize  = 2 * headerSize
	recordMagic  = 0x5ec0_10c4
	recordSize   = 24
	suffix       = ".wal"
)

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
	h = binary.LittleEndian.AppendUint64(h, uint64(first))
	h = append(h, s[:]...)
	h = append(h, 0, 0, 0, 0)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return append(h, h...), s
}

// parseHeaders reads either copy of the header.
func parseHeaders(b []byte) (first int64, s salt, ok bool) {
	for ; len(b) >= headerSize; b = b[headerSize:] {
		h := b[:headerSize]
		if string(h[:8]) == segmentMagic && crc32.Checksum(h[:36], castagnoli) == binary.LittleEndian.Uint32(h[36:]) {
			copy(s[:], h[16:32])
			return int64(binary.LittleEndian.Uint64(h[8:])), s, true
		}
	}
	return 0, s, false
}

func appendRecord(b []byte, s *salt, sequence int64, kind uint8, parts ...[]byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, recordMagic)
	b = append(b, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(sequence))
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.LittleEndian.PutUint32(b[at+8:], uint32(len(b)-at-recordSize))
	binary.LittleEndian.PutUint32(b[at+4:], recordCRC(s, b[at+8:at+recordSize], b[at+recordSize:]))
	return b
}

func recordCRC(s *salt, head, data []byte) uint32 {
	c := crc32.Update(0, castagnoli, s[:])
	c = crc32.Update(c, castagnoli, head)
	return crc32.Update(c, castagnoli, data)
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
	torn     bool  // a tail as a crash leaves it: one record begun and not finished, or nothing but zeros
}

// reader goes through a segment's good records in order.
type reader struct {
	file disk.File
	size int64
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
	first, s, ok := parseHeaders(head)
	if !ok {
		return nil, errHeader
	}
	r := &reader{file: f, size: size, salt: s, last: first - 1, bad: bad}
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
	var head [recordSize]byte
	if r.size-r.off < recordSize {
		return rec, false, nil
	}
	if _, err := io.ReadFull(r.buf, head[:]); err != nil {
		return rec, false, err
	}
	n := int64(binary.LittleEndian.Uint32(head[8:]))
	sequence := int64(binary.LittleEndian.Uint64(head[16:]))
	if binary.LittleEndian.Uint32(head[:]) != recordMagic || r.size-r.off-recordSize < n || sequence <= r.last {
		return rec, false, nil
	}
	if int64(cap(r.data)) < n {
		r.data = make([]byte, n)
	}
	r.data = r.data[:n]
	if _, err := io.ReadFull(r.buf, r.data); err != nil {
		return rec, false, err
	}
	if recordCRC(&r.salt, head[8:], r.data) != binary.LittleEndian.Uint32(head[4:]) {
		return rec, false, nil
	}
	r.off += recordSize + n
	r.last = sequence
	return Record{sequence, head[12], r.data}, true, nil
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
	r.bad(damage{from: from, to: r.size, tail: true, torn: torn(rest)})
	return Record{}, io.EOF
}

// torn tells whether a tail is what an interrupted write leaves: a record whose end is missing, or blocks that were never filled.
// A record that is there in full and fails its CRC is not: it may have been acknowledged, and have gone bad since.
func torn(tail []byte) bool {
	if len(bytes.Trim(tail, "\x00")) == 0 {
		return true
	}
	if len(tail) < recordSize {
		return true
	}
	return binary.LittleEndian.Uint32(tail) == recordMagic &&
		int64(len(tail)) < recordSize+int64(binary.LittleEndian.Uint32(tail[8:]))
}
