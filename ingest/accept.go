package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/identity"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// batch is the events of one record of the durable log, in memory until every store that wants some of them has them in files.
type batch struct {
	records    []event.Record
	keys       []identity.Key
	sequence   int64
	accepted   int64
	epoch      int64
	provenance string
	shares     []share
	ticket     *Ticket // nil in a replay

	weight int64        // of Ingest.room
	bulk   int64        // of Ingest.bulk
	refs   atomic.Int32 // stores whose applier has not gone through it, and chunks that hold rows of it
	in     *Ingest
}

// release gives the batch's memory back to the budget when nobody needs it any more.
func (b *batch) release() {
	if b.refs.Add(-1) == 0 {
		b.giveRoom()
	}
}

// undo gives back the room of a batch that was not accepted.
func (b *batch) undo() {
	if b.refs.Swap(0) != 0 {
		b.giveRoom()
	}
}

// weigh estimates the memory of a record, and of the row that it becomes.
func weigh(r *event.Record) int64 { return r.Memory() + int64(unsafe.Sizeof(lake.Row{})) }

// Ticket stands for an accepted delivery: its events are durable, and their counts come when every store has checked their identities.
type Ticket struct {
	done chan struct{}

	mu       sync.Mutex
	pending  int // stores
	outcomes []uint8
	counts   meta.Counts
	in       *Ingest
}

// Wait gives what became of the delivery's events. They are in the durable log whether Wait is called or not.
func (t *Ticket) Wait(ctx context.Context) (meta.Counts, error) {
	select {
	case <-t.done:
		return t.counts, nil
	case <-ctx.Done():
		return meta.Counts{}, ctx.Err()
	case <-t.in.ctx.Done():
	}
	select {
	case <-t.done: // both at once
		return t.counts, nil
	default:
		return meta.Counts{}, ErrClosed
	}
}

// checked enters what one store made of its share: outcomes are by place in rows.
func (t *Ticket) checked(rows []int32, outcomes []uint8) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, o := range outcomes {
		t.outcomes[rows[i]] |= o
	}
	if t.pending--; t.pending == 0 {
		t.finish()
	}
}

// finish counts each event once: stored if a store took it, else known if one had it, else expired, else filtered.
func (t *Ticket) finish() {
	for _, o := range t.outcomes {
		switch {
		case o&wasStored != 0:
			t.counts.Stored++
			if o&wasConflict != 0 {
				t.counts.Conflict++
			}
		case o&wasKnown != 0:
			t.counts.Known++
		case o&wasExpired != 0:
			t.counts.Expired++
		default:
			t.counts.Filtered++
		}
	}
	t.in.metrics.count(t.counts)
	close(t.done)
}

// Accept routes a delivery and returns when it is durable: from then on every event of it that a store wants will be in that store's table
// once, whatever happens. On an error nothing was accepted, unless it is ctx's: then the outcome is unknown, and the same delivery may be
// sent again. d's memory must not be changed afterwards.
//
// It waits while there is no room in memory or in the durable log, unless d.NoWait; then it fails with ErrBusy. wal.ErrFailed says that the disk
// takes nothing now, wal.ErrLarge that the payload will never fit, meta.ErrSetBack that nothing is taken until the newer metadata is back.
func (in *Ingest) Accept(ctx context.Context, d Delivery) (*Ticket, error) {
	if err := in.open(ctx, d.NoWait); err != nil {
		return nil, err
	}
	if len(d.Records) > maxRecords || d.Read < int64(len(d.Records)) {
		return nil, fmt.Errorf("a delivery of %d records, %d read, is beyond the bound or wrong", len(d.Records), d.Read)
	}
	now := in.cfg.Now()
	r, err := in.route(ctx, &d)
	if err != nil {
		return nil, err
	}
	t := &Ticket{done: make(chan struct{}), in: in, pending: len(r.shares), outcomes: r.outcomes,
		counts: meta.Counts{Read: d.Read, Bad: d.Read - int64(len(d.Records)), Foreign: r.foreign}}
	if len(r.shares) == 0 { // nobody wants any: there is nothing to keep
		t.finish()
		return t, nil
	}
	b := &batch{records: d.Records, accepted: now.UnixMilli() * 1000, epoch: in.epoch, provenance: d.Provenance, shares: r.shares, ticket: t, in: in}
	b.prepare()
	if err := in.awaitStalled(ctx, b, d.NoWait); err != nil {
		return nil, err
	}
	if err := in.takeRoom(ctx, b, d.NoWait); err != nil {
		return nil, err
	}
	e := entry{accepted: b.accepted, epoch: b.epoch, encoding: d.Encoding, provenance: d.Provenance, records: len(d.Records), stores: r.shares, payload: d.Payload}
	if d.Payload == nil {
		e.encoding, e.payload = textsEncoding, encodeTexts(d.Records)
	}
	if err := in.append(ctx, b, e.head(), e.payload, d.NoWait); err != nil {
		return nil, err
	}
	return t, nil
}

