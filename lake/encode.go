package lake

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/klauspost/compress/zstd"

	"github.com/lochlake/loch/event"
)

const (
	bloomFPP      = 0.001   // of filters over what repeats: a file that is read in vain costs more than the bits
	distinctFPP   = 0.01    // of filters over what hardly ever repeats, which are the largest
	bloomMost     = 1 << 20 // bytes
	statMost      = 64      // longest value, in bytes, that a Parquet file's own statistics carry
	boundChars    = 32      // characters of a string bound in the table's metadata
	smallestPacks = 64      // bytes of a column below which compression would only add to it
)

// leafStats is what the table's metadata says of one column of a file.
type leafStats struct {
	values int64 // places, NULLs included
	nulls  int64
	lower  []byte // as Iceberg serializes single values; nil: no bound
	upper  []byte
}

// output is a file being put together in memory, or the end of one whose beginning was written out already.
type output struct {
	buf []byte
	was int64 // bytes before buf
}

func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	return len(p), nil
}
func (o *output) Tell() int64 { return o.was + int64(len(o.buf)) }

// drain writes out what there is.
func (o *output) drain(w io.Writer) error {
	n, err := w.Write(o.buf)
	o.was += int64(n)
	o.buf = o.buf[:0]
	return err
}

// encoder makes Parquet files, one after another, and keeps its buffers. Levels, dictionaries, values and pages it encodes itself, which costs
// a fraction of the library's column writers; the metadata around them (schema, statistics, bloom filters, footer) is the library's.
type encoder struct {
	lay   *layout
	sh    *shredder
	whole *zstd.Encoder // for exact texts: the library's default level
	quick *zstd.Encoder // for everything else: columns hold little that a better search would find, but their letters compress
	small *zstd.Encoder // for all of a small write, and of a rewrite: a better level, which takes twice as long; nil until it is needed
	slow  bool          // the file is one of those
	body  []byte        // a page before compression
	comp  []byte        // and after
	lens  []int64
	stats []leafStats

	filters []filter // of the file that was finished last, row group by row group
}

func packer(opts ...zstd.EOption) *zstd.Encoder {
	z, err := zstd.NewWriter(nil, append(opts, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(true))...)
	if err != nil {
		panic(err) // only for options that are wrong
	}
	return z
}

func newEncoder(lay *layout) *encoder {
	e := &encoder{
		lay:   lay,
		whole: packer(zstd.WithWindowSize(textWindow)),
		quick: packer(zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true)),
		stats: make([]leafStats, len(lay.leaves)),
	}
	e.sh = newShredder(lay, e.flush)
	return e
}

// smallRows is the number of rows up to which a Write is small: it has time to compress better, by a tenth or so.
const smallRows = 4096

// encode appends to out one Parquet file of the rows that index names, in that order. The statistics are valid until the next call.
func (e *encoder) encode(out *output, rows []Row, index []int32) ([]leafStats, error) {
	e.take(len(rows) <= smallRows)
	if err := e.sh.shred(rows, index); err != nil {
		return nil, err
	}
	f := e.begin(out)
	err := f.group(len(index), func(i int) (*column, error) { return &e.sh.cols[i], nil })
	if err != nil {
		return nil, err
	}
	return f.stats, f.finish()
}

// parquetFile is a file in the making, a row group after another.
type parquetFile struct {
	e       *encoder
	out     *output
	meta    *metadata.FileMetaDataBuilder
	filters metadata.FileBloomFilterBuilder
	blooms  []map[string]metadata.BloomFilterBuilder // by row group and column
	indexes []pageIndex
	groups  int16
	stats   []leafStats // of all groups; valid until the encoder's next file
}

// take says whether the next file may take its time.
func (e *encoder) take(time bool) {
	if e.slow = time; time && e.small == nil {
		e.small = packer(zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(textWindow), zstd.WithAllLitEntropyCompression(true))
	}
}

// column finishes a column's pages and appends them to out.
func (e *encoder) column(out *output, cm *metadata.ColumnChunkMetaDataBuilder, c *column, st *leafStats) error {
	if c.numbered && c.dict.size() == c.count && c.count > 1 {
		c.spell() // nothing repeats
	}
	z := e.packer(c)
	if c.done.data == 0 && len(c.raw)+8*len(c.nums)+len(c.index) < smallestPacks && (!c.numbered || len(c.dict.page) < smallestPacks) {
		z = nil
		cm.Contents().MetaData.Codec = 0 // UNCOMPRESSED
	}
	enc := c.leaf.encoding
	switch {
	case !c.leaf.text():
		e.levels(c, len(c.defs))
		e.numbers(c)
		c.done.add(dataPage, enc, len(c.defs), e.body, z, &e.comp)
	case c.numbered && c.count > 0:
		enc = parquet.Encodings.RLEDict
		c.done.add(dictionaryPage, parquet.Encodings.Plain, c.dict.size(), c.dict.page, z, &e.comp)
		e.levels(c, len(c.defs))
		width := max(1, bits.Len(uint(c.dict.size()-1)))
		e.body = append(e.body, byte(width))
		e.body = appendHybrid32(e.body, c.index, width)
		c.done.add(dataPage, enc, len(c.defs), e.body, z, &e.comp)
		c.survey(c.dict.page)
	case c.from < len(c.defs) || c.done.data == 0:
		e.page(c, len(c.defs), z)
	}
	*st = leafStats{values: int64(len(c.defs)), nulls: int64(len(c.defs) - c.count)}
	cm.SetStats(e.statistics(c, st))
	at := out.Tell()
	out.buf = append(out.buf, c.done.pages...)
	return c.done.place(cm, at, len(c.defs), enc)
}

