package lake

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/lochlake/loch/objstore"
)

// brought are ranges of a file that are near.
type brought struct {
	*os.File
	ranges  []objstore.Range
	release func()
}

// bring has ranges of a file brought near, until they are let go.
func (s *sift) bring(ctx context.Context, f File, want []objstore.Range) (*brought, error) {
	path, release, err := s.near.Fetch(ctx, f.Key, f.Size, want)
	if err != nil {
		return nil, err
	}
	near, err := os.Open(path)
	if err != nil {
		release()
		return nil, err
	}
	for _, r := range want {
		s.read.Add(r.Len)
	}
	return &brought{near, want, release}, nil
}

func (b *brought) letGo() {
	_ = b.Close() // it was read only
	b.release()
}

// read reads a range into a buffer that it makes longer where it must. Ranges that were not brought are holes, which nobody may read.
func (b *brought) read(r objstore.Range, buf *[]byte) ([]byte, error) {
	if !slices.Contains(b.ranges, r) {
		return nil, fmt.Errorf("bytes %d+%d were not brought near", r.Off, r.Len)
	}
	*buf = slices.Grow((*buf)[:0], int(r.Len))
	_, err := b.ReadAt((*buf)[:r.Len], r.Off)
	return (*buf)[:r.Len], err
}

// sifter is what it takes to read columns: memory of megabytes, which is dear to get anew for each file.
type sifter struct {
	cells cells
	pages file.PageReader
	raw   []byte
}

var sifters = sync.Pool{New: func() any { return new(sifter) }}

// siftersBusy bounds them: more than there are processors would only take more memory.
var siftersBusy = make(chan struct{}, runtime.GOMAXPROCS(0))

// with lends a sifter. One that failed is not lent again.
func (s *sift) with(ctx context.Context, fn func(*sifter) error) (err error) {
	select {
	case siftersBusy <- struct{}{}:
		defer func() { <-siftersBusy }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w := sifters.Get().(*sifter)
	defer func() {
		if p := recover(); p != nil { // the library's readers do on some damaged files
			err = fmt.Errorf("it cannot be read: %v", p)
		}
		if err == nil {
			sifters.Put(w)
		}
	}()
	return fn(w)
}

// open begins to read pages of a column with the library's reader.
func (w *sifter) open(lay *layout, leaf int, codec int8, p siftPage, from *brought) (file.ColumnChunkReader, error) {
	raw, err := from.read(p.Range, &w.raw)
	if err != nil {
		return nil, err
	}
	if w.pages == nil {
		w.pages, err = file.NewPageReader(&window{b: raw}, p.values, compress.Compression(codec), memory.DefaultAllocator, nil)
		if err != nil {
			return nil, err
		}
	} else {
		w.pages.Reset(&window{b: raw}, p.values, compress.Compression(codec), nil)
	}
	w.cells.leaf = &lay.leaves[leaf]
	return file.NewColumnReader(lay.parq.Column(leaf), w.pages, memory.DefaultAllocator, &levelBuffers), nil
}

var levelBuffers = sync.Pool{New: func() any { return memory.NewResizableBuffer(memory.DefaultAllocator) }}

// window is bytes in memory as the library's readers of pages want them. The interface has two methods more, with types of the library's own, which
// reading from the beginning to the end does not call.
type window struct {
	parquet.BufferedReader
	b []byte
}

func (w *window) Peek(n int) ([]byte, error) {
	if n > len(w.b) {
		return w.b, io.EOF
	}
	return w.b[:n], nil
}

func (w *window) Discard(n int) (int, error) {
	n = min(n, len(w.b))
	w.b = w.b[n:]
	return n, nil
}

func (w *window) BufferSize() int { return len(w.b) }

func (w *window) Read(p []byte) (int, error) {
	if len(w.b) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, w.b)
	w.b = w.b[n:]
	return n, nil
}
