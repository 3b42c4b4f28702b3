package lake

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/klauspost/compress/zstd"
)

// chunk is a column chunk in the making: pages, each behind its header.
type chunk struct {
	pages []byte
	plain int64 // bytes before compression, headers included
	data  int32 // data pages
	dict  int64 // bytes of the dictionary page, 0 where there is none
	index []placed
	count int // values in data pages
}

// placed is where a data page lies in its chunk, with its header, and the first value that it has.
type placed struct{ off, size, first int }

func (k *chunk) reset() { *k = chunk{pages: k.pages[:0], index: k.index[:0]} }

// Page types of the format's PageType.
const (
	dataPage       = 0
	dictionaryPage = 2
)

// add appends a page of n values. z is nil where the column is not compressed.
func (k *chunk) add(kind int, enc parquet.Encoding, n int, body []byte, z *zstd.Encoder, scratch *[]byte) {
	packed := body
	if z != nil {
		*scratch = z.EncodeAll(body, (*scratch)[:0])
		packed = *scratch
	}
	at := len(k.pages)
	k.pages = appendPageHeader(k.pages, kind, enc, n, len(body), len(packed))
	k.plain += int64(len(k.pages) - at + len(body))
	k.pages = append(k.pages, packed...)
	if kind == dictionaryPage {
		k.dict = int64(len(k.pages) - at)
	} else {
		k.data++
		k.index = append(k.index, placed{at, len(k.pages) - at, k.count})
		k.count += n
	}
}

// offsets are the format's OffsetIndex of a chunk that begins at offset and is of a column that does not repeat, so that its values are rows.
func (k *chunk) offsets(offset int64) (*metadata.OffsetIndexBuilder, error) {
	b := new(metadata.OffsetIndexBuilder)
	for _, p := range k.index {
		if err := b.AddPage(offset+int64(p.off), int64(p.first), int32(p.size)); err != nil {
			return nil, err
		}
	}
	return b, b.Finish(0)
}

// appendPageHeader writes the format's PageHeader in Thrift's compact protocol
// (https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift). Each byte before a number says how far its
// field's id is from the one before, and its type: 5 is an i32, 12 a struct.
func appendPageHeader(dst []byte, kind int, enc parquet.Encoding, n, plain, packed int) []byte {
	i32 := func(step byte, v int) {
		dst = append(dst, step<<4|5)
		dst = binary.AppendVarint(dst, int64(v))
	}
	i32(1, kind)
	i32(1, plain)
	i32(1, packed)
	if kind == dictionaryPage {
		dst = append(dst, 4<<4|12) // 7: dictionary_page_header
		i32(1, n)
		i32(1, int(enc))
	} else {
		dst = append(dst, 2<<4|12) // 5: data_page_header
		i32(1, n)
		i32(1, int(enc))
		i32(1, int(parquet.Encodings.RLE)) // of definition levels
		i32(1, int(parquet.Encodings.RLE)) // of repetition levels
	}
	return append(dst, 0, 0)
}

// place enters a finished chunk that begins at offset into its metadata.
func (k *chunk) place(cm *metadata.ColumnChunkMetaDataBuilder, offset int64, values int, enc parquet.Encoding) error {
	info := metadata.ChunkMetaInfo{
		NumValues: int64(values), DataPageOffset: offset + k.dict, IndexPageOffset: -1,
		CompressedSize: int64(len(k.pages)), UncompressedSize: k.plain,
	}
	stats := metadata.EncodingStats{DataEncodingStats: map[parquet.Encoding]int32{enc: k.data}}
	if k.dict > 0 {
		info.DictPageOffset = offset
		stats.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.Plain: 1}
	}
	return cm.Finish(info, k.dict > 0, false, stats)
}
