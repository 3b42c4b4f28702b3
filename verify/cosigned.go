package verify

import (
	"context"
	"errors"
	"time"

	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

const (
	cosignTries = 40 // times that a running server's checkpoint is read again that has no cosignature yet: witnesses are asked after it is published
	cosignPause = 250 * time.Millisecond
)

// cosigned verifies that each witness cosigned the checkpoint. Of a running server a checkpoint that is too fresh is read anew, and the one that counts is given back.
func (r *run) cosigned(ctx context.Context, id string, reader tlog.Reader, signed []byte, cp proof.Checkpoint) ([]byte, proof.Checkpoint, error) {
	missing := func() (err error) {
		for _, w := range r.Witnesses {
			_, e := w.Cosigned(signed)
			err = errors.Join(err, e)
		}
		return err
	}
	for n := 0; r.Logs != nil && n < cosignTries && errors.Is(missing(), proof.ErrNotCosigned); n++ {
		select {
		case <-time.After(cosignPause):
		case <-ctx.Done():
			return signed, cp, ctx.Err()
		}
		again, err := reader.Checkpoint(ctx)
		if err != nil {
			return signed, cp, err
		}
		newer, err := proof.OpenCheckpoint(again, r.Key, id)
		if err != nil || newer.Size < cp.Size {
			break // what was read first is verified, and lacks the cosignature
		}
		signed, cp = again, newer
	}
	for _, w := range r.Witnesses {
		at, err := w.Cosigned(signed)
		if err != nil {
			r.found(id, reader.Key(proof.CheckpointPath), "%v", err)
			continue
		}
		r.report.Cosigned = append(r.report.Cosigned, Cosigned{id, w.Name(), at})
	}
	return signed, cp, nil
}
