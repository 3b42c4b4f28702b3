package lake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Stored is a row of a table as the identity index needs it. Its slices are valid until the next one.
type Stored struct {
	EventID    []byte // nil where the event has none: then its identity is the hex form of Hash
	Provenance []byte
	Hash       [32]byte // SHA-256 of the exact text, of an erased event too
	Sequence   int64    // of the durable log
	Time       int64    // eventTime in microseconds
}

// identityBatch is how many rows are read at once; their texts are in memory together.
const identityBatch = 512

// Identities calls fn for every row that the durable log brought after the sequence since (-1: for every row), file by file, in no order that
// means anything. It stops at fn's first error. Only files that hold such rows are read.
func (l *Lake) Identities(ctx context.Context, storeID string, since int64, fn func(*Stored) error) error {
	p, err := l.Plan(ctx, storeID, []Predicate{{Path: "_sequence", Op: Greater, Values: []Value{{Num: since}}}})
	if err != nil {
		return err
	}
	defer p.Release()
	text := p.Schema.Nodes[p.Schema.Text].Path
	for _, f := range p.Files {
		if err := l.identities(ctx, f, text, since, fn); err != nil {
			return fmt.Errorf("file %s: %w", f.Key, err)
		}
	}
	return nil
}

func (l *Lake) identities(ctx context.Context, f File, text string, since int64, fn func(*Stored) error) error {
	pr, err := file.NewParquetReader(&objectReader{ctx: ctx, store: l.objects, key: f.Key, size: f.Size},
		file.WithReadProps(&parquet.ReaderProperties{BufferSize: 1 << 20, BufferedStreamEnabled: true}))
	if err != nil {
		return err
	}
	defer pr.Close()
	for g := range pr.NumRowGroups() {
		rg := pr.RowGroup(g)
		var (
			ids, provs, bodies texts
			seqs, times        numbers
		)
		for name, open := range map[string]func(file.ColumnChunkReader) error{
			"eventid": ids.open, "_provenance": provs.open, text: bodies.open, "_sequence": seqs.open, "eventtime": times.open,
		} {
			i := pr.MetaData().Schema.ColumnIndexByName(name)
			if i < 0 {
				return fmt.Errorf("no column %s", name)
			}
			c, err := rg.Column(i)
			if err != nil {
				return err
			}
			if err := open(c); err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
		}
		for left := rg.NumRows(); left > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(left, identityBatch)
			left -= n
			for _, read := range []func(int64) error{ids.read, provs.read, bodies.read, seqs.read, times.read} {
				if err := read(n); err != nil {
					return err
				}
			}
			for range n {
				s := Stored{EventID: ids.next(), Provenance: provs.next(), Sequence: seqs.next(), Time: times.next()}
				t := bodies.next()
				if s.Sequence <= since {
					continue
				}
				var erased bool
				if s.Hash, erased = proof.ParseTombstone(t); !erased {
					s.Hash = sha256.Sum256(t)
				}
				if err := fn(&s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// texts reads an optional string column a batch at a time.
type texts struct {
	r      *file.ByteArrayColumnChunkReader
	values [identityBatch]parquet.ByteArray
	defs   [identityBatch]int16
	row    int
	value  int
}

func (c *texts) open(r file.ColumnChunkReader) (err error) {
	var ok bool
	if c.r, ok = r.(*file.ByteArrayColumnChunkReader); !ok {
		err = errors.New("is no string column")
	}
	return err
}

// read fills the batch. A value is in its page's memory, which goes with the page, so it is copied.
func (c *texts) read(n int64) error {
	c.row, c.value = 0, 0
	for at := int64(0); at < n; {
		total, values, err := c.r.ReadBatchInPage(n-at, c.values[c.value:], c.defs[at:], nil)
		if err != nil {
			return err
		}
		if total == 0 {
			return io.ErrUnexpectedEOF
		}
		for i := range values {
			c.values[c.value+i] = append(make([]byte, 0, len(c.values[c.value+i])), c.values[c.value+i]...)
		}
		c.value += values
		at += total
	}
	c.value = 0
	return nil
}

func (c *texts) next() []byte {
	c.row++
	if c.defs[c.row-1] == 0 {
		return nil
	}
	c.value++
	return c.values[c.value-1]
}

// numbers reads an optional column of 64-bit integers.
type numbers struct {
	r      *file.Int64ColumnChunkReader
	values [identityBatch]int64
	defs   [identityBatch]int16
	row    int
	value  int
}

func (c *numbers) open(r file.ColumnChunkReader) (err error) {
	var ok bool
	if c.r, ok = r.(*file.Int64ColumnChunkReader); !ok {
		err = errors.New("is no column of 64-bit integers")
	}
	return err
}

func (c *numbers) read(n int64) error {
	c.row, c.value = 0, 0
	for at := int64(0); at < n; {
		total, values, err := c.r.ReadBatchInPage(n-at, c.values[c.value:], c.defs[at:], nil)
		if err != nil {
			return err
		}
		if total == 0 {
			return io.ErrUnexpectedEOF
		}
		c.value += values
		at += total
	}
	c.value = 0
	return nil
}

func (c *numbers) next() int64 {
	c.row++
	if c.defs[c.row-1] == 0 {
		return 0
	}
	c.value++
	return c.values[c.value-1]
}

// objectReader reads an object as a file.
type objectReader struct {
	ctx   context.Context
	store objstore.Store
	key   string
	size  int64
	at    int64
}

func (o *objectReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= o.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), o.size-off)
	r, err := o.store.Get(o.ctx, o.key, off, want)
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r, p[:want])
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (o *objectReader) Read(p []byte) (int, error) {
	n, err := o.ReadAt(p, o.at)
	o.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (o *objectReader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += o.at
	case io.SeekEnd:
		off += o.size
	}
	if off < 0 {
		return 0, errors.New("seek before the start")
	}
	o.at = off
	return off, nil
}
