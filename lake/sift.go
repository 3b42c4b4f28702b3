package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/objstore"
)

// Bounds on what is sifted. Beyond them an engine reads the files themselves, which takes less.
const (
	siftFiles = 64
	siftRows  = 256
	siftBytes = 8 << 20 // of the rows' columns
)

// Sought is an equality: the column at Path has one of the values.
type Sought struct {
	Path   string // dotted
	Values []string
}

// Sifted is what a Sift found.
type Sifted struct {
	Rows  int64
	Bytes int64 // of the files that were read
}

// Near brings parts of an object near, to a file of its size that has them at their own places, which stays until release is called; *objstore.Cache does.
type Near interface {
	Fetch(ctx context.Context, key string, size int64, want []objstore.Range) (path string, release func(), err error)
}

// Sift writes to a new Parquet file at path the rows of planned files for which one of the equalities holds (the first that bloom filters stand for), with
// the named top-level columns; the others are NULL. Of the exact texts, which are most of a file, it fetches the pages alone in which such a row lies.
// It is for few rows: ok is false, and there is no file, where there are more, or where the files are of another schema than the table's by now.
func (l *Lake) Sift(ctx context.Context, schema *event.TableSchema, files []File, columns []string, equal []Sought, near Near, path string) (found Sifted, ok bool, err error) {
	lay, err := layoutOf(schema)
	if err != nil {
		return found, false, err
	}
	s := &sift{lake: l, lay: lay, near: near}
	for _, e := range equal {
		if i, known := lay.byPath[strings.ToLower(e.Path)]; known && lay.leaves[i].bloom && lay.leaves[i].since <= 1 && len(e.Values) > 0 {
			s.key, s.values = i, e.Values
			break
		}
	}
	if s.values == nil || len(files) > siftFiles {
		return found, false, nil
	}
	for i := range lay.leaves {
		top, _, _ := strings.Cut(lay.leaves[i].path, ".")
		if i == s.key || slices.Contains(columns, top) {
			s.leaves = append(s.leaves, i)
		}
	}
	kept := make([]shelves, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(bloomReaders)
	for n, f := range files {
		g.Go(func() (err error) {
			if kept[n], err = s.file(gctx, f); err != nil && !errors.Is(err, errSiftMore) && !errors.Is(err, errSchema) {
				return fmt.Errorf("file %s: %w", f.Key, err)
			}
			return err
		})
	}
	if err := g.Wait(); errors.Is(err, errSiftMore) || errors.Is(err, errSchema) {
		return found, false, nil
	} else if err != nil {
		return found, false, err
	}
	found = Sifted{s.rows.Load(), s.read.Load()}
	if err := s.write(kept, path); err != nil {
		return found, false, errors.Join(err, os.Remove(path))
	}
	return found, true, nil
}

// errSiftMore: there is more to be found than a sift is for.
var errSiftMore = errors.New("more is found than is sifted")

// sift is one under way.
type sift struct {
	lake   *Lake
	lay    *layout
	near   Near
	key    int // the leaf that is compared
	values []string
	leaves []int // all that are read, in order

	rows, bytes, read atomic.Int64 // found; read of the files
}

// shelves are what was found in a file: the rows' cells, by leaf.
type shelves struct {
	rows  int
	cells map[int][]cell
}

// file finds a file's rows.
func (s *sift) file(ctx context.Context, f File) (kept shelves, err error) {
	ft, _, err := s.lake.footer(ctx, f)
	if err != nil {
		return kept, err
	}
	filters, err := s.lake.bloom(ctx, f, s.lay.leaves[s.key].path)
	if err != nil {
		return kept, err
	}
	var groups []siftGroup
	var want []objstore.Range
	for g, rows := range ft.groups {
		if filters != nil && !slices.ContainsFunc(s.values, func(v string) bool { return bloomHas(filters[g], bloomHash(v)) }) {
			continue
		}
		sg := siftGroup{rows: rows, ft: ft, chunks: make([]*columnChunk, len(s.lay.leaves))}
		for i := range ft.columns {
			c := &ft.columns[i]
			if int(c.group) != g {
				continue
			}
			if n, ok := s.lay.byID[c.id]; ok {
				sg.chunks[n] = c
			}
		}
		for _, n := range s.leaves {
			c := sg.chunks[n]
			if c == nil || c.kind != s.lay.leaves[n].stored() {
				return kept, errSchema
			}
			if !s.lay.leaves[n].repeated && c.values != rows {
				return kept, fmt.Errorf("column %s has %d of a row group's %d rows", s.lay.leaves[n].path, c.values, rows)
			}
			if !s.paged(n) {
				want = append(want, c.chunk)
			}
		}
		groups = append(groups, sg)
	}
	if len(groups) == 0 {
		return kept, nil
	}
	columns, err := s.bring(ctx, f, want)
	if err != nil {
		return kept, err
	}
	defer columns.letGo()
	want = nil
	err = s.with(ctx, func(w *sifter) error {
		for i := range groups {
			g := &groups[i]
			if err := s.find(w, g, columns); err != nil {
				return fmt.Errorf("column %s: %w", s.lay.leaves[s.key].path, err)
			}
			if kept.rows += len(g.found); s.rows.Add(int64(len(g.found))) > siftRows {
				return errSiftMore
			}
			for _, n := range s.leaves {
				if s.paged(n) {
					for _, p := range g.pages(n) {
						want = append(want, p.Range)
					}
				}
			}
		}
		return nil
	})
	if err != nil || kept.rows == 0 {
		return kept, err
	}
	texts, err := s.bring(ctx, f, want)
	if err != nil {
		return kept, err
	}
	defer texts.letGo()
	kept.cells = map[int][]cell{}
	return kept, s.with(ctx, func(w *sifter) error {
		for i := range groups {
			for _, n := range s.leaves {
				from := columns
				if s.paged(n) {
					from = texts
				}
				if err := s.take(w, &groups[i], n, from, &kept); err != nil {
					return fmt.Errorf("column %s: %w", s.lay.leaves[n].path, err)
				}
			}
		}
		return nil
	})
}

// paged tells whether a leaf's pages are fetched one by one, when it is known which have rows that were found.
func (s *sift) paged(leaf int) bool { return boundless[s.lay.leaves[leaf].path] }

// siftGroup is a row group that may hold what is sought.
type siftGroup struct {
	rows   int64
	ft     *footer
	chunks []*columnChunk // by leaf
	found  []int64        // rows, in order
}

// siftPage is a run of a chunk with whole pages.
type siftPage struct {
	objstore.Range
	rows, values int64   // that it has
	found        []int64 // of the rows that were found, counted from its first
	part         bool    // of a chunk: an index tells where it is and what it has
}

// pages are the pages of a leaf that have rows which were found: the whole chunk where its pages' places are not known.
func (g *siftGroup) pages(leaf int) (out []siftPage) {
	c := g.chunks[leaf]
	if len(g.found) == 0 {
		return nil
	}
	pages := g.ft.pages[c.chunk.Off]
	if pages == nil {
		return []siftPage{{Range: c.chunk, rows: g.rows, values: c.values, found: g.found}}
	}
	left := g.found
	for i, p := range pages {
		end := g.rows
		if i+1 < len(pages) {
			end = pages[i+1].first
		}
		page := siftPage{Range: p.Range, rows: end - p.first, values: end - p.first, part: true}
		for ; len(left) > 0 && left[0] < end; left = left[1:] {
			page.found = append(page.found, left[0]-p.first)
		}
		if page.found != nil {
			out = append(out, page)
		}
	}
	return out
}

// find looks for the rows of a group that have one of the values.
func (s *sift) find(w *sifter, g *siftGroup, from *brought) error {
	c := g.chunks[s.key]
	cr, err := w.open(s.lay, s.key, c.codec, siftPage{Range: c.chunk, values: c.values}, from)
	if err != nil {
		return err
	}
	r := &w.cells
	return r.scan(cr, g.rows, func(first int64, entries int) error {
		value := 0
		for i := range entries {
			if uint8(r.defs[i]) != r.leaf.maxDef {
				continue
			}
			if s.sought(r.texs[value]) {
				g.found = append(g.found, first+int64(i))
			}
			value++
		}
		return nil
	})
}

// sought tells whether a text is one of the values. (A conversion that is compared at once makes no copy, as it would for slices.Contains, of every row.)
func (s *sift) sought(text []byte) bool {
	for _, v := range s.values {
		if v == string(text) {
			return true
		}
	}
	return false
}

// take keeps the cells of a leaf in the rows that were found in a group.
func (s *sift) take(w *sifter, g *siftGroup, leaf int, from *brought, kept *shelves) error {
	for _, p := range g.pages(leaf) {
		cr, err := w.open(s.lay, leaf, g.chunks[leaf].codec, p, from)
		if err != nil {
			return err
		}
		err = w.cells.some(cr, p.rows, p.found, p.part, func(c *cell) error {
			if s.bytes.Add(int64(len(c.raw))) > siftBytes {
				return errSiftMore
			}
			kept.cells[leaf] = append(kept.cells[leaf], c.clone())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write puts what was found into a file, in the order of the files.
func (s *sift) write(kept []shelves, path string) error {
	enc := s.lay.pool.Get().(*encoder)
	defer s.lay.pool.Put(enc)
	enc.take(false)
	out := outputs.Get().(*output)
	defer outputs.Put(out)
	*out = output{buf: out.buf[:0]}
	rows := int(s.rows.Load())
	f := enc.begin(out)
	var sh shelf
	err := f.group(rows, func(leaf int) (*column, error) {
		sh.reset(rows)
		at := 0
		for _, k := range kept {
			cells, read := k.cells[leaf]
			if !read && !slices.Contains(s.leaves, leaf) {
				cells = s.nothing(leaf, k.rows)
			}
			if len(cells) != k.rows {
				return nil, fmt.Errorf("column %s has %d of %d rows", s.lay.leaves[leaf].path, len(cells), k.rows)
			}
			for i := range cells {
				sh.put(at, &cells[i])
				at++
			}
		}
		c := &enc.sh.cols[leaf]
		return c, sh.pour(c, func(c *column, to int) error { enc.flush(c, to); return nil })
	})
	if err != nil {
		return err
	}
	if err := f.finish(); err != nil {
		return err
	}
	return os.WriteFile(path, out.buf, 0o600)
}

// nothing is NULLs of a leaf, for so many rows.
func (s *sift) nothing(leaf, rows int) []cell {
	null := cell{defs: []uint8{0}}
	if s.lay.leaves[leaf].repeated {
		null.reps = []uint8{0}
	}
	return slices.Repeat([]cell{null}, rows)
}
