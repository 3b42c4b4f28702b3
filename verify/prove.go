package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// Errors of Prove.
var (
	ErrNoEvent    = errors.New("no such event in the store")
	ErrErased     = errors.New("the event was erased: without its text there is no proof of it")
	ErrNotCovered = errors.New("no checkpoint covers the event yet: its batch waits for the log; try again in a moment")
)

// Rows is the lake as Prove uses it; *lake.Lake is one.
type Rows interface {
	Rows(ctx context.Context, storeID string, preds []lake.Predicate, match func(*lake.Kept) bool, fn func(*lake.Kept, []byte) error) error
}

// Prove makes the proof of an event, by its eventID: of the first that was kept under it, where there are several with different texts. It verifies what it made.
func Prove(ctx context.Context, rows Rows, log tlog.Reader, key proof.PublicKey, eventID string) (proof.File, error) {
	f := proof.File{Version: proof.FileVersion, Store: log.StoreID}
	var event *lake.Kept
	err := rows.Rows(ctx, log.StoreID, []lake.Predicate{{Path: "eventid", Op: lake.Equal, Values: []lake.Value{{Text: eventID}}}},
		func(k *lake.Kept) bool { return k.ID == eventID && (event == nil || k.Sequence < event.Sequence) },
		func(k *lake.Kept, text []byte) error {
			if event == nil || k.Sequence < event.Sequence {
				event, f.Text = k, text
			}
			return nil
		})
	if err != nil {
		return f, err
	}
	if event == nil {
		return f, ErrNoEvent
	}
	if event.Erased {
		return f, ErrErased
	}
	f.Event = proof.FileEvent{ID: event.ID, Writer: event.Writer, Epoch: event.Epoch, Sequence: event.Sequence, Position: event.Position, Accepted: event.Accepted,
		Provenance: event.Provenance, Conflict: event.Conflict}
	batch, err := covering(ctx, log, key, event, &f)
	if err != nil {
		return f, err
	}
	if err := path(ctx, rows, log.StoreID, event, batch, &f); err != nil {
		return f, err
	}
	if err := f.Verify(key); err != nil {
		return f, fmt.Errorf("the proof of event %s does not hold: verify the lake: %w", eventID, err)
	}
	return f, nil
}

// covering finds the batch of the event in the log, and the way from it to the checkpoint.
func covering(ctx context.Context, log tlog.Reader, key proof.PublicKey, e *lake.Kept, f *proof.File) (*proof.Batch, error) {
	signed, err := log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := proof.OpenCheckpoint(signed, key, log.StoreID)
	if err != nil {
		return nil, err
	}
	f.Checkpoint = string(signed)
	day := time.Unix(int64(e.Day)*86400, 0).UTC().Format(time.DateOnly)
	var batch *proof.Batch
	errFound := errors.New("found")
	err = log.Leaves(ctx, cp.Size, func(index uint64, data []byte) error {
		leaf, err := proof.DecodeLeaf(data)
		if err != nil {
			return err
		}
		if b := leaf.Batch; b != nil && b.Writer == e.Writer && b.Epoch == e.Epoch && b.Sequence == e.Sequence && b.Day == day && b.First <= e.Position && e.Position <= b.Last {
			batch, f.Leaf, f.Index = b, string(data), index
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	if batch == nil {
		return nil, ErrNotCovered
	}
	up, err := log.Path(ctx, f.Index, cp.Size)
	f.Path = proof.Digests(up)
	return batch, err
}

// path makes the tree of the event's batch again, from the rows that it brought.
func path(ctx context.Context, rows Rows, storeID string, e *lake.Kept, b *proof.Batch, f *proof.File) error {
	var hasher proof.Hasher
	var list []placed
	err := rows.Rows(ctx, storeID, []lake.Predicate{{Path: "_sequence", Op: lake.Equal, Values: []lake.Value{{Num: b.Sequence}}}},
		func(k *lake.Kept) bool {
			return k.Sequence == b.Sequence && k.Epoch == b.Epoch && k.Writer == b.Writer && k.Day == e.Day && b.First <= k.Position && k.Position <= b.Last
		},
		func(k *lake.Kept, _ []byte) error {
			list = append(list, placed{position: k.Position, leaf: hasher.Leaf(&k.Event)})
			return nil
		})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b placed) int { return int(a.position) - int(b.position) })
	leaves := make([]proof.Hash, len(list))
	for i, p := range list {
		if leaves[i] = p.leaf; p.position == e.Position {
			f.BatchIndex = uint64(i)
		}
	}
	f.BatchPath = proof.Digests(proof.Path(leaves, f.BatchIndex))
	return nil
}
