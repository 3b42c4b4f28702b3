package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/proof"
)

// erasure checks that what was erased is there, was not erased before, and that no hold was on it.
func (h *history) erasure(e *proof.Erasure) error {
	at := record{e.Writer, e.Epoch, e.Sequence, e.Day}
	if !slices.ContainsFunc(h.batches[at], func(b *proof.Batch) bool { return b.First <= e.Position && e.Position <= b.Last }) {
		return fmt.Errorf("event %d of sequence %d and day %s is erased, and is in no batch", e.Position, e.Sequence, e.Day)
	}
	if h.erased[at][e.Position] != nil {
		return fmt.Errorf("event %d of sequence %d and day %s is erased twice", e.Position, e.Sequence, e.Day)
	}
	if h.erased[at] == nil {
		h.erased[at] = map[int32]*proof.Erasure{}
	}
	h.erased[at][e.Position] = e
	if _, err := time.Parse(time.RFC3339Nano, e.At); err != nil || e.Reason == "" || e.By == "" {
		return fmt.Errorf("event %d of sequence %d and day %s is erased without a time, a reason or a name", e.Position, e.Sequence, e.Day)
	}
	when, err := time.Parse(time.RFC3339Nano, e.Time)
	if err == nil {
		err = h.held(span{when, when.Add(1)})
	}
	if err != nil {
		return fmt.Errorf("event %d of sequence %d and day %s was erased at %s: %w", e.Position, e.Sequence, e.Day, e.At, err)
	}
	return nil
}

// erasures is the number of events that were erased and not removed.
func (h *history) erasures() (n int64) {
	for _, of := range h.erased {
		n += int64(len(of))
	}
	return n
}

// erasedTime is the eventTime of a tombstone as its leaf has it; of other rows nobody asks.
func erasedTime(k *lake.Kept) string {
	if !k.Erased {
		return ""
	}
	return proof.Time(time.UnixMicro(k.Time))
}

// erasure holds a row against what the log tells of erasures: a tombstone without its leaf hides an event, and a row whose event was erased must be one.
func (c *dayCheck) erasure(where string, at record, p placed) {
	e := c.told[at][p.position]
	switch {
	case p.erased && e == nil:
		c.found(c.id, where, "event %d of sequence %d is a tombstone, and the log does not tell of its erasure", p.position, at.sequence)
	case !p.erased && e != nil:
		c.found(c.id, where, "event %d of sequence %d was erased on %s by the log, and is still there", p.position, at.sequence, e.At)
	case e != nil && p.time != e.Time:
		c.found(c.id, where, "event %d of sequence %d has another time than by the leaf of its erasure", p.position, at.sequence)
	case e != nil && p.leaf != proof.LeafHash(e.Entry[:]):
		c.found(c.id, where, "event %d of sequence %d was another by the leaf of its erasure", p.position, at.sequence)
	}
}
