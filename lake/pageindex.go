package lake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/objstore"
)

// pages holds the page index of a column's chunk, where there is one, against the pages' own headers, and gives what it says of their values: a claim for each page, or
// one for all that says nothing.
func (h *holder) pages(f *os.File, s *source, g, column int) ([]claim, error) {
	c := s.meta.RowGroups[g].Columns[column]
	nothing := claim{end: s.starts[g+1], places: -1, nulls: -1}
	if c.OffsetIndexOffset == nil && c.ColumnIndexOffset == nil {
		return []claim{nothing}, nil
	}
	if c.OffsetIndexOffset == nil || c.OffsetIndexLength == nil {
		return nil, errors.New("it does not tell where the pages are")
	}
	if h.leaf.repeated {
		return nil, errors.New("the column repeats, and has none in what Loch writes")
	}
	raw, err := readPart(f, *c.OffsetIndexOffset, *c.OffsetIndexLength)
	if err != nil {
		return nil, err
	}
	m := c.MetaData
	at := m.DataPageOffset
	if m.DictionaryPageOffset != nil && *m.DictionaryPageOffset > 0 {
		at = min(at, *m.DictionaryPageOffset)
	}
	rows := s.starts[g+1] - s.starts[g]
	pages, err := pagesOf(&columnChunk{chunk: objstore.Range{Off: at, Len: m.TotalCompressedSize}}, rows, raw)
	if err != nil {
		return nil, err
	}
	var claims []claim
	for i, p := range pages {
		end := rows
		if i+1 < len(pages) {
			end = pages[i+1].first
		}
		b := make([]byte, min(p.Len, pageHeadMost))
		if _, err := f.ReadAt(b, p.Off); err != nil {
			return nil, err
		}
		head, err := readPageHead(b)
		switch {
		case err != nil:
			return nil, fmt.Errorf("page %d: %w", i, err)
		case head.kind != dataPage:
			return nil, fmt.Errorf("page %d has no data", i)
		case int64(head.size)+head.packed != p.Len:
			return nil, fmt.Errorf("page %d takes %d bytes, and by the index %d", i, int64(head.size)+head.packed, p.Len)
		case head.values != end-p.first:
			return nil, fmt.Errorf("page %d has %d rows, and by the index %d", i, head.values, end-p.first)
		}
		claims = append(claims, claim{by: fmt.Sprintf("the index of page %d of row group %d", i, g), end: s.starts[g] + end, places: -1, nulls: -1})
	}
	if c.ColumnIndexOffset == nil {
		return []claim{nothing}, nil
	}
	var n int32
	if c.ColumnIndexLength != nil {
		n = *c.ColumnIndexLength
	}
	if raw, err = readPart(f, *c.ColumnIndexOffset, n); err != nil {
		return nil, err
	}
	return claims, h.columnIndex(s, column, raw, claims)
}

// columnIndex takes up what a column index says of the pages' values.
func (h *holder) columnIndex(s *source, column int, raw []byte, pages []claim) (err error) {
	defer func() { // the library has no other word for an index that it cannot read
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	index := metadata.NewColumnIndex(s.meta.Schema.Column(column), raw, nil, nil)
	empty, lower, upper := index.GetNullPages(), index.GetMinValues(), index.GetMaxValues()
	if len(empty) != len(pages) {
		return fmt.Errorf("it tells of the values of %d pages, and there are %d", len(empty), len(pages))
	}
	last := -1 // page before this one that has values
	for i := range pages {
		c := &pages[i]
		if index.IsSetNullCounts() {
			c.nulls = index.GetNullCounts()[i]
		}
		if empty[i] {
			c.nulls = c.end
			if i > 0 {
				c.nulls -= pages[i-1].end
			}
			continue
		}
		if err := c.bounded(h.leaf, append([]byte{}, lower[i]...), append([]byte{}, upper[i]...)); err != nil {
			return err
		}
		if last >= 0 {
			down, up := h.compare(pages[last].lower, c.lower), h.compare(pages[last].upper, c.upper)
			if o := index.GetBoundaryOrder(); o == metadata.Ascending && max(down, up) > 0 || o == metadata.Descending && min(down, up) < 0 {
				return fmt.Errorf("pages %d and %d are not in the order that it tells of", last, i)
			}
		}
		last = i
	}
	return nil
}

// pageHeadMost bounds the header of a page, in bytes. Loch's take some 20.
const pageHeadMost = 256

// pageHead is what a page's header says.
type pageHead struct {
	kind           int64
	packed, values int64
	size           int // of the header itself, in bytes
}

// readPageHead reads the format's PageHeader, of which appendPageHeader says more.
func readPageHead(b []byte) (h pageHead, err error) {
	r := compact{b: b}
	h.kind = -1
	r.fields(func(id int, n int64) {
		switch id {
		case 1:
			h.kind = n
		case 3:
			h.packed = n
		}
	}, func(id int) {
		r.fields(func(field int, n int64) {
			if field == 1 && (id == 5 || id == 8) { // data_page_header, data_page_header_v2
				h.values = n
			}
		}, func(int) { r.fields(nil, nil) })
	})
	h.size = len(b) - len(r.b)
	return h, r.err
}

// compact reads what page headers have of Thrift's compact protocol.
type compact struct {
	b   []byte
	err error
}

func (r *compact) take(n int) []byte {
	if n > len(r.b) {
		r.err, r.b = errors.New("its header cannot be read"), nil
		return nil
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *compact) varint() uint64 {
	n, w := binary.Uvarint(r.b)
	if w <= 0 {
		r.err, r.b = errors.New("its header cannot be read"), nil
		return 0
	}
	r.b = r.b[w:]
	return n
}

// fields reads a struct to its end: number is called for its numbers, and within for what it holds, which must be read then.
func (r *compact) fields(number func(id int, n int64), within func(id int)) {
	id := 0
	for r.err == nil {
		b := r.take(1)
		if r.err != nil || b[0] == 0 {
			return
		}
		if step := int(b[0] >> 4); step > 0 {
			id += step
		} else {
			n := r.varint()
			id = int(int64(n>>1) ^ -int64(n&1))
		}
		switch b[0] & 15 {
		case 1, 2: // true and false
		case 5, 6: // i32 and i64
			n := r.varint()
			if number != nil {
				number(id, int64(n>>1)^-int64(n&1))
			}
		case 8: // binary
			r.take(int(min(r.varint(), pageHeadMost+1)))
		case 12: // struct
			if within == nil {
				r.err = errors.New("its header holds what no page has")
				return
			}
			within(id)
		default:
			r.err = errors.New("its header holds what no page has")
		}
	}
}
