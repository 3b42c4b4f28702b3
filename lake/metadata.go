package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lochlake/loch/meta"
)

// Metadata gives where the current metadata file of a store's table lies, and its text, Iceberg's table metadata as JSON, for readers beside this
// server. The caller must not change the text. A store without a table is ErrNoTable (and meta.ErrNotFound). Nothing is pinned: the files of a snapshot stay for as
// long as Config.KeepSnapshots says.
func (l *Lake) Metadata(ctx context.Context, storeID string) (location string, text []byte, err error) {
	files := tableFiles{ctx: ctx, store: l.objects, cache: l.cache, held: &l.held}
	for {
		row, err := l.db.Table(ctx, storeID)
		if errors.Is(err, meta.ErrNotFound) {
			return "", nil, fmt.Errorf("store %s: %w: %w", storeID, ErrNoTable, err)
		}
		if err != nil {
			return "", nil, fmt.Errorf("table of store %s: %w", storeID, err)
		}
		text, err := files.read(row.Location)
		if errors.Is(err, fs.ErrNotExist) && row.Location != location {
			location = row.Location // commits went on meanwhile, and the file is gone: look where the table stands now
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("table metadata of store %s: %w", storeID, err)
		}
		return row.Location, text, nil
	}
}
