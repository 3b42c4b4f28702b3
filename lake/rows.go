package lake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/lochlake/loch/proof"
)

// Rows calls fn for the rows of the table's newest snapshot that match says yes to, with their exact texts (an erased event's is its tombstone), in no order that means anything. Files are left out as by Plan; match sees
// everything of a row but the hash of its text and whether it was erased, and an ID that is empty where the event has none.
func (l *Lake) Rows(ctx context.Context, storeID string, preds []Predicate, match func(*Kept) bool, fn func(*Kept, []byte) error) error {
	p, err := l.Plan(ctx, storeID, preds)
	if err != nil {
		return err
	}
	defer p.Release()
	lay, err := layoutOf(p.Schema)
	if err != nil {
		return err
	}
	for _, f := range p.Files {
		if err := l.matching(ctx, lay, f, match, fn); err != nil {
			return fmt.Errorf("file %s: %w", f.Key, err)
		}
	}
	return nil
}

func (l *Lake) matching(ctx context.Context, lay *layout, f File, match func(*Kept) bool, fn func(*Kept, []byte) error) error {
	pr, err := file.NewParquetReader(&objectReader{ctx: ctx, store: l.objects, key: f.Key, size: f.Size},
		file.WithReadProps(&parquet.ReaderProperties{BufferSize: 1 << 20, BufferedStreamEnabled: true}))
	if err != nil {
		return err
	}
	defer pr.Close()
	h := &lay.hidden
	var first int64 // row of the group's first
	for g := range pr.NumRowGroups() {
		rg, start := pr.RowGroup(g), first
		first += rg.NumRows()
		column := func(leaf int, fn func(row int64, v *cell) error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := &cells{leaf: &lay.leaves[leaf]}
			i := pr.MetaData().Schema.ColumnIndexByName(r.leaf.path)
			if i < 0 {
				return fmt.Errorf("no column %s", r.leaf.path)
			}
			cr, err := rg.Column(i)
			if err != nil {
				return err
			}
			if !r.fits(cr) {
				return fmt.Errorf("column %s is of another type", r.leaf.path)
			}
			return r.each(cr, rg.NumRows(), fn)
		}
		rows := make([]Kept, rg.NumRows())
		var errs []error
		for leaf, set := range map[int]func(*Kept, *cell){
			lay.byPath["eventid"]: func(k *Kept, v *cell) { k.ID = v.text() },
			h.writer:              func(k *Kept, v *cell) { k.Writer = v.text() },
			h.provenance:          func(k *Kept, v *cell) { k.Provenance = v.text() },
			h.epoch:               func(k *Kept, v *cell) { k.Epoch = v.num() },
			h.sequence:            func(k *Kept, v *cell) { k.Sequence = v.num() },
			h.position:            func(k *Kept, v *cell) { k.Position = int32(v.num()) },
			h.accepted:            func(k *Kept, v *cell) { k.Accepted = v.num() },
			h.conflict:            func(k *Kept, v *cell) { k.Conflict = v.num() == 1 },
			h.time:                func(k *Kept, v *cell) { k.Time, k.Day = v.num(), dayOf(v.num()) },
		} {
			errs = append(errs, column(leaf, func(row int64, v *cell) error { set(&rows[row], v); return nil }))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		wanted := map[int64]bool{}
		for i := range rows {
			rows[i].Row = start + int64(i)
			if match(&rows[i]) {
				wanted[int64(i)] = true
			}
		}
		if len(wanted) == 0 {
			continue
		}
		err := column(h.text, func(row int64, v *cell) error {
			if !wanted[row] {
				return nil
			}
			k, text := rows[row], []byte(v.text())
			if k.Text, k.Erased = proof.ParseTombstone(text); !k.Erased {
				k.Text = sha256.Sum256(text)
			}
			k.ID = proof.IDOf([]byte(k.ID), k.Text)
			return fn(&k, text)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
