package lake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// Erasure takes an event's text and columns out of a store's table and leaves a tombstone: identity, envelope and time, and in place of the text its hash (proof.Tombstone).
type Erasure struct {
	EventID string // or the hexadecimal SHA-256 of the text, of an event that has no ID
	Reason  string
	By      string // ARN of the caller
	At      time.Time
	Dir     string // of files that are at work
}

// Under gives every row of the store under an event's ID, tombstones too: several where texts differ. Their texts are good until fn returns.
func (l *Lake) Under(ctx context.Context, storeID, eventID string, fn func(*Kept, []byte) error) error {
	preds, match := under(eventID)
	return l.Rows(ctx, storeID, preds, match, func(k *Kept, text []byte) error {
		if k.ID != eventID {
			return nil
		}
		return fn(k, text)
	})
}

// under is how the rows under an ID are found; of those without an ID every one's text must be looked at.
func under(eventID string) ([]Predicate, func(*Kept) bool) {
	if len(eventID) == 2*len(proof.Hash{}) {
		return nil, func(k *Kept) bool { return k.ID == eventID || k.ID == "" }
	}
	return []Predicate{{Path: "eventid", Op: Equal, Values: []Value{{Text: eventID}}}}, func(k *Kept) bool { return k.ID == eventID }
}

// Erase erases every event of the store under the ID, in one commit with the leaves that tell of it, and gives what it erased: nothing where only tombstones, or nothing, are there. It is
// meta.ErrHeld where a legal hold covers one of them. The files that held the events stay until Cleanse. Plans that run still read them.
func (l *Lake) Erase(ctx context.Context, storeID string, e Erasure) ([]Kept, error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	t.compact.Lock() // the files stay what they are
	defer t.compact.Unlock()
	p, snap, err := t.pin()
	if err != nil || snap == nil {
		return nil, err
	}
	defer p.Release()
	files, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		return nil, err
	}
	preds, match := under(e.EventID)
	conds := conditions(t.layout, preds)
	var may []*dataFile
	for _, f := range files {
		if mayHold(f, conds) {
			may = append(may, f)
		}
	}
	if may, err = l.byBloom(ctx, may, conds); err != nil {
		return nil, err
	}
	var (
		erased []Kept
		hold   []*dataFile
		rows   = map[string]map[int64]bool{}
	)
	for _, f := range may {
		err := l.matching(ctx, t.layout, f.File, match, func(k *Kept, _ []byte) error {
			if k.ID != e.EventID || k.Erased {
				return nil
			}
			if rows[f.Key] == nil {
				rows[f.Key] = map[int64]bool{}
				hold = append(hold, f)
			}
			rows[f.Key][k.Row] = true
			erased = append(erased, *k)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Key, err)
		}
	}
	if len(erased) == 0 {
		return nil, nil
	}
	if err := l.erase(ctx, t, hold, rows, erased, e); err != nil {
		return nil, fmt.Errorf("erasure in store %s: %w", storeID, err)
	}
	return erased, nil
}

// erase rewrites the files and commits them.
func (l *Lake) erase(ctx context.Context, t *tableState, files []*dataFile, rows map[string]map[int64]bool, erased []Kept, e Erasure) error {
	var told [][]byte
	var h proof.Hasher
	for i := range erased {
		k := &erased[i]
		leaf, err := proof.Leaf{Erasure: &proof.Erasure{Writer: k.Writer, Epoch: k.Epoch, Sequence: k.Sequence, Day: dayName(k.Day), Position: k.Position, Time: proof.Time(time.UnixMicro(k.Time)),
			Entry: proof.Digest(h.Entry(&k.Event)), Reason: e.Reason, By: e.By, At: proof.Time(e.At)}}.Encode()
		if err != nil {
			return err
		}
		told = append(told, leaf)
	}
	var done []merged
	defer func() {
		for _, m := range done {
			l.writing.remove(m.key) // if the table does not name it now, it is an orphan
		}
	}()
	for _, f := range files {
		m, err := l.merge(ctx, t, []*dataFile{f}, rewriting{dir: e.Dir, pause: func(ctx context.Context) error { return ctx.Err() }, erase: rows})
		if errors.Is(err, errSchema) {
			err = errors.New("it has columns that this version does not know, or lacks some, and cannot be rewritten")
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", f.Key, err)
		}
		done = append(done, m)
	}
	allow := func(_ meta.EventDataStore, holds []meta.Hold) error { return Held(erased, holds) }
	return l.replace(ctx, t, done, changing{before: told, removal: &meta.Removal{Allow: allow}})
}

// Held tells, as a meta.ErrHeld, which hold keeps one of the events from being erased.
func Held(events []Kept, holds []meta.Hold) error {
	for i := range events {
		at := time.UnixMicro(events[i].Time)
		if h := meta.HeldBy(holds, at, at.Add(time.Microsecond)); h != nil {
			return h.Err()
		}
	}
	return nil
}
