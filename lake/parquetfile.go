package lake

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/event"
)

// filter is a bloom filter of one column of a row group.
type filter struct {
	path string
	bits []byte
}

func bitsOf(b metadata.BloomFilterBuilder) []byte {
	bits := bytes.NewBuffer(make([]byte, 0, b.Size()))
	if _, err := b.WriteTo(bits, nil); err != nil {
		panic(err) // memory takes all
	}
	return bits.Bytes()
}

// begin begins a file at the end of out.
func (e *encoder) begin(out *output) *parquetFile {
	f := &parquetFile{e: e, out: out, meta: metadata.NewFileMetadataBuilder(e.lay.parq, e.lay.props, nil), stats: e.stats}
	f.filters.Schema = e.lay.parq
	out.buf = append(out.buf, "PAR1"...)
	return f
}

// group appends a row group of so many rows, whose columns next gives filled, one after another in the order of the leaves.
func (f *parquetFile) group(rows int, next func(leaf int) (*column, error)) error {
	rg := f.meta.AppendRowGroup()
	rg.SetNumRows(rows)
	blooms := make(map[string]metadata.BloomFilterBuilder)
	for i := range f.e.lay.leaves {
		c, err := next(i)
		if err != nil {
			return err
		}
		var st leafStats
		at := f.out.Tell()
		if err := f.e.column(f.out, rg.NextColumnChunk(), c, &st); err != nil {
			return fmt.Errorf("column %s: %w", c.leaf.path, err)
		}
		if boundless[c.leaf.path] && c.done.data > 1 {
			index, err := c.done.offsets(at)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.leaf.path, err)
			}
			f.indexes = append(f.indexes, pageIndex{f.groups, i, index})
		}
		if f.groups == 0 {
			f.stats[i] = st
		} else {
			f.stats[i].join(c.leaf, st)
		}
		if c.leaf.bloom { // also where all is NULL: a filter that is missing rules out nothing
			fpp := bloomFPP
			if distinctive[c.leaf.path] {
				fpp = distinctFPP
			}
			b := metadata.NewBloomFilterFromNDVAndFPP(uint32(max(len(c.hashes), 1)), fpp, bloomMost, memory.DefaultAllocator)
			b.InsertBulk(c.hashes)
			blooms[c.leaf.path] = b
		}
	}
	if err := rg.Finish(0, f.groups); err != nil {
		return err
	}
	f.filters.AppendRowGroup(rg, blooms)
	f.blooms = append(f.blooms, blooms)
	f.groups++
	return nil
}

// finish appends the bloom filters and the footer.
func (f *parquetFile) finish() error {
	if err := f.filters.WriteTo(f.out); err != nil {
		return err
	}
	f.e.filters = f.e.filters[:0]
	for _, blooms := range f.blooms {
		for path, b := range blooms {
			f.e.filters = append(f.e.filters, filter{path, bitsOf(b)})
			b.Release()
		}
	}
	if err := f.writeIndexes(); err != nil {
		return err
	}
	fm, err := f.meta.Finish()
	if err != nil {
		return err
	}
	at := f.out.Tell()
	if _, err := fm.WriteTo(f.out, nil); err != nil {
		return err
	}
	f.out.buf = binary.LittleEndian.AppendUint32(f.out.buf, uint32(f.out.Tell()-at))
	f.out.buf = append(f.out.buf, "PAR1"...)
	return nil
}

// pageIndex is the offset index of a column of a row group.
type pageIndex struct {
	group int16
	leaf  int
	*metadata.OffsetIndexBuilder
}

// writeIndexes appends the offset indexes, right before the footer, so that one read of a file's end has both.
func (f *parquetFile) writeIndexes() error {
	at := metadata.PageIndexLocation{OffsetIndexLocation: map[uint64][]*metadata.IndexLocation{}}
	for _, x := range f.indexes {
		begin := f.out.Tell()
		if _, err := x.WriteTo(f.out, nil); err != nil {
			return err
		}
		of := at.OffsetIndexLocation[uint64(x.group)]
		if of == nil {
			of = make([]*metadata.IndexLocation, len(f.e.lay.leaves))
			at.OffsetIndexLocation[uint64(x.group)] = of
		}
		of[x.leaf] = &metadata.IndexLocation{Offset: begin, Length: int32(f.out.Tell() - begin)}
	}
	return f.meta.SetPageIndexLocation(at)
}

// join takes in what is said of the same column in another row group.
func (s *leafStats) join(lf *leaf, o leafStats) {
	none, add := s.values == s.nulls, o.values > o.nulls
	s.values, s.nulls = s.values+o.values, s.nulls+o.nulls
	switch {
	case !add:
	case none:
		s.lower, s.upper = o.lower, o.upper
	default:
		if s.lower != nil && (o.lower == nil || compareBounds(lf, o.lower, s.lower) < 0) {
			s.lower = o.lower
		}
		if s.upper != nil && (o.upper == nil || compareBounds(lf, o.upper, s.upper) > 0) {
			s.upper = o.upper
		}
	}
}

// compareBounds orders two bounds of a column, as fixed, lowerBound and upperBound make them.
func compareBounds(lf *leaf, a, b []byte) int {
	switch lf.col.Type {
	case event.String:
		return bytes.Compare(a, b)
	case event.Boolean:
		return int(a[0]) - int(b[0])
	case event.Int:
		return cmp.Compare(int32(binary.LittleEndian.Uint32(a)), int32(binary.LittleEndian.Uint32(b)))
	}
	return cmp.Compare(int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b)))
}
