// Package identity is the index from an event's identity to its text, one for each event data store: it tells which events the store has
// already. It stays flat as the store grows: a log-structured merge of sorted runs with filters, where asking for an identity that is
// not there (the usual case) costs about one cache miss a run, and runs number with the logarithm of the identities.
//
// The index holds no identities, only fingerprints: 8 bytes of the identity's SHA-256 and 16 of the text's. Invariants:
//   - Known is answered only where both agree, 24 bytes of SHA-256: the same event. A collision of fingerprints alone can only call
//     an event Conflict that is New. It is stored all the same, so a collision costs a flag and never an event.
//   - A run holds only keys of events that the table holds, or held. (Were a key on disk before its event is committed, a crash between would make the
//     replay take the event for known, and it would be lost.) So keys stay in memory until Applied says that theirs are committed.
//   - The manifest says up to which sequence of the durable log the runs hold everything (Covered). What came later is entered again after
//     a start, from the table and the log. Entering a key twice does no harm; leaving one out would store an event twice.
//   - Events that were removed from the table since the index was made stay known to it. Whoever asks about one of those makes the index anew (Mark tells since when).
//   - The index is derived: whatever is corrupt in it, it is removed and made anew from the table.
package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/lochlake/loch/disk"
)

// Verdict is what the index knows of an event.
type Verdict uint8

// The verdicts.
const (
	New      Verdict = iota // the identity was not there
	Known                   // the identity was there with this text
	Conflict                // the identity was there, with other texts only
)

// Key stands for an event in the index.
type Key struct {
	fp   uint64
	hash [16]byte
}

// KeyOf makes the key of an event of the given identity, and SHA-256 of its text.
func KeyOf(identity string, text [32]byte) Key {
	// Identities are short; a copy on the stack saves the conversion's allocation.
	var b [128]byte
	h := sha256.Sum256(append(b[:0], identity...))
	return Key{le.Uint64(h[:]), [16]byte(text[:16])}
}

// Options are an index's settings; the zero value of each but Dir is its default.
type Options struct {
	Dir     string
	Memory  int           // keys kept in memory before they go to a run; default 131,072 (6 MB)
	Fanout  int           // runs of one size that are merged into one; default 4
	Merging chan struct{} // a semaphore for merges, shared by the indexes of a server; default: no bound
	FS      disk.FS       // default disk.OS
	Logger  *slog.Logger  // default slog.Default()
	Mark    int64         // kept with an index that is made, and told by Mark
}

var errClosed = errors.New("identity index is closed")

// maxFrozen bounds the full tables that wait for the disk though their events are committed.
const maxFrozen = 4

// Index is an open index. Check, Add, Ready and Flush are for one goroutine (the store's); Applied and Stats for any.
type Index struct {
	opt     Options
	log     *slog.Logger
	scratch []byte
	flags   []uint8
	warmed  uint64 // so that table.warm is not optimised away

	mu       sync.Mutex
	changed  sync.Cond // on mu: a table was flushed, the worker ended, or a Check
	table    *table
	frozen   []*table // full, oldest first; they never change
	runs     []*run   // oldest first; replaced, never changed
	man      manifest
	applied  int64
	filling  bool   // until Ready: the runs do not cover more than they did
	checking bool   // a Check reads runs
	stale    []*run // taken out of runs while a Check read; it closes them when it ends
	working  bool   // the worker goroutine runs
	closed   bool
	failed   error // of the worker's last attempt
}

// Mark is Options.Mark of the time when the index was made, from what the table held then; 0 where a version made it that kept none.
func (x *Index) Mark() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.man.Mark
}

// Check decides on keys, in order, and enters those that are New or Conflict, so that a later equal key is Known. sequence is the record of the
// durable log that brought them; it never falls from call to call. verdicts is as long as keys. On an error nothing was entered.
func (x *Index) Check(ctx context.Context, keys []Key, sequence int64, verdicts []Verdict) error {
	runs, frozen, err := x.begin(ctx)
	if err != nil {
		return err
	}
	flags, err := x.look(runs, frozen, keys)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err = errors.Join(err, x.end()); err != nil {
		return err
	}
	first := sequence
	if x.filling {
		first = x.man.Covered + 1 // of what Add brings only the bounds are known
	}
	x.warmed += x.table.warm(keys)
	for i, k := range keys {
		fp, exact := flags[i]&seen != 0, flags[i]&same != 0
		if !exact {
			f, e := x.table.find(k)
			fp, exact = fp || f, e
		}
		switch {
		case exact:
			verdicts[i] = Known
			continue
		case fp:
			verdicts[i] = Conflict
		default:
			verdicts[i] = New
		}
		x.table.add(k, first, sequence)
	}
	return nil
}

// Add enters keys of events that the table held when the index was opened: of records after Covered, in any order.
func (x *Index) Add(ctx context.Context, keys []Key) error {
	return x.Check(ctx, keys, x.applied, make([]Verdict, len(keys)))
}

