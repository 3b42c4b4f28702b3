package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/klauspost/compress/zstd"

	"github.com/lochlake/loch/event"
)

const (
	bloomFPP      = 0.01
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

// output is a file being put together in memory.
type output struct{ buf []byte }

func (o *output) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	return len(p), nil
}
func (o *output) Tell() int64 { return int64(len(o.buf)) }

// encoder makes Parquet files, one after another, and keeps its buffers. Levels, dictionaries and values it encodes itself, a whole
// column at a time, for a quarter of what the library's column writers cost; the file format around them (page headers, column metadata, footer) is the library's.
type encoder struct {
	lay   *layout
	sh    *shredder
	dict  *dictionary
	zstd  *zstd.Encoder
	pager file.PageWriter
	raw   []byte // a page before compression
	comp  []byte // and after
	num   []byte
	stats []leafStats
}

func newEncoder(lay *layout) *encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		panic(err) // only for options that are wrong
	}
	return &encoder{lay: lay, sh: newShredder(lay), dict: newDictionary(), zstd: z, stats: make([]leafStats, len(lay.leaves))}
}

// encode appends to out one Parquet file of the rows that index names, in that order. The statistics are valid until the next call.
func (e *encoder) encode(out *output, rows []Row, index []int32) ([]leafStats, error) {
	if err := e.sh.shred(rows, index); err != nil {
		return nil, err
	}
	out.buf = append(out.buf, "PAR1"...)
	meta := metadata.NewFileMetadataBuilder(e.lay.parq, e.lay.props, nil)
	rg := meta.AppendRowGroup()
	rg.SetNumRows(len(index))
	blooms := make(map[string]metadata.BloomFilterBuilder)
	for i := range e.lay.leaves {
		lf, c := &e.lay.leaves[i], &e.sh.cols[i]
		bloom, err := e.column(out, rg.NextColumnChunk(), lf, c, &e.stats[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", lf.path, err)
		}
		if bloom != nil {
			blooms[lf.path] = bloom
		}
	}
	if err := rg.Finish(0, 0); err != nil {
		return nil, err
	}
	var filters metadata.FileBloomFilterBuilder
	filters.Schema = e.lay.parq
	filters.AppendRowGroup(rg, blooms)
	if err := filters.WriteTo(out); err != nil {
		return nil, err
	}
	for _, b := range blooms {
		b.Release()
	}
	fm, err := meta.Finish()
	if err != nil {
		return nil, err
	}
	at := out.Tell()
	if _, err := fm.WriteTo(out, nil); err != nil {
		return nil, err
	}
	out.buf = binary.LittleEndian.AppendUint32(out.buf, uint32(out.Tell()-at))
	out.buf = append(out.buf, "PAR1"...)
	return e.stats, nil
}

// release lets go of the events' memory.
func (e *encoder) release() {
	e.sh.reset(0)
	e.dict.reset()
}

// chunk gathers what the metadata of one column chunk says.
type chunk struct {
	metadata.ChunkMetaInfo
	enc    metadata.EncodingStats
	codec  compress.Compression
	pageEn parquet.Encoding
}

func (e *encoder) column(out *output, cm *metadata.ColumnChunkMetaDataBuilder, lf *leaf, c *column, st *leafStats) (metadata.BloomFilterBuilder, error) {
	k := chunk{codec: compress.Codecs.Zstd, pageEn: parquet.Encodings.Plain}
	k.NumValues, k.DataPageOffset, k.IndexPageOffset = int64(len(c.defs)), -1, -1
	if rawSize(lf, c) < smallestPacks {
		k.codec = compress.Codecs.Uncompressed
		cm.Contents().MetaData.Codec = 0
	}
	if err := e.openPager(out, cm, k.codec); err != nil {
		return nil, err
	}
	var err error
	distinct := c.texts
	useDict := lf.dict && len(c.texts) > 0 && e.dict.build(c.texts)
	if useDict {
		distinct = e.dict.entries
		k.pageEn = parquet.Encodings.RLEDict
		err = e.dictColumn(out, lf, c, &k)
	} else {
		err = e.plainColumn(out, lf, c, &k)
	}
	if err != nil {
		return nil, err
	}
	*st = leafStats{values: int64(len(c.defs)), nulls: int64(len(c.defs) - len(c.texts) - len(c.nums))}
	cm.SetStats(e.statistics(lf, c, distinct, st))
	if err := cm.Finish(k.ChunkMetaInfo, useDict, false, k.enc); err != nil {
		return nil, err
	}
	if !lf.bloom || len(c.texts) == 0 {
		return nil, nil
	}
	b := metadata.NewBloomFilterFromNDVAndFPP(uint32(len(distinct)), bloomFPP, bloomMost, memory.DefaultAllocator)
	h := b.Hasher()
	for _, t := range distinct {
		b.InsertHash(h.Sum64(t))
	}
	return b, nil
}

func (e *encoder) openPager(out *output, cm *metadata.ColumnChunkMetaDataBuilder, codec compress.Compression) (err error) {
	if e.pager == nil {
		e.pager, err = file.NewPageWriter(out, codec, compress.DefaultCompressionLevel, cm, 0, 0, memory.DefaultAllocator, false, nil, nil)
		return err
	}
	return e.pager.Reset(out, codec, compress.DefaultCompressionLevel, cm, 0, 0, nil, nil)
}

// rawSize is about how many bytes the column has before compression, as far as it matters whether that is little.
func rawSize(lf *leaf, c *column) int {
	n := 4 * (1 + int(lf.maxRep)) // levels that are all the same
	n += 8 * len(c.nums)
	if lf.repeated {
		n += len(c.defs) / 8
	}
	for _, t := range c.texts {
		if n += len(t); n >= smallestPacks {
			break
		}
	}
	return n
}

func (e *encoder) dictColumn(out *output, lf *leaf, c *column, k *chunk) error {
	e.raw = e.raw[:0]
	for _, t := range e.dict.entries {
		e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(len(t)))
		e.raw = append(e.raw, t...)
	}
	k.DictPageOffset = out.Tell()
	page := file.NewDictionaryPage(memory.NewBufferBytes(e.raw), int32(len(e.dict.entries)), parquet.Encodings.Plain)
	n, err := e.pager.WriteDictionaryPage(page)
	page.Release()
	if err != nil {
		return err
	}
	k.CompressedSize += n
	k.UncompressedSize += int64(len(e.raw)) + pageHeaderBytes
	k.enc.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.Plain: 1}

	e.levels(lf, c, 0, len(c.defs))
	width := max(1, bits.Len(uint(len(e.dict.entries)-1)))
	e.raw = append(e.raw, byte(width))
	e.raw = appendHybrid32(e.raw, e.dict.indices, width)
	return e.page(out, len(c.defs), 0, k)
}

