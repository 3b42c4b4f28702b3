package lake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/proof"
)

// Bounds on a row group of a rewritten file: its exact texts are in memory together while they are put in order.
const (
	groupRows  = 1 << 16
	groupBytes = 64 << 20
)

// sortedBy is the order of the rows in a rewritten file: what one principal did lies together, and in that what is alike. Of the orders that were
// tried (docs/benchmarks.md) it makes the smallest files, and what investigations look for lies in few row groups. The last three tell rows
// apart, so that the order does not depend on the files that they come from. Columns that a kind lacks are passed over.
var sortedBy = []string{"useridentity.arn", "eventdata.useridentity.principalid", "eventsource", "eventdata.eventsource", "eventname", "eventdata.eventname",
	"eventtime", "_epoch", "_sequence", "_position"}

// errSchema: a file has columns that this version does not know, or lacks some that the first one had. It is not merged with others. A file that was written before a column was
// added lacks it, which is told by its rows' decoder: the column is NULL in them.
var errSchema = errors.New("the file was written with another schema")

// bounds are those on a row group, and on the rows that were never in order and are merged at once.
type bounds struct{ rows, bytes int }

// origin is a row of a source.
type origin struct{ in, row int32 }

// rewriter merges files into one, column by column. What it holds in memory is one column of one row group, the sort keys of all rows, and the
// compressed pages of one row group, however many rows there are: the sources are read as often as there are row groups.
type rewriter struct {
	lay   *layout
	enc   *encoder
	pause func(context.Context) error // called after every bit of work
	most  bounds                      // on a row group
	ins   []*source
	order []origin // of the rows in the new file
	hash  maphash.Hash
	none  [2][16]uint64 // sums of cells without a value, by number of repetition levels and by definition level; 0: not known yet
	cells []cells       // by leaf, made when needed
	shelf shelf
}

// source is a file that is read for a rewrite.
type source struct {
	path   string
	meta   *metadata.FileMetaData
	starts []int64 // first row of each row group, and the number of rows
	leaves []int   // the file's column of each leaf; -1: it was written before there was such a column

	erase map[int64]bool // rows of which nothing but a tombstone is read; nil: none
}

// openSource reads a file's footer. rows is what the table says of it.
func (w *rewriter) openSource(path string, rows int64) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	pr, err := file.NewParquetReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer pr.Close()
	s := &source{path: path, meta: pr.MetaData(), starts: []int64{0}}
	for g := range pr.NumRowGroups() {
		s.starts = append(s.starts, s.starts[g]+pr.RowGroup(g).NumRows())
	}
	if n := s.starts[len(s.starts)-1]; n != rows {
		return nil, fmt.Errorf("it has %d rows, and %d by the table", n, rows)
	}
	if s.meta.NumRows != rows {
		return nil, fmt.Errorf("its footer tells of %d rows, and its row groups of %d", s.meta.NumRows, rows)
	}
	if s.leaves, err = w.lay.columnsOf(s.meta.Schema); err != nil {
		return nil, err
	}
	return s, nil
}

