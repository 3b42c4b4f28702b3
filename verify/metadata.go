package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
)

// metadata compares the rows that the metadata database has of a store (s: nil where it has none) with what its log says. They decide what comes in, what goes and what must not go, so
// that a row without its leaf changes the store behind the log's back.
func (r *run) metadata(ctx context.Context, id string, h *history, s *meta.EventDataStore, row meta.Table) error {
	const where = "metadata: store"
	switch {
	case s == nil && h.store != nil && !h.deleted:
		r.found(id, where, "by its log there is such a store, and the metadata knows none")
	case s != nil && h.deleted:
		r.found(id, where, "by its log the store was removed for good, and the metadata has it still")
	case s != nil && h.store == nil && s.Status != registry.Created:
		r.found(id, where, "the log does not tell of the store's creation")
	case s != nil && h.store != nil && s.Status != registry.Created: // else it is being made
		r.settings(id, h, s)
	case s != nil && h.store != nil:
		r.found(id, where, "the store is being made, and by its log it was made")
	}
	if h.deleted && row.Location != "" {
		r.found(id, "metadata: table", "by its log the store was removed for good, and the metadata has its table still")
	}
	if err := r.holds(ctx, id, h); err != nil {
		return err
	}
	files, err := r.Meta.RemovedFiles(ctx, id)
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, live := h.files[strings.TrimPrefix(f.Key, "tables/"+id+"/")]; live {
			r.found(id, "metadata: removed file "+f.Key, "waits to be deleted, and by the log it is a file of the table")
		}
	}
	return nil
}

// settings compares a store's row with the settings that its log told last.
func (r *run) settings(id string, h *history, s *meta.EventDataStore) {
	is, was := registry.SettingsOf(s), *h.store
	if was.Name == "" {
		is.Name = "" // the leaf is of before leaves told it
	}
	before := ""
	if was.Status == registry.PendingDeletion {
		before = h.before
	}
	for _, c := range []struct {
		name    string
		is, was any
	}{
		{"name", is.Name, was.Name}, {"account", is.Account, was.Account}, {"region", is.Region, was.Region}, {"kind", is.Kind, was.Kind}, {"status", is.Status, was.Status},
		{"status before its deletion", s.StatusBefore, before}, {"multi-region", is.MultiRegion, was.MultiRegion}, {"organization", is.Organization, was.Organization},
		{"retention", is.RetentionDays, was.RetentionDays}, {"termination protection", is.Protected, was.Protected}, {"time of its removal", is.DeleteAfter, was.DeleteAfter},
		{"time before which nothing goes", is.RemoveAfter, was.RemoveAfter}, {"being an event history", s.Internal, id == registry.HistoryID(was.Account)},
	} {
		if c.is != c.was {
			r.found(id, "metadata: store", "the store's settings are not those of its log: its %s is %v, and by the log %v", c.name, c.is, c.was)
		}
	}
	if !bytes.Equal(is.Selectors, was.Selectors) {
		r.found(id, "metadata: store", "the store's settings are not those of its log: its selectors are %s, and by the log %s", is.Selectors, was.Selectors)
	}
}

// holds compares the holds of a store, those that were lifted among them: without its row a hold keeps nothing.
func (r *run) holds(ctx context.Context, id string, h *history) error {
	rows, err := r.Meta.Holds(ctx, id)
	if err != nil {
		return err
	}
	told := map[string]*legalHold{}
	if !h.deleted { // the rows go with their store
		told = h.holds
	}
	for _, row := range rows {
		where := "metadata: hold " + row.ID
		by := told[row.ID]
		if by == nil {
			r.found(id, where, "the log does not tell of it")
			continue
		}
		want := meta.Hold{Scope: row.Scope, ID: row.ID, StoreID: id, From: milli(by.from), To: milli(by.to), Reason: by.placed.Reason, Placed: when(by.placed), PlacedBy: by.placed.By}
		if by.lifted != nil {
			want.Lifted, want.LiftedBy, want.LiftReason = when(*by.lifted), by.lifted.By, by.lifted.Reason
		}
		switch {
		case row.Lifted.IsZero() != want.Lifted.IsZero():
			r.found(id, where, "lifted %t, and by the log %t", !row.Lifted.IsZero(), !want.Lifted.IsZero())
		case row != want:
			r.found(id, where, "says other than its leaves: %s, and by the log %s", holdText(row), holdText(want))
		case h.store != nil && (row.Account != h.store.Account || row.Region != h.store.Region):
			r.found(id, where, "is of account %s and region %s, and its store of %s and %s", row.Account, row.Region, h.store.Account, h.store.Region)
		}
	}
	for hold := range told {
		if !slices.ContainsFunc(rows, func(row meta.Hold) bool { return row.ID == hold }) {
			r.found(id, "metadata: hold "+hold, "the log tells of it, and the metadata knows none")
		}
	}
	return nil
}

// when is a leaf's time as the metadata keeps it; the history has seen that it is one.
func when(l proof.Hold) time.Time {
	at, _ := instant(l.At)
	return milli(at)
}

func milli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func holdText(h meta.Hold) string {
	return fmt.Sprintf("from %s to %s, placed %s by %s (%s), lifted %s by %s (%s)", stamp(h.From), stamp(h.To), stamp(h.Placed), h.PlacedBy, h.Reason, stamp(h.Lifted), h.LiftedBy, h.LiftReason)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return proof.Time(t)
}

// applied checks that a table holds no more of the durable log than its row says: the next start would bring it again. (It may hold less: what no table has is not lost in the log.)
func (r *run) applied(ctx context.Context, id string, row meta.Table) {
	n, err := lake.AppliedIn(ctx, r.Objects, row.Location)
	if err == nil && n > row.Applied { // an error is told of the table's metadata
		r.found(id, "metadata: table", "the table holds the durable log up to sequence %d, and the metadata says %d", n, row.Applied)
	}
}