// pageHeaderBytes stands for a page header where its true size is not told; only an uncompressed total, which nobody seeks by, has it.
const pageHeaderBytes = 32

// plainColumn writes values as they are, texts in pages of about lf.page bytes that end with a row.
func (e *encoder) plainColumn(out *output, lf *leaf, c *column, k *chunk) error {
	if !lf.text() {
		e.levels(lf, c, 0, len(c.defs))
		e.numbers(lf, c.nums)
		return e.page(out, len(c.defs), 0, k)
	}
	at, value, row := 0, 0, 0
	for {
		end, values, size, rows := at, value, 0, 0
		for end < len(c.defs) {
			if size >= lf.page && (!lf.repeated || c.reps[end] == 0) {
				break
			}
			if !lf.repeated || c.reps[end] == 0 {
				rows++
			}
			if c.defs[end] == lf.maxDef {
				size += 4 + len(c.texts[values])
				values++
			}
			end++
		}
		e.levels(lf, c, at, end)
		e.texts(c.texts[value:values])
		if err := e.page(out, end-at, row, k); err != nil {
			return err
		}
		at, value, row = end, values, row+rows
		if at == len(c.defs) {
			return nil
		}
	}
}

func (e *encoder) levels(lf *leaf, c *column, from, to int) {
	e.raw = e.raw[:0]
	if lf.maxRep > 0 {
		e.raw = appendLevels(e.raw, c.reps[from:to], lf.maxRep)
	}
	e.raw = appendLevels(e.raw, c.defs[from:to], lf.maxDef)
}

