package lake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unique"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/objstore"
)

const (
	footerCacheBytes = 32 << 20
	bloomCacheBytes  = 64 << 20
	tailBytes        = 16 << 10 // read from a file's end: the footer, and of small files the bloom filters before it
	bloomReaders     = 16       // files whose filters are read at once
	bloomKept        = 8 << 10  // largest filter that is kept in memory from the writing of a file on
	rangeGap         = 32 << 10 // ranges closer than this are fetched as one
)

// footer is what Loch keeps of a Parquet file's footer: where the parts of each column lie.
type footer struct {
	start   int64   // of the footer
	groups  []int64 // rows of each row group
	columns []columnChunk
	pages   map[int64][]pageAt // by where their chunk begins, of those that have an offset index
}

// columnChunk is as small as it can be: thousands of files have a hundred each.
type columnChunk struct {
	path   string // dotted; for maps and lists with Parquet's own groups in it
	chunk  objstore.Range
	bloom  objstore.Range // Len 0: none
	values int64          // levels, which are rows where the column does not repeat
	id     int32          // of the field
	group  int16
	kind   storedKind
	codec  int8 // a compress.Compression
}

// storedKind is how a file has a column's values.
type storedKind struct {
	typ            int8 // a parquet.Type
	maxDef, maxRep uint8
}

func kindOf(t parquet.Type, maxDef, maxRep int16) storedKind {
	return storedKind{int8(t), uint8(maxDef), uint8(maxRep)}
}

// pageAt is where a data page lies, with its header, and the first row of its row group that it has.
type pageAt struct {
	objstore.Range
	first int64
}

// footer reads a file's footer, or finds it in the cache. tail are the file's last bytes if they had to be read.
func (l *Lake) footer(ctx context.Context, f File) (ft *footer, tail []byte, err error) {
	if ft, ok := l.footers.get(f.Key); ok {
		return ft, nil, nil
	}
	if f.Size < 12 {
		return nil, nil, fmt.Errorf("file %s of %d bytes is no Parquet file", f.Key, f.Size)
	}
	tail, err = l.read(ctx, f.Key, max(0, f.Size-tailBytes), min(f.Size, tailBytes))
	if err != nil {
		return nil, nil, err
	}
	if string(tail[len(tail)-4:]) != "PAR1" {
		return nil, nil, fmt.Errorf("file %s does not end as a Parquet file", f.Key)
	}
	n := int64(binary.LittleEndian.Uint32(tail[len(tail)-8:]))
	if n > f.Size-12 {
		return nil, nil, fmt.Errorf("file %s: footer of %d bytes in a file of %d", f.Key, n, f.Size)
	}
	if n+8 > int64(len(tail)) {
		if tail, err = l.read(ctx, f.Key, f.Size-8-n, n+8); err != nil {
			return nil, nil, err
		}
	}
	fm, err := metadata.NewFileMetaData(tail[int64(len(tail))-8-n:len(tail)-8], nil)
	if err != nil {
		return nil, nil, fmt.Errorf("file %s: footer: %w", f.Key, err)
	}
	ft = &footer{start: f.Size - 8 - n}
	size := int64(64)
	var indexes []objstore.Range // by chunk
	for g := range fm.NumRowGroups() {
		rg := fm.RowGroup(g)
		ft.groups = append(ft.groups, rg.NumRows())
		for i := range rg.NumColumns() {
			c, err := rg.ColumnChunk(i)
			if err != nil {
				return nil, nil, fmt.Errorf("file %s: column %d: %w", f.Key, i, err)
			}
			at := c.DataPageOffset()
			if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
				at = min(at, c.DictionaryPageOffset())
			}
			d := fm.Schema.Column(i)
			cc := columnChunk{path: unique.Make(c.PathInSchema().String()).Value(), chunk: objstore.Range{Off: at, Len: c.TotalCompressedSize()},
				id: d.SchemaNode().FieldID(), group: int16(g), kind: kindOf(d.PhysicalType(), d.MaxDefinitionLevel(), d.MaxRepetitionLevel()),
				codec: int8(c.Compression()), values: c.NumValues()}
			if c.BloomFilterOffset() > 0 {
				cc.bloom = objstore.Range{Off: c.BloomFilterOffset(), Len: int64(c.BloomFilterLength())}
			}
			ft.columns = append(ft.columns, cc)
			size += int64(unsafe.Sizeof(cc))
			var index objstore.Range
			if at := c.GetOffsetIndexLocation(); at != nil {
				index = objstore.Range{Off: at.Offset, Len: int64(at.Length)}
			}
			indexes = append(indexes, index)
		}
	}
	n, err = l.pages(ctx, f, ft, indexes, tail)
	if err != nil {
		return nil, nil, fmt.Errorf("file %s: offset index: %w", f.Key, err)
	}
	size += n
	l.footers.put(f.Key, ft, size)
	return ft, tail, nil
}

func (l *Lake) read(ctx context.Context, key string, off, n int64) ([]byte, error) {
	r, err := l.objects.Get(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("read %d bytes at %d of %s: %w", n, off, key, err)
	}
	return b, nil
}

