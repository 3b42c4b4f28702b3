package logfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/lochlake/loch/event"
)

// The sizes of the buffers that a file is inflated into. One holds the largest event whole, and then some.
const (
	minChunk = 64 << 10
	maxChunk = 512 << 10
)

// Reader reads one log file, batch by batch. It belongs to one goroutine.
type Reader struct {
	name string
	opts Options
	dec  *event.Decoder

	src        *source       // nil where the file lies in memory
	stored     *bufio.Reader // over src
	in         io.Reader     // the file inflated; nil before it is known whether it is compressed
	gz         *gzip.Reader
	size       int64  // of the file as stored, where it lies in memory
	chunk      int    // size of the next buffer
	buf        []byte // records share its memory: what was read is never written again
	pos        int    // next byte to parse
	base       int64  // offset of buf[0] in the inflated file
	eof        bool   // buf holds the file's end
	endFault   string // why the file ends, where that is a fault
	endMessage string

	parser
	batch  *Batch
	expect int // records of the next batch, for its size
	done   bool
}

// source counts the bytes of the file as stored, and keeps the error of reading them apart from those of inflating.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

var (
	decoders  = sync.Pool{New: func() any { return event.NewDecoder() }}
	inflaters sync.Pool // *gzip.Reader
	buffers   = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}
)

// Open begins to read the file behind r; name is for messages. It reads nothing yet.
func Open(name string, r io.Reader, opts Options) *Reader {
	rd := newReader(name, opts)
	rd.open(r)
	return rd
}

func newReader(name string, opts Options) *Reader {
	return &Reader{name: name, opts: opts.withDefaults(), chunk: minChunk, dec: decoders.Get().(*event.Decoder)}
}

func (r *Reader) open(src io.Reader) {
	r.src = &source{r: src}
	r.stored = buffers.Get().(*bufio.Reader)
	r.stored.Reset(r.src)
}

// Next gives the next batch, and io.EOF after the last. Any other error is one of reading from the source or ctx's; what is wrong with the file itself is listed in
// the batches.
func (r *Reader) Next(ctx context.Context) (*Batch, error) {
	if r.done {
		return nil, io.EOF
	}
	if err := ctx.Err(); err != nil {
		r.close()
		return nil, err
	}
	r.batch = &Batch{Records: make([]event.Record, 0, r.expect)}
	r.fed = 0
	for r.fed < r.opts.BatchSize && len(r.batch.Bad) < maxBad {
		switch r.step() {
		case wantMore:
			// A long record is tried again only when there is twice as much of it.
			for want := 2 * (len(r.buf) - r.pos); ; {
				if err := r.fill(ctx); err != nil {
					r.close()
					return nil, err
				}
				if r.eof || len(r.buf)-r.pos >= want {
					break
				}
			}
		case finished:
			r.close()
			if r.batch.Read == 0 {
				return nil, io.EOF
			}
			return r.batch, nil
		}
	}
	r.expect = len(r.batch.Records) + len(r.batch.Records)/8
	return r.batch, nil
}

// close gives back what is pooled.
func (r *Reader) close() {
	if r.done {
		return
	}
	r.done = true
	decoders.Put(r.dec)
	if r.stored != nil {
		r.stored.Reset(nil)
		buffers.Put(r.stored)
	}
	if r.gz != nil {
		inflaters.Put(r.gz)
	}
}

// fill reads on. It moves what is not yet parsed to a new buffer where the present one is full.
func (r *Reader) fill(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.in == nil {
		if err := r.detect(); err != nil {
			return err
		}
	}
	if r.eof { // the gzip header is damaged
		return nil
	}
	if len(r.buf) == cap(r.buf) {
		rest := r.buf[r.pos:]
		size := max(r.chunk, 2*len(rest))
		r.chunk = min(max(2*r.chunk, minChunk), maxChunk)
		buf := make([]byte, len(rest), size)
		copy(buf, rest)
		r.base += int64(r.pos)
		r.buf, r.pos = buf, 0
	}
	n, err := r.in.Read(r.buf[len(r.buf):min(cap(r.buf), len(r.buf)+maxChunk)])
	r.buf = r.buf[:len(r.buf)+n]
	switch {
	case r.src != nil && r.src.err != nil:
		return fmt.Errorf("reading %s: %w", r.name, r.src.err)
	case errors.Is(err, io.EOF):
		r.eof = true
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.end(TruncatedGzip, "the gzip stream ends too early")
	case err != nil:
		r.end(CorruptGzip, "the gzip stream is damaged: "+err.Error())
	}
	r.limit()
	return nil
}

// limit ends the reading of a file that inflates beyond its bounds.
func (r *Reader) limit() {
	size, stored := r.base+int64(len(r.buf)), r.size
	if r.src != nil {
		stored = r.src.n
	}
	if size > r.opts.MaxSize {
		r.end(InflationLimit, fmt.Sprintf("the file has more than %d bytes inflated", r.opts.MaxSize))
	} else if r.gz != nil && size > r.opts.RatioFrom && size > r.opts.MaxRatio*stored {
		r.end(InflationLimit, fmt.Sprintf("the file inflates to more than %d times its size", r.opts.MaxRatio))
	}
}

func (r *Reader) end(fault, message string) { r.eof, r.endFault, r.endMessage = true, fault, message }

// detect looks at the first bytes.
func (r *Reader) detect() error {
	head, err := r.stored.Peek(2)
	if r.src.err == nil && (err != nil || !isGzip(head)) {
		r.in = r.stored
		return nil
	}
	r.inflate(r.stored)
	if r.src.err != nil {
		return fmt.Errorf("reading %s: %w", r.name, r.src.err)
	}
	return nil
}

// inflate begins to read gzip. A header that is damaged is the file's end.
func (r *Reader) inflate(stored flate.Reader) {
	var err error
	if z, ok := inflaters.Get().(*gzip.Reader); ok {
		r.gz = z
		err = z.Reset(stored)
	} else {
		r.gz, err = gzip.NewReader(stored)
	}
	r.in = r.gz
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		r.end(TruncatedGzip, "the gzip stream ends within its header")
	case err != nil:
		r.end(CorruptGzip, "the gzip header is damaged: "+err.Error())
	}
}