func (e *encoder) packer(c *column) *zstd.Encoder {
	switch {
	case e.slow:
		return e.small
	case boundless[c.leaf.path]:
		return e.whole
	}
	return e.quick
}

// flush finishes a page of texts up to the entry.
func (e *encoder) flush(c *column, to int) { e.page(c, to, e.packer(c)) }

func (e *encoder) page(c *column, to int, z *zstd.Encoder) {
	e.levels(c, to)
	if c.leaf.encoding == parquet.Encodings.DeltaLengthByteArray {
		e.lens = e.lens[:0]
		each(c.raw, func(t []byte) { e.lens = append(e.lens, int64(len(t))) })
		e.body = appendDelta(e.body, e.lens)
		each(c.raw, func(t []byte) { e.body = append(e.body, t...) })
	} else {
		e.body = append(e.body, c.raw...)
	}
	c.survey(c.raw)
	c.done.add(dataPage, c.leaf.encoding, to-c.from, e.body, z, &e.comp)
	c.raw, c.from = c.raw[:0], to
}

// levels begins a page's body with the levels of the entries that are in no page yet.
func (e *encoder) levels(c *column, to int) {
	e.body = e.body[:0]
	if c.leaf.maxRep > 0 {
		e.body = appendLevels(e.body, c.reps[c.from:to], c.leaf.maxRep)
	}
	e.body = appendLevels(e.body, c.defs[c.from:to], c.leaf.maxDef)
}

func (e *encoder) numbers(c *column) {
	nums := c.nums
	switch c.leaf.col.Type {
	case event.Boolean: // bit-packed, the least significant first
		for len(nums) > 0 {
			var b byte
			n := min(8, len(nums))
			for i := range n {
				b |= byte(nums[i]&1) << i
			}
			e.body = append(e.body, b)
			nums = nums[n:]
		}
	case event.Int:
		for _, v := range nums {
			e.body = binary.LittleEndian.AppendUint32(e.body, uint32(v))
		}
	default: // Long, Timestamp; Double as its bits
		if c.leaf.encoding == parquet.Encodings.DeltaBinaryPacked {
			e.body = appendDelta(e.body, nums)
			return
		}
		for _, v := range nums {
			e.body = binary.LittleEndian.AppendUint64(e.body, uint64(v))
		}
	}
}

// statistics gives the Parquet statistics of a column, and enters its bounds for the table's metadata.
func (e *encoder) statistics(c *column, st *leafStats) (s metadata.EncodedStatistics) {
	s.SetNullCount(st.nulls)
	s.HasNullCount = true
	if !c.leaf.bounds || c.count == 0 {
		return s
	}
	if c.leaf.text() {
		if len(c.lower) <= statMost && len(c.upper) <= statMost {
			s.HasMin, s.Min, s.HasMax, s.Max = true, c.lower, true, c.upper
		}
		st.lower, st.upper = lowerBound(c.lower), upperBound(c.upper)
		return s
	}
	lo, hi := c.nums[0], c.nums[0]
	for _, v := range c.nums[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	t := c.leaf.col.Type
	s.HasMin, s.Min, s.HasMax, s.Max = true, fixed(t, lo), true, fixed(t, hi)
	st.lower, st.upper = s.Min, s.Max
	return s
}

// fixed is a number as both Parquet's statistics and Iceberg's bounds have it: little-endian.
func fixed(t event.Type, v int64) []byte {
	switch t {
	case event.Boolean:
		return []byte{byte(v)}
	case event.Int:
		return binary.LittleEndian.AppendUint32(nil, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(v))
}

// cut is the first boundChars characters of s.
func cut(s []byte) []byte {
	at := 0
	for n := 0; n < boundChars && at < len(s); n++ {
		_, w := utf8.DecodeRune(s[at:])
		at += w
	}
	return s[:at]
}

// lowerBound is a string that sorts no higher than s, of boundChars characters or fewer.
func lowerBound(s []byte) []byte {
	s = cut(s)
	if !utf8.Valid(s) {
		return nil
	}
	return bytes.Clone(s)
}

// upperBound is a string that sorts no lower than s, of boundChars characters or fewer: where s is cut, the last character that has a
// successor is raised, and the ones behind it dropped. nil where there is none.
func upperBound(s []byte) []byte {
	b := cut(s)
	if !utf8.Valid(b) {
		return nil
	}
	if len(b) == len(s) {
		return bytes.Clone(b)
	}
	for len(b) > 0 {
		r, w := utf8.DecodeLastRune(b)
		b = b[:len(b)-w]
		if r++; r == 0xD800 {
			r = 0xE000 // over the surrogates, which no UTF-8 text has
		}
		if r <= utf8.MaxRune {
			return utf8.AppendRune(bytes.Clone(b), r)
		}
	}
	return nil
}
