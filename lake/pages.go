package lake

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/objstore"
)

// pages enters the places of pages into a footer, as the file's offset indexes tell them, and gives the bytes that they take in memory. indexes say
// where these are, chunk by chunk, Len 0 where there is none; Loch's lie together, right before the footer. tail are the file's last bytes.
func (l *Lake) pages(ctx context.Context, f File, ft *footer, indexes []objstore.Range, tail []byte) (size int64, err error) {
	from, to := ft.start, int64(0)
	for _, r := range indexes {
		if r.Len > 0 {
			from, to = min(from, r.Off), max(to, r.Off+r.Len)
		}
	}
	if to == 0 {
		return 0, nil
	}
	if from < 0 || to > ft.start {
		return 0, fmt.Errorf("bytes %d to %d are not before the footer", from, to)
	}
	var raw []byte
	if at := from - (f.Size - int64(len(tail))); at >= 0 {
		raw = tail[at : at+to-from]
	} else if raw, err = l.read(ctx, f.Key, from, to-from); err != nil {
		return 0, err
	}
	ft.pages = map[int64][]pageAt{}
	for i, r := range indexes {
		if r.Len <= 0 {
			continue
		}
		c := &ft.columns[i]
		pages, err := pagesOf(c, ft.groups[c.group], raw[r.Off-from:r.Off-from+r.Len])
		if err != nil {
			return 0, fmt.Errorf("column %s: %w", c.path, err)
		}
		ft.pages[c.chunk.Off] = pages
		size += int64(len(pages)) * int64(unsafe.Sizeof(pageAt{}))
	}
	return size, nil
}

// pagesOf reads an offset index. Its pages must follow one another, without a gap, to the end of the chunk, which may begin with a dictionary, and each must have rows.
func pagesOf(c *columnChunk, rows int64, raw []byte) (pages []pageAt, err error) {
	defer func() { // the library has no other word for an index that it cannot read
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	locations := metadata.NewOffsetIndex(raw, nil, nil).GetPageLocations()
	end, first := c.chunk.Off, int64(0)
	for i, p := range locations {
		switch {
		case i == 0 && (p.Offset < end || p.FirstRowIndex != 0), i > 0 && (p.Offset != end || p.FirstRowIndex <= first), p.CompressedPageSize <= 0, p.FirstRowIndex >= rows:
			return nil, fmt.Errorf("page %d at byte %d, with row %d", i, p.Offset, p.FirstRowIndex)
		}
		end, first = p.Offset+int64(p.CompressedPageSize), p.FirstRowIndex
		pages = append(pages, pageAt{objstore.Range{Off: p.Offset, Len: int64(p.CompressedPageSize)}, first})
	}
	if end != c.chunk.Off+c.chunk.Len {
		return nil, fmt.Errorf("the pages end at byte %d, and the chunk at %d", end, c.chunk.Off+c.chunk.Len)
	}
	return pages, nil
}
