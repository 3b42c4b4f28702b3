package lake

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Columns are added as versions go on (event.Column.Since), and files from before lack them. In their rows such a column is NULL; what the text says of it is for whoever reads them.

// columnsOf gives a file's column of each leaf, -1 where it was written before there was such a column. All others must be there, under their names, and nothing else.
func (l *layout) columnsOf(sc *schema.Schema) ([]int, error) {
	at := make([]int, len(l.leaves))
	for i := range at {
		at[i] = -1
	}
	for i := range sc.NumColumns() {
		c := sc.Column(i)
		n, ok := l.byID[c.SchemaNode().FieldID()]
		if !ok {
			return nil, fmt.Errorf("%w: field %d, %s, is none of this version's", errSchema, c.SchemaNode().FieldID(), c.Path())
		}
		if at[n] >= 0 {
			return nil, fmt.Errorf("field %d, %s, is there twice", c.SchemaNode().FieldID(), c.Path())
		}
		if known := l.parq.Column(n); c.Path() != known.Path() || !c.Equals(known) {
			return nil, fmt.Errorf("field %d is column %s, and not the %s that it must be", c.SchemaNode().FieldID(), c.Path(), known.Path())
		}
		at[n] = i
	}
	for n, i := range at {
		if i < 0 && l.leaves[n].since <= 1 {
			return nil, fmt.Errorf("%w: it lacks column %s", errSchema, l.leaves[n].path)
		}
	}
	return at, nil
}

// newer gives the definition level from which on a leaf's row holds something that came later than a decoder version: that of the outermost part of its path that did.
func (l *layout) newer(leaf int, decoder int64) uint8 {
	lf := &l.leaves[leaf]
	level := lf.maxDef
	for n := lf.node; ; n = l.schema.Nodes[n].Parent {
		if int64(l.schema.Nodes[n].Column.Since) > decoder {
			level = l.places[n].level
		}
		if l.schema.Nodes[n].Parent == n {
			return level
		}
	}
}

// neighbour finds a column of the file that lies beside a leaf which the file lacks: it tells how far the path to the leaf is there, up to the definition level of what they both lie in. -1:
// there is none, and so nothing of the path.
func (l *layout) neighbour(s *source, leaf int) (neighbour int, level uint8, repeats bool) {
	for n := l.leaves[leaf].node; l.schema.Nodes[n].Parent != n; {
		n = l.schema.Nodes[n].Parent
		p := &l.places[n]
		for i := p.lo; i < p.hi; i++ {
			if s.leaves[i] >= 0 {
				return i, p.level, l.schema.Nodes[n].InList
			}
		}
	}
	return -1, 0, false
}

// absent is read for a column that the source lacks.
func (w *rewriter) absent(ctx context.Context, s *source, leaf int, want func(group int) bool, fn func(row int64, c *cell) error) error {
	neighbour, level, repeats := w.lay.neighbour(s, leaf)
	var null cell
	fill := func(defs []uint8) {
		null.reset()
		for i, d := range defs {
			null.defs = append(null.defs, min(d, level))
			if w.lay.leaves[leaf].repeated {
				null.reps = append(null.reps, min(uint8(i), 1))
			}
		}
	}
	if neighbour >= 0 {
		return w.read(ctx, s, neighbour, want, func(row int64, c *cell) error {
			if fill(c.defs); !repeats {
				fill(c.defs[:1]) // what repeats lies within the neighbour
			}
			return fn(row, &null)
		})
	}
	fill([]uint8{0})
	for g := range s.starts[1:] {
		if !want(g) {
			continue
		}
		for row := s.starts[g]; row < s.starts[g+1]; row++ {
			if err := fn(row, &null); err != nil {
				return err
			}
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}
