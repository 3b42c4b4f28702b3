package lake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/lochlake/loch/event"
)

// cell is what one column has for one row: levels, and values as column keeps them.
type cell struct {
	defs []uint8
	reps []uint8 // only where repeated
	raw  []byte  // texts one after another, each behind its length in four bytes
	nums []int64 // values that are no texts
}

func (c *cell) reset() {
	c.defs, c.reps, c.raw, c.nums = c.defs[:0], c.reps[:0], c.raw[:0], c.nums[:0]
}

func (c *cell) clone() cell {
	return cell{slices.Clone(c.defs), slices.Clone(c.reps), slices.Clone(c.raw), slices.Clone(c.nums)}
}

// sum hashes what the cell holds. Sums of one column are comparable within this process.
func (c *cell) sum(h *maphash.Hash) uint64 {
	h.Reset()
	h.Write(c.defs)
	h.Write(c.reps)
	var b [8]byte
	for _, n := range c.nums {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	h.Write(c.raw)
	return h.Sum64()
}

// cellBatch is how many entries of a column are read at once.
const cellBatch = 1024

// cells reads a column of a row group row by row, with the library's own decoders.
type cells struct {
	leaf *leaf
	defs [cellBatch]int16
	reps [cellBatch]int16
	texs [cellBatch]parquet.ByteArray
	i64s [cellBatch]int64
	i32s [cellBatch]int32
	bits [cellBatch]bool
	f64s [cellBatch]float64
	cell cell
}

// each calls fn for every one of the rows, in order. The cell is valid until fn returns.
func (r *cells) each(cr file.ColumnChunkReader, rows int64, fn func(row int64, c *cell) error) error {
	at := int64(-1) // the row that cell gathers
	next := func() error {
		if at >= 0 {
			if err := fn(at, &r.cell); err != nil {
				return err
			}
		}
		at++
		r.cell.reset()
		return nil
	}
	for at < rows-1 || cr.HasNext() {
		entries, err := r.batch(cr)
		if err != nil {
			return err
		}
		if entries == 0 {
			return io.ErrUnexpectedEOF
		}
		value := 0
		for i := range entries {
			if !r.leaf.repeated || r.reps[i] == 0 {
				if err := next(); err != nil {
					return err
				}
				if at >= rows {
					return fmt.Errorf("it has more rows than the %d of its group", rows)
				}
			} else if at < 0 {
				return errors.New("it begins within a row")
			}
			r.cell.defs = append(r.cell.defs, uint8(r.defs[i]))
			if r.leaf.repeated {
				r.cell.reps = append(r.cell.reps, uint8(r.reps[i]))
			}
			if uint8(r.defs[i]) == r.leaf.maxDef {
				r.value(value)
				value++
			}
		}
	}
	return next()
}

// errEnough ends a scan.
var errEnough = errors.New("enough is read")

// scan calls fn for the batches of a column that does not repeat, to its end or until fn says errEnough: of so many entries, the first of which is of that row.
// There must be as many as rows.
func (r *cells) scan(cr file.ColumnChunkReader, rows int64, fn func(first int64, entries int) error) error {
	at := int64(0)
	for at < rows || cr.HasNext() {
		entries, err := r.batch(cr)
		if err != nil {
			return err
		}
		if entries == 0 {
			return io.ErrUnexpectedEOF
		}
		if at+entries > rows {
			return fmt.Errorf("it has more rows than %d", rows)
		}
		if err := fn(at, int(entries)); err == errEnough {
			return nil
		} else if err != nil {
			return err
		}
		at += entries
	}
	return nil
}

// some calls fn for those of the rows that are named, in order. The cell is valid until fn returns. What lies behind the last of them is read only where
// all is, to see that there are as many rows as there should be.
func (r *cells) some(cr file.ColumnChunkReader, rows int64, named []int64, all bool, fn func(c *cell) error) error {
	if r.leaf.repeated {
		return r.each(cr, rows, func(row int64, c *cell) error {
			if len(named) == 0 || named[0] != row {
				return nil
			}
			named = named[1:]
			return fn(c)
		})
	}
	return r.scan(cr, rows, func(first int64, entries int) error {
		i, value := 0, 0
		for ; len(named) > 0 && named[0] < first+int64(entries); named = named[1:] {
			for ; int64(i) < named[0]-first; i++ {
				if uint8(r.defs[i]) == r.leaf.maxDef {
					value++
				}
			}
			r.cell.reset()
			r.cell.defs = append(r.cell.defs, uint8(r.defs[i]))
			if uint8(r.defs[i]) == r.leaf.maxDef {
				r.value(value)
			}
			if err := fn(&r.cell); err != nil {
				return err
			}
		}
		if len(named) == 0 && !all {
			return errEnough
		}
		return nil
	})
}

// batch reads entries, none beyond a page, whose values are in that page's memory.
func (r *cells) batch(cr file.ColumnChunkReader) (entries int64, err error) {
	reps := r.reps[:]
	if !r.leaf.repeated {
		reps = nil
	}
	switch cr := cr.(type) {
	case *file.ByteArrayColumnChunkReader:
		entries, _, err = cr.ReadBatchInPage(cellBatch, r.texs[:], r.defs[:], reps)
	case *file.Int64ColumnChunkReader:
		entries, _, err = cr.ReadBatchInPage(cellBatch, r.i64s[:], r.defs[:], reps)
	case *file.Int32ColumnChunkReader:
		entries, _, err = cr.ReadBatchInPage(cellBatch, r.i32s[:], r.defs[:], reps)
	case *file.BooleanColumnChunkReader:
		entries, _, err = cr.ReadBatchInPage(cellBatch, r.bits[:], r.defs[:], reps)
	case *file.Float64ColumnChunkReader:
		entries, _, err = cr.ReadBatchInPage(cellBatch, r.f64s[:], r.defs[:], reps)
	default:
		return 0, fmt.Errorf("values of type %T", cr)
	}
	return entries, err
}

// value adds value n of the batch to the cell.
func (r *cells) value(n int) {
	switch r.leaf.col.Type {
	case event.Boolean:
		r.cell.nums = append(r.cell.nums, bit(r.bits[n]))
	case event.Int:
		r.cell.nums = append(r.cell.nums, int64(r.i32s[n]))
	case event.Double:
		r.cell.nums = append(r.cell.nums, int64(math.Float64bits(r.f64s[n])))
	case event.Long, event.Timestamp:
		r.cell.nums = append(r.cell.nums, r.i64s[n])
	default:
		r.cell.raw = binary.LittleEndian.AppendUint32(r.cell.raw, uint32(len(r.texs[n])))
		r.cell.raw = append(r.cell.raw, r.texs[n]...)
	}
}

// fits tells whether the column chunk's values are of the leaf's type.
func (r *cells) fits(cr file.ColumnChunkReader) bool {
	d := cr.Descriptor()
	return r.leaf.stored() == kindOf(cr.Type(), d.MaxDefinitionLevel(), d.MaxRepetitionLevel())
}

// stored is how a file has the leaf's values.
func (l *leaf) stored() storedKind {
	t := parquet.Types.ByteArray
	switch l.col.Type {
	case event.Boolean:
		t = parquet.Types.Boolean
	case event.Int:
		t = parquet.Types.Int32
	case event.Double:
		t = parquet.Types.Double
	case event.Long, event.Timestamp:
		t = parquet.Types.Int64
	}
	return kindOf(t, int16(l.maxDef), int16(l.maxRep))
}

// shelf keeps one column's cells of a row group that is put together from rows in any order.
type shelf struct {
	places []shelved // by row
	defs   []uint8
	reps   []uint8
	raw    []byte
	nums   []int64
}

// shelved is where a row's cell lies.
type shelved struct {
	def, defs int // first entry, number of entries
	raw, raws int
	num, nums int
}

func (s *shelf) reset(rows int) {
	s.places = append(s.places[:0], make([]shelved, rows)...)
	s.defs, s.reps, s.raw, s.nums = s.defs[:0], s.reps[:0], s.raw[:0], s.nums[:0]
}

func (s *shelf) put(row int, c *cell) {
	s.places[row] = shelved{len(s.defs), len(c.defs), len(s.raw), len(c.raw), len(s.nums), len(c.nums)}
	s.defs = append(s.defs, c.defs...)
	s.reps = append(s.reps, c.reps...)
	s.raw = append(s.raw, c.raw...)
	s.nums = append(s.nums, c.nums...)
}

// pour fills the column with the cells in the order of rows. full is the shredder's: it finishes a page.
func (s *shelf) pour(c *column, full func(*column, int) error) error {
	c.reset(len(s.places))
	for r := range s.places {
		p := &s.places[r]
		if p.defs == 0 {
			return fmt.Errorf("column %s: row %d of a group was in no file", c.leaf.path, r)
		}
		if len(c.raw) >= c.leaf.page {
			to := r
			if c.leaf.repeated {
				to = len(c.defs)
			}
			if err := full(c, to); err != nil {
				return err
			}
		}
		if c.leaf.repeated {
			c.defs = append(c.defs, s.defs[p.def:p.def+p.defs]...)
			c.reps = append(c.reps, s.reps[p.def:p.def+p.defs]...)
			c.rows = r + 1
		} else {
			c.defs[r] = s.defs[p.def]
		}
		each(s.raw[p.raw:p.raw+p.raws], c.text)
		for _, n := range s.nums[p.num : p.num+p.nums] {
			c.num(n)
		}
	}
	return nil
}
