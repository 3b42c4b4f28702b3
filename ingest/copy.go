package ingest

import (
	"context"
	"fmt"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// SetWriter names the server that takes events in from its next start on, as the column _writer has it.
func SetWriter(ctx context.Context, db meta.DB, writer string) error {
	return db.SetValue(ctx, writerKey, writer)
}

// Hold keeps the durable log's records from being removed until release is called, once. Metadata that is copied meanwhile can be completed by CopyLog.
func (in *Ingest) Hold() (release func() error) { return in.log.Hold() }

// CopyLog copies to a folder what the durable log has for tables that stand where applied says, by store: a server on a copy of the metadata with these tables, and of this
// log, replays what was accepted and not yet committed. Stores that applied lacks are no more.
func (in *Ingest) CopyLog(ctx context.Context, to string, applied map[string]int64) error {
	return CopyLog(ctx, in.log, to, applied)
}

// CopyLog is Ingest.CopyLog for the log of a stopped server.
func CopyLog(ctx context.Context, log *wal.Log, to string, applied map[string]int64) error {
	return log.Copy(ctx, to, func(rec wal.Record) (bool, error) {
		e, err := decodeEntry(rec.Data)
		if err != nil {
			return false, fmt.Errorf("record %d: %w", rec.Sequence, err)
		}
		for _, s := range e.stores {
			if upTo, ok := applied[s.store]; ok && rec.Sequence > upTo {
				return true, nil
			}
		}
		return false, nil
	})
}
