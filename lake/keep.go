package lake

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrChanging: a table is being made, opened or removed; a moment later it is there or not.
var ErrChanging = errors.New("the table is being opened or removed")

// Keep keeps the files of a store's table from being removed, as a running query's are: those of every snapshot that the table has now, until release is called; metadata files
// themselves go with later commits. look is called while nothing commits to the table, so that what the metadata says of it then is what is kept; its error ends it. Of a store without a
// table, and of a table that cannot be opened, look alone is called: nothing changes there. A table that is about to be dropped, or opens meanwhile, is
// ErrChanging.
func (l *Lake) Keep(ctx context.Context, storeID string, look func(ctx context.Context) error) (release func(), err error) {
	nothing := func() {}
	t, err := l.table(ctx, storeID)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := look(ctx); err != nil {
			return nil, err
		}
		if _, err := l.table(ctx, storeID); err == nil {
			return nil, fmt.Errorf("store %s: %w", storeID, ErrChanging)
		}
		return nothing, ctx.Err()
	}
	t.commit.Lock()
	defer t.commit.Unlock()
	err = l.refresh(ctx, t)
	t.mu.Lock()
	dropped := t.dropped
	t.mu.Unlock()
	switch {
	case errors.Is(err, ErrNoTable) && dropped:
		if _, err := l.db.Table(ctx, storeID); err == nil {
			return nil, fmt.Errorf("store %s: %w", storeID, ErrChanging)
		}
		return nothing, look(ctx)
	case err != nil:
		return nil, err
	}
	if err := look(ctx); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids []int64
	for _, s := range t.tbl.Metadata().Snapshots() {
		ids = append(ids, s.SnapshotID)
		t.pins[s.SnapshotID]++
	}
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, id := range ids {
			if t.pins[id]--; t.pins[id] == 0 {
				delete(t.pins, id)
			}
		}
	}), nil
}