// read calls fn for the rows of one column of the source that lie in its row groups that want names.
func (w *rewriter) read(ctx context.Context, s *source, leaf int, want func(group int) bool, fn func(row int64, c *cell) error) error {
	if s.leaves[leaf] < 0 {
		return w.absent(ctx, s, leaf, want, fn)
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	pr, err := file.NewParquetReader(f, file.WithMetadata(s.meta), file.WithReadProps(&parquet.ReaderProperties{BufferSize: 256 << 10, BufferedStreamEnabled: true}))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer pr.Close()
	if w.cells == nil {
		w.cells = make([]cells, len(w.lay.leaves))
	}
	r := &w.cells[leaf]
	r.leaf = &w.lay.leaves[leaf]
	fn = w.erasing(s, leaf, fn)
	for g := range pr.NumRowGroups() {
		if !want(g) {
			continue
		}
		cr, err := pr.RowGroup(g).Column(s.leaves[leaf])
		if err != nil {
			return err
		}
		if !r.fits(cr) {
			return fmt.Errorf("column %s is of another type", r.leaf.path)
		}
		start := s.starts[g]
		if err := r.each(cr, s.starts[g+1]-start, func(row int64, c *cell) error { return fn(start+row, c) }); err != nil {
			return fmt.Errorf("column %s: %w", r.leaf.path, err)
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// erasing gives fn, for a row that is to be erased, what is left of it: so it passes through order, bounds and filters of the new file as if it had never held more.
func (w *rewriter) erasing(s *source, leaf int, fn func(row int64, c *cell) error) func(row int64, c *cell) error {
	text := leaf == w.lay.hidden.text
	if len(s.erase) == 0 || w.lay.kept(leaf) && !text {
		return fn
	}
	left := cell{defs: []uint8{0}}
	if w.lay.leaves[leaf].repeated {
		left.reps = []uint8{0}
	}
	return func(row int64, c *cell) error {
		if !s.erase[row] {
			return fn(row, c)
		}
		if text {
			t := c.raw[4:]
			if _, already := proof.ParseTombstone(t); already {
				return fn(row, c)
			}
			t = proof.Tombstone(sha256.Sum256(t))
			left.defs[0] = w.lay.leaves[leaf].maxDef
			left.raw = append(binary.LittleEndian.AppendUint32(left.raw[:0], uint32(len(t))), t...)
		}
		return fn(row, &left)
	}
}

func everyGroup(int) bool { return true }

// sort reads the sort keys and puts all rows in order.
func (w *rewriter) sort(ctx context.Context) error {
	var begins []int // of each source's rows among all
	total := 0
	for _, s := range w.ins {
		begins = append(begins, total)
		total += int(s.starts[len(s.starts)-1])
	}
	keys := make([][]int64, len(sortedBy))
	for k, path := range sortedBy {
		i, ok := w.lay.byPath[path]
		if !ok {
			continue // not of this kind
		}
		keys[k] = make([]int64, total)
		numbers := map[string]int64{} // of texts
		for n, s := range w.ins {
			err := w.read(ctx, s, i, everyGroup, func(row int64, c *cell) error {
				key := int64(-1)
				switch {
				case len(c.nums) > 0:
					key = c.nums[0]
				case len(c.raw) > 0:
					if key, ok = numbers[string(c.raw[4:])]; !ok {
						key = int64(len(numbers))
						numbers[string(c.raw[4:])] = key
					}
				}
				keys[k][begins[n]+int(row)] = key
				return nil
			})
			if err != nil {
				return err
			}
		}
		if len(numbers) > 0 {
			ranks := rank(numbers)
			for at, key := range keys[k] {
				if key >= 0 {
					keys[k][at] = ranks[key]
				}
			}
		}
	}
	keys = slices.DeleteFunc(keys, func(k []int64) bool { return k == nil })
	w.order = make([]origin, 0, total)
	for n, s := range w.ins {
		for row := range s.starts[len(s.starts)-1] {
			w.order = append(w.order, origin{int32(n), int32(row)})
		}
	}
	slices.SortFunc(w.order, func(a, b origin) int {
		i, j := begins[a.in]+int(a.row), begins[b.in]+int(b.row)
		for _, k := range keys {
			if k[i] != k[j] {
				return cmp.Compare(k[i], k[j])
			}
		}
		return cmp.Compare(i, j)
	})
	return nil
}

// rank gives the place of each numbered text in their order.
func rank(numbers map[string]int64) []int64 {
	texts := make([]string, 0, len(numbers))
	for t := range numbers {
		texts = append(texts, t)
	}
	slices.Sort(texts)
	ranks := make([]int64, len(texts))
	for r, t := range texts {
		ranks[numbers[t]] = int64(r)
	}
	return ranks
}

// cut gives the number of rows of each row group: as many as its bounds allow.
func (w *rewriter) cut(ctx context.Context) ([]int, error) {
	text := w.lay.hidden.text
	var bytes int64
	for _, s := range w.ins {
		for g := range s.starts[1:] {
			c, err := s.meta.RowGroup(g).ColumnChunk(s.leaves[text])
			if err != nil {
				return nil, err
			}
			bytes += c.TotalUncompressedSize()
		}
	}
	if len(w.order) <= w.most.rows && bytes <= int64(w.most.bytes) {
		return []int{len(w.order)}, nil
	}
	sizes := make([][]int32, len(w.ins))
	for n, s := range w.ins {
		sizes[n] = make([]int32, s.starts[len(s.starts)-1])
		err := w.read(ctx, s, text, everyGroup, func(row int64, c *cell) error {
			sizes[n][row] = int32(len(c.raw))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var groups []int
	rows, held := 0, 0
	for _, o := range w.order {
		size := int(sizes[o.in][o.row])
		if rows > 0 && (rows == w.most.rows || held+size > w.most.bytes) {
			groups, rows, held = append(groups, rows), 0, 0
		}
		rows, held = rows+1, held+size
	}
	return append(groups, rows), nil
}

// write puts the rows of all sources into one file, in order, and gives what the table's metadata will say of it, and the sum of its rows.
func (w *rewriter) write(ctx context.Context, to io.Writer) (stats []leafStats, size int64, sum uint64, err error) {
	if err := w.sort(ctx); err != nil {
		return nil, 0, 0, err
	}
	groups, err := w.cut(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	out := &output{}
	w.enc.take(true)
	f := w.enc.begin(out)
	full := func(c *column, to int) error {
		w.enc.flush(c, to)
		return w.pause(ctx)
	}
	first := 0
	for _, rows := range groups {
		parts := w.parts(w.order[first : first+rows])
		first += rows
		sums := make([]uint64, rows)
		err := f.group(rows, func(leaf int) (*column, error) {
			if err := out.drain(to); err != nil {
				return nil, err
			}
			if err := w.gather(ctx, leaf, rows, parts, sums); err != nil {
				return nil, err
			}
			c := &w.enc.sh.cols[leaf]
			return c, w.shelf.pour(c, full)
		})
		if err != nil {
			return nil, 0, 0, err
		}
		sum += total(sums)
	}
	if err := f.finish(); err != nil {
		return nil, 0, 0, err
	}
	return f.stats, out.Tell(), sum, out.drain(to)
}

// wanted is a row of a source and its place in a row group.
type wanted struct{ row, to int32 }

// parts sorts the rows of a group by source, and there by row.
func (w *rewriter) parts(rows []origin) [][]wanted {
	parts := make([][]wanted, len(w.ins))
	for to, o := range rows {
		parts[o.in] = append(parts[o.in], wanted{o.row, int32(to)})
	}
	for _, p := range parts {
		slices.SortFunc(p, func(a, b wanted) int { return cmp.Compare(a.row, b.row) })
	}
	return parts
}

// gather fills the shelf with one column of a row group, and adds what it holds to the rows' sums.
func (w *rewriter) gather(ctx context.Context, leaf, rows int, parts [][]wanted, sums []uint64) error {
	w.shelf.reset(rows)
	for n, s := range w.ins {
		part := parts[n]
		want := func(g int) bool { return len(part) > 0 && int64(part[0].row) < s.starts[g+1] }
		err := w.read(ctx, s, leaf, want, func(row int64, c *cell) error {
			if len(part) == 0 || int64(part[0].row) != row {
				return nil
			}
			to := part[0].to
			part = part[1:]
			w.shelf.put(int(to), c)
			sums[to] += w.sum(c) * weight(leaf)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		if len(part) > 0 {
			return fmt.Errorf("%s: column %s ends before row %d", s.path, w.lay.leaves[leaf].path, part[0].row)
		}
	}
	return nil
}

// verify reads a file that was written, and gives the number and the sum of its rows.
func (w *rewriter) verify(ctx context.Context, path string, rows int64) (sum uint64, err error) {
	s, err := w.openSource(path, rows)
	if err != nil {
		return 0, err
	}
	sums := make([]uint64, rows)
	for leaf := range w.lay.leaves {
		err := w.read(ctx, s, leaf, everyGroup, func(row int64, c *cell) error {
			sums[row] += w.sum(c) * weight(leaf)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total(sums), nil
}

// sum hashes what the cell holds. Most hold nothing.
func (w *rewriter) sum(c *cell) uint64 {
	if len(c.defs) != 1 || len(c.raw)+len(c.nums) > 0 || int(c.defs[0]) >= len(w.none[0]) {
		return c.sum(&w.hash)
	}
	s := &w.none[len(c.reps)][c.defs[0]]
	if *s == 0 {
		*s = c.sum(&w.hash)
	}
	return *s
}

// weight tells the columns of a row apart in its sum.
func weight(leaf int) uint64 { return uint64(2*leaf+1) * 0x9e3779b97f4a7c15 }

// total is the sum over rows in any order. Each is scrambled first, so that cells which changed places between rows are noticed.
func total(rows []uint64) (sum uint64) {
	for _, x := range rows {
		x = (x ^ x>>33) * 0xff51afd7ed558ccd
		x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
		sum += x ^ x>>33
	}
	return sum
}