// open waits until the replay is through.
func (in *Ingest) open(ctx context.Context, noWait bool) error {
	if in.closing.Load() {
		return ErrClosed
	}
	if err := in.cfg.Sound(); errors.Is(err, meta.ErrSetBack) {
		return err
	}
	select {
	case <-in.replayed:
		return in.replayErr
	default:
	}
	if noWait {
		return fmt.Errorf("%w: what was accepted before the start is being brought to the tables", ErrBusy)
	}
	select {
	case <-in.replayed:
		return in.replayErr
	case <-ctx.Done():
		return ctx.Err()
	case <-in.ctx.Done():
		return ErrClosed
	}
}

// prepare makes keys and weight, in the caller's goroutine, so that the appliers have little to do.
func (b *batch) prepare() {
	b.keys = make([]identity.Key, len(b.records))
	for i := range b.records {
		r := &b.records[i]
		b.keys[i] = identity.KeyOf(r.ID, r.Hash)
		b.weight += weigh(r)
	}
	b.refs.Store(int32(len(b.shares)))
}

// takeRoom takes room in memory. Deliveries that wait for it take theirs from a part of the whole, so that those that do not wait are not refused because
// an import is under way. Chunks that are being gathered hold room, too: while somebody waits, they are written before they are full.
func (in *Ingest) takeRoom(ctx context.Context, b *batch, noWait bool) error {
	if noWait {
		b.weight = min(b.weight, in.cfg.Memory)
		if !in.room.TryAcquire(b.weight) {
			in.metrics.busy.Inc()
			return fmt.Errorf("%w: too many events wait to be written", ErrBusy)
		}
		in.hold(b.weight)
		return nil
	}
	// A delivery larger than there is has all of it to itself.
	b.weight = min(b.weight, in.bulkSize())
	b.bulk = b.weight
	if !in.bulk.TryAcquire(b.bulk) {
		in.metrics.waiting.Inc()
		defer in.metrics.waiting.Dec()
		in.waiting.Add(1)
		defer in.waiting.Add(-1)
		in.nudge()
		if err := in.bulk.Acquire(ctx, b.bulk); err != nil {
			return err
		}
	}
	if err := in.room.Acquire(ctx, b.weight); err != nil {
		in.bulk.Release(b.bulk)
		return err
	}
	in.hold(b.weight)
	return nil
}

// hold notes what has been taken of the room, or, below zero, given back.
func (in *Ingest) hold(n int64) {
	in.held.Add(n)
	in.metrics.memory.Add(float64(n))
}

// Room tells whether a delivery that does not wait would find n bytes of room in memory now: else it gives the error that Accept would. It promises nothing, and is there so that what would be refused is
// neither read nor decoded before: that would cost what the events need that were accepted already.
func (in *Ingest) Room(ctx context.Context, n int64) error {
	if err := in.open(ctx, true); err != nil {
		return err
	}
	if in.held.Load()+min(n, in.cfg.Memory) > in.cfg.Memory {
		in.metrics.busy.Inc()
		return fmt.Errorf("%w: too many events wait to be written", ErrBusy)
	}
	return nil
}

// bulkSize is the room that waiting deliveries share.
func (in *Ingest) bulkSize() int64 { return in.cfg.Memory / 4 * 3 }

// giveRoom is takeRoom's inverse.
func (b *batch) giveRoom() {
	b.in.room.Release(b.weight)
	b.in.bulk.Release(b.bulk)
	b.in.hold(-b.weight)
}

// append puts a batch in the durable log. Its room is given back where it does not go in.
func (in *Ingest) append(ctx context.Context, b *batch, head, payload []byte, noWait bool) error {
	for {
		freed := in.freed()
		_, err := in.log.Append(ctx, entryKind, func(sequence int64, err error) {
			if err != nil {
				b.undo()
				return
			}
			in.dispatch(b, sequence)
		}, head, payload)
		switch {
		case err == nil:
			in.metrics.logged.Add(float64(len(head) + len(payload)))
			return nil
		case errors.Is(err, wal.ErrUnsettled):
			return err
		case errors.Is(err, wal.ErrFull) && !noWait:
			select {
			case <-freed:
				continue
			case <-time.After(time.Second): // a release that failed is tried again by the next
				in.release()
				continue
			case <-ctx.Done():
				err = ctx.Err()
			case <-in.ctx.Done():
				err = ErrClosed
			}
		case errors.Is(err, wal.ErrFull):
			in.metrics.busy.Inc()
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		case errors.Is(err, wal.ErrClosed):
			err = ErrClosed
		}
		b.undo()
		return err
	}
}
