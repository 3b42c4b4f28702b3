package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// record names the rows of one record of the durable log and one day.
type record struct {
	writer          string
	epoch, sequence int64
	day             string
}

// history is what a log's leaves tell, brought to the present.
type history struct {
	files    map[string]proof.DataFile           // live data files, by path
	objects  map[string]proof.Digest             // metadata, manifest lists and manifests that ever were, by path
	batches  map[record][]*proof.Batch           // not removed
	erased   map[record]map[int32]*proof.Erasure // by position; not removed
	metadata *proof.Object                       // the table's present metadata
	id       int64                               // of the present snapshot
	open     *proof.Snapshot                     // whose parts are not all there yet
	store    *proof.Settings
	before   string // the store's last status that was not PENDING_DELETION
	holds    map[string]*legalHold
	now      time.Time // that no removal is after; zero: nobody asks
	removing []string  // days that a removal named, whose files the next snapshot takes out
	deleted  bool
	events   int64 // of batches
	rows     int64 // of files
}

func newHistory() *history {
	return &history{files: map[string]proof.DataFile{}, objects: map[string]proof.Digest{}, batches: map[record][]*proof.Batch{}, erased: map[record]map[int32]*proof.Erasure{}, holds: map[string]*legalHold{}}
}

func (h *history) add(l proof.Leaf) error {
	if h.open != nil && l.Snapshot == nil {
		return errors.New("stands between the parts of a snapshot")
	}
	if h.removing != nil && l.Snapshot == nil {
		return errors.New("stands between a removal and its snapshot")
	}
	switch {
	case l.Batch != nil:
		return h.batch(l.Batch)
	case l.Snapshot != nil:
		return h.snapshot(l.Snapshot)
	case l.Removal != nil:
		return h.removal(l.Removal)
	case l.Erasure != nil:
		return h.erasure(l.Erasure)
	case l.Hold != nil:
		return h.hold(l.Hold)
	default:
		if h.store = &l.Store.Settings; h.store.Status != registry.PendingDeletion {
			h.before = h.store.Status
		}
		return nil
	}
}

func (h *history) batch(b *proof.Batch) error {
	if b.Count <= 0 || b.Last < b.First || b.Count > int64(b.Last)-int64(b.First)+1 {
		return fmt.Errorf("a batch of %d events at positions %d to %d", b.Count, b.First, b.Last)
	}
	at := record{b.Writer, b.Epoch, b.Sequence, b.Day}
	for _, other := range h.batches[at] {
		if b.First <= other.Last && other.First <= b.Last {
			return fmt.Errorf("a second batch of sequence %d and day %s over positions %d to %d", b.Sequence, b.Day, b.First, b.Last)
		}
	}
	h.batches[at] = append(h.batches[at], b)
	h.events += b.Count
	return nil
}

func (h *history) snapshot(s *proof.Snapshot) error {
	if s.Part < 1 || s.Part > s.Parts || (h.open == nil) != (s.Part == 1) || h.open != nil && (h.open.ID != s.ID || h.open.Part+1 != s.Part || h.open.Parts != s.Parts) {
		return fmt.Errorf("part %d of %d of snapshot %d does not follow", s.Part, s.Parts, s.ID)
	}
	if s.Part == 1 {
		if s.Parent != h.id {
			return fmt.Errorf("snapshot %d follows on %d, and the table stood at %d", s.ID, s.Parent, h.id)
		}
		if s.Metadata == nil {
			return fmt.Errorf("snapshot %d names no metadata", s.ID)
		}
		h.metadata = s.Metadata
		h.objects[s.Metadata.Path] = s.Metadata.SHA256
		if s.List != nil {
			h.objects[s.List.Path] = s.List.SHA256
		}
	}
	for _, m := range s.Manifests {
		h.objects[m.Path] = m.SHA256
	}
	for _, f := range s.Added {
		if _, twice := h.files[f.Path]; twice {
			return fmt.Errorf("file %s is added twice", f.Path)
		}
		h.files[f.Path] = f
		h.rows += f.Rows
	}
	for _, path := range s.Removed {
		f, ok := h.files[path]
		if !ok {
			return fmt.Errorf("file %s is removed and was not there", path)
		}
		delete(h.files, path)
		h.rows -= f.Rows
	}
	if h.open = s; s.Part == s.Parts {
		h.open, h.id = nil, s.ID
		if err := h.removed(); err != nil {
			return err
		}
		if h.rows != h.events {
			return fmt.Errorf("with snapshot %d the table has %d events, and %d came in batches and were not removed", s.ID, h.rows, h.events)
		}
	}
	return nil
}

// removed checks that a snapshot after a removal took out the days' files, all of them.
func (h *history) removed() error {
	days := h.removing
	h.removing = nil
	for path := range h.files {
		if slices.Contains(days, dayOf(path)) {
			return fmt.Errorf("the events of %s were removed, and their file %s is still in the table", dayOf(path), path)
		}
	}
	return nil
}

// byDay gives the batches of each day, in order.
func (h *history) byDay() map[string][]*proof.Batch {
	days := map[string][]*proof.Batch{}
	for at, list := range h.batches {
		days[at.day] = append(days[at.day], list...)
	}
	for _, list := range days {
		slices.SortFunc(list, func(a, b *proof.Batch) int {
			return cmp.Or(cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.First, b.First))
		})
	}
	return days
}

// unmade tells whether the store never was: its table was made, and what followed failed before the leaf of its creation, without which nothing comes in.
func (h *history) unmade() bool {
	return h.store == nil && !h.deleted && h.events == 0 && len(h.files) == 0
}

// going tells whether the store's seven days are over, so that its files may be gone although no leaf says so yet. While any hold is on it, it stays whole.
func (h *history) going(now time.Time) bool {
	if h.store == nil || h.deleted || h.store.DeleteAfter == "" || h.held(span{}) != nil {
		return false
	}
	due, err := time.Parse(time.RFC3339Nano, h.store.DeleteAfter)
	return err == nil && now.After(due)
}