// Ready says that Add has entered everything.
func (x *Index) Ready() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.filling = false
}

// What a look at the frozen tables and runs found of a key.
const (
	seen uint8 = 1 // the fingerprint
	same uint8 = 2 // the key
)

// look goes run by run, not key by key: the filters' cache misses of one run are independent, so the processor overlaps them.
func (x *Index) look(runs []*run, frozen []*table, keys []Key) (_ []uint8, err error) {
	defer recoverFault(&err)()
	if cap(x.flags) < len(keys) {
		x.flags = make([]uint8, len(keys))
	}
	flags := x.flags[:len(keys)]
	clear(flags)
	mark := func(i int, fp, exact bool) {
		if fp {
			flags[i] |= seen
		}
		if exact {
			flags[i] |= same
		}
	}
	for _, t := range frozen {
		for i := range keys {
			if t.mayHold(keys[i].fp) {
				fp, exact := t.find(keys[i])
				mark(i, fp, exact)
			}
		}
	}
	for _, r := range slices.Backward(runs) { // newest first: what came lately is what comes again
		for i, k := range keys {
			if flags[i]&same == 0 && r.mayHold(k.fp) {
				fp, exact, err := r.find(k, &x.scratch)
				if err != nil {
					return nil, err
				}
				mark(i, fp, exact)
			}
		}
	}
	return flags, nil
}

// begin freezes a full table, waits while too many wait for the disk, and gives runs and frozen tables as they are at one moment: a table that
// became a run between two looks would be missed.
func (x *Index) begin(ctx context.Context) ([]*run, []*table, error) {
	defer x.wake(ctx)()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.table.n >= x.opt.Memory {
		x.freeze()
		x.start()
	}
	for len(x.frozen) > maxFrozen && x.frozen[0].last <= x.applied && !x.closed {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if x.failed != nil && !x.working {
			err := x.failed
			x.start() // whoever waits asks for the next attempt
			return nil, nil, err
		}
		x.changed.Wait()
	}
	if x.closed {
		return nil, nil, errClosed
	}
	x.checking = true
	return x.runs, slices.Clone(x.frozen), nil
}

// wake lets who waits on changed see that ctx has ended.
func (x *Index) wake(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.changed.Broadcast()
	})
}

// end ends what begin began. The caller holds mu.
func (x *Index) end() error {
	x.checking = false
	err := closeRuns(x.stale)
	x.stale = nil
	x.changed.Broadcast()
	return err
}

func closeRuns(runs []*run) error {
	var err error
	for _, r := range runs {
		err = errors.Join(err, r.close())
	}
	return err
}

// freeze makes room for new keys: as much at once as those before took, so that they need not be moved as the table grows. The caller holds mu.
func (x *Index) freeze() {
	x.frozen = append(x.frozen, x.table)
	x.table = newTable(64 - x.table.shift)
}

// Applied says that the table holds the events of every record up to the sequence. Their keys may go to disk.
func (x *Index) Applied(sequence int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.applied = max(x.applied, sequence)
	x.start()
}

// Covered is the sequence up to which the index on disk holds everything.
func (x *Index) Covered() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.man.Covered
}

// Flush writes the keys that may go to disk, as a clean stop does so that the next start need not read the table. It waits for the worker. Its error is of a try that began after
// the call: one that was under way may have failed by what is over.
func (x *Index) Flush(ctx context.Context) error {
	defer x.wake(ctx)()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.table.n > 0 && x.table.last <= x.applied {
		x.freeze()
	}
	x.rest(ctx)
	x.failed = nil
	x.start()
	x.rest(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	return x.failed
}

// rest waits until the worker has ended, or ctx has. The caller holds mu.
func (x *Index) rest(ctx context.Context) {
	for x.working && ctx.Err() == nil {
		x.changed.Wait()
	}
}

// Stats is what an index holds.
type Stats struct {
	Runs   int
	Keys   int64 // on disk
	Memory int64 // keys in memory
	Bytes  int64 // on disk
}

// Stats tells what the index holds.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := Stats{Runs: len(x.runs), Memory: int64(x.table.n)}
	for _, t := range x.frozen {
		s.Memory += int64(t.n)
	}
	for _, r := range x.runs {
		s.Keys += int64(r.count)
		s.Bytes += r.entries + int64(r.count)*entrySize + int64(len(r.buckets)) + footerSize
	}
	return s
}

// Close ends the worker where it stands and closes the runs. Keys in memory are given up: a start enters them again.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.changed.Broadcast()
	for x.working || x.checking {
		x.changed.Wait()
	}
	err := closeRuns(x.runs)
	x.runs = nil
	if err != nil {
		return fmt.Errorf("close the identity index: %w", err)
	}
	return nil
}