// Ranges tells which bytes of a planned file a reader of the named top-level columns needs: the magic number at the start, the columns' pages
// and bloom filters, and the footer. They come in order and do not touch; near ones are joined, with the bytes between them.
func (l *Lake) Ranges(ctx context.Context, f File, columns []string) ([]objstore.Range, error) {
	ft, _, err := l.footer(ctx, f)
	if err != nil {
		return nil, err
	}
	want := make(map[string]bool, len(columns))
	for _, c := range columns {
		want[strings.ToLower(c)] = true
	}
	ranges := []objstore.Range{{Off: 0, Len: 4}, {Off: ft.start, Len: f.Size - ft.start}}
	for _, c := range ft.columns {
		if top, _, _ := strings.Cut(c.path, "."); !want[top] {
			continue
		}
		ranges = append(ranges, c.chunk)
		if c.bloom.Len > 0 {
			ranges = append(ranges, c.bloom)
		}
	}
	slices.SortFunc(ranges, func(a, b objstore.Range) int { return int(min(max(a.Off-b.Off, -1), 1)) })
	out := ranges[:1]
	for _, r := range ranges[1:] {
		last := &out[len(out)-1]
		if end := last.Off + last.Len; r.Off <= end+rangeGap {
			last.Len = max(end, r.Off+r.Len) - last.Off
		} else {
			out = append(out, r)
		}
	}
	return out, nil
}

// byBloom leaves out the files whose bloom filters rule out every value of an equality.
func (l *Lake) byBloom(ctx context.Context, files []*dataFile, conds []condition) ([]*dataFile, error) {
	conds = slices.DeleteFunc(slices.Clone(conds), func(c condition) bool { return c.Op != Equal || !c.leaf.bloom || len(c.Values) == 0 })
	if len(conds) == 0 || len(files) == 0 {
		return files, nil
	}
	hashes := make([][]uint64, len(conds))
	for i, c := range conds {
		for _, v := range c.Values {
			hashes[i] = append(hashes[i], bloomHash(v.Text))
		}
	}
	keep := make([]bool, len(files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(bloomReaders)
	for n, f := range files {
		g.Go(func() error {
			for i := range conds {
				if conds[i].derived(f) {
					continue
				}
				filters, err := l.bloom(ctx, f.File, conds[i].leaf.path)
				if err != nil {
					return err
				}
				// A row that is sought lies in one row group.
				if filters != nil && !slices.ContainsFunc(filters, func(bits []byte) bool {
					return slices.ContainsFunc(hashes[i], func(h uint64) bool { return bloomHas(bits, h) })
				}) {
					return nil
				}
			}
			keep[n] = true
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var left []*dataFile
	for n, f := range files {
		if keep[n] {
			left = append(left, f)
		}
	}
	return left, nil
}

// bloom gives the bits of a column's filters, one a row group, nil where some row group has none that Loch understands.
func (l *Lake) bloom(ctx context.Context, f File, path string) ([][]byte, error) {
	name := f.Key + "\x00" + path
	if b, ok := l.blooms.get(name); ok {
		return b, nil
	}
	ft, tail, err := l.footer(ctx, f)
	if err != nil {
		return nil, err
	}
	var filters [][]byte
	size := len(name)
	for _, c := range ft.columns {
		if c.path != path {
			continue
		}
		r := c.bloom
		if r.Len == 0 {
			return nil, nil
		}
		var raw []byte
		if from := r.Off - (f.Size - int64(len(tail))); tail != nil && from >= 0 {
			raw = slices.Clone(tail[from : from+r.Len])
		} else if raw, err = l.read(ctx, f.Key, r.Off, r.Len); err != nil {
			return nil, err
		}
		bits, err := bloomBits(raw)
		if err != nil {
			return nil, fmt.Errorf("file %s: bloom filter of %s: %w", f.Key, path, err)
		}
		filters = append(filters, bits)
		size += len(raw)
	}
	l.blooms.put(name, filters, int64(size))
	return filters, nil
}

// keepFilters keeps the small filters of a file that was just written, so that they need not be read.
func (l *Lake) keepFilters(key string, filters []filter) {
	columns := map[string][][]byte{}
	for _, f := range filters {
		columns[f.path] = append(columns[f.path], f.bits)
	}
	for path, bits := range columns {
		name := key + "\x00" + path
		size := len(name)
		for _, b := range bits {
			size += len(b)
		}
		if size <= bloomKept*len(bits) {
			l.blooms.put(name, bits, int64(size))
		}
	}
}

// bloomBits takes the bits from a filter as a file has it: a header in Thrift's compact form, whose first field is the number of bytes
// that follow it. The other fields have one value each in the format so far, and the library writes those.
func bloomBits(raw []byte) ([]byte, error) {
	if len(raw) < 2 || raw[0] != 0x15 {
		return nil, errors.New("unknown header")
	}
	n, w := binary.Varint(raw[1:])
	if w <= 0 || n < 32 || n%32 != 0 || int64(len(raw))-n < int64(1+w) || int64(len(raw))-n > 32 {
		return nil, fmt.Errorf("%d bytes of bits in a filter of %d", n, len(raw))
	}
	return raw[int64(len(raw))-n:], nil
}

var bloomHasher = metadata.NewBloomFilter(32, 32, memory.DefaultAllocator).Hasher()

func bloomHash(s string) uint64 { return bloomHasher.Sum64(bytesOf(s)) }

// bloomHas checks a split block bloom filter (https://parquet.apache.org/docs/file-format/bloomfilter/).
func bloomHas(bits []byte, h uint64) bool {
	blocks := uint64(len(bits) / 32)
	block := bits[(h>>32)*blocks>>32*32:]
	key := uint32(h)
	for i, salt := range [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31} {
		if binary.LittleEndian.Uint32(block[4*i:])&(1<<(key*salt>>27)) == 0 {
			return false
		}
	}
	return true
}