func (e *encoder) texts(texts [][]byte) {
	for _, t := range texts {
		e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(len(t)))
		e.raw = append(e.raw, t...)
	}
}

func (e *encoder) numbers(lf *leaf, nums []int64) {
	switch lf.col.Type {
	case event.Boolean: // bit-packed, the least significant first
		for len(nums) > 0 {
			var b byte
			n := min(8, len(nums))
			for i := range n {
				b |= byte(nums[i]&1) << i
			}
			e.raw = append(e.raw, b)
			nums = nums[n:]
		}
	case event.Int:
		for _, v := range nums {
			e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(v))
		}
	default: // Long, Timestamp; Double as its bits
		for _, v := range nums {
			e.raw = binary.LittleEndian.AppendUint64(e.raw, uint64(v))
		}
	}
}

// page writes e.raw as a data page of n places.
func (e *encoder) page(out *output, n, firstRow int, k *chunk) error {
	data := e.raw
	if len(e.raw) > math.MaxInt32 {
		return fmt.Errorf("page of %d bytes", len(e.raw))
	}
	if k.codec == compress.Codecs.Zstd {
		e.comp = e.zstd.EncodeAll(e.raw, e.comp[:0])
		data = e.comp
	}
	at := out.Tell()
	p := file.NewDataPageV1WithConfig(memory.NewBufferBytes(data), parquet.Encodings.RLE, parquet.Encodings.RLE, file.DataPageConfig{
		Num: int32(n), Encoding: k.pageEn, UncompressedSize: int32(len(e.raw)), FirstRowIndex: int64(firstRow),
	})
	written, err := e.pager.WriteDataPage(p)
	p.Release()
	if err != nil {
		return err
	}
	if k.DataPageOffset < 0 {
		k.DataPageOffset = at
		k.enc.DataEncodingStats = map[parquet.Encoding]int32{k.pageEn: 0}
	}
	k.enc.DataEncodingStats[k.pageEn]++
	k.CompressedSize += written
	k.UncompressedSize += written - int64(len(data)) + int64(len(e.raw))
	return nil
}

// statistics gives the Parquet statistics of a column, and enters its bounds for the table's metadata.
func (e *encoder) statistics(lf *leaf, c *column, distinct [][]byte, st *leafStats) (s metadata.EncodedStatistics) {
	s.SetNullCount(st.nulls)
	s.HasNullCount = true
	if !lf.bounds || len(c.texts)+len(c.nums) == 0 {
		return s
	}
	if lf.text() {
		lo, hi := distinct[0], distinct[0]
		for _, t := range distinct[1:] {
			if bytes.Compare(t, lo) < 0 {
				lo = t
			} else if bytes.Compare(t, hi) > 0 {
				hi = t
			}
		}
		if len(lo) <= statMost && len(hi) <= statMost {
			s.HasMin, s.Min, s.HasMax, s.Max = true, lo, true, hi
		}
		st.lower, st.upper = lowerBound(lo), upperBound(hi)
		return s
	}
	lo, hi := c.nums[0], c.nums[0]
	for _, v := range c.nums[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	s.HasMin, s.Min, s.HasMax, s.Max, s.Signed = true, fixed(lf.col.Type, lo), true, fixed(lf.col.Type, hi), true
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
