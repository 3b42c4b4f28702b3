package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// Legal holds. While a hold is not lifted nothing that it covers goes: no day by retention, no store by its deletion, no event by redaction. Each path asks meta.HeldBy in the transaction
// that takes events away (meta.Removal.Allow; meta.DB's DeleteStore asks for itself), so that no hold that was answered comes too late.

// maxReason bounds what may be said of a hold, in characters.
const maxReason = 1000

// maxHolds bounds the holds of a store that are not lifted.
const maxHolds = 1000

// PlaceHold holds a store, or the events in it whose time lies from from (inclusive) to to (exclusive); zero times are no bounds. by is the caller's ARN. A store that is pending deletion can be
// held too, and stays as long.
func (r *Registry) PlaceHold(ctx context.Context, sc meta.Scope, by, ref string, from, to time.Time, reason string) (meta.Hold, error) {
	reason, err := reasonOf(reason)
	if err != nil {
		return meta.Hold{}, err
	}
	from, to = from.UTC().Truncate(time.Millisecond), to.UTC().Add(time.Millisecond-1).Truncate(time.Millisecond) // as the metadata keeps times, and no less than what was asked for
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return meta.Hold{}, awserr.New(badParameter, "The range from %s to %s holds no time.", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	for _, t := range []time.Time{from, to} { // what RFC 3339 cannot say no verifier could read in the leaf, nor loch recover
		if t.Year() < 1 || t.Year() > 9999 {
			return meta.Hold{}, awserr.New(badParameter, "A range can begin and end in the years 1 to 9999, UTC. Leave a bound out where there is none.")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(sc, ref)
	if err != nil {
		return meta.Hold{}, err
	}
	if r.dropping[s.ID] {
		return meta.Hold{}, storeNotFound(ref) // it is going
	}
	have, err := r.cfg.DB.Holds(ctx, s.ID)
	if err != nil {
		return meta.Hold{}, err
	}
	n := 0
	for i := range have {
		if have[i].Lifted.IsZero() {
			n++
		}
	}
	if n >= maxHolds {
		return meta.Hold{}, awserr.New(badParameter, "The event data store has %d holds that are not lifted, and can have no more.", n)
	}
	h := meta.Hold{Scope: s.Scope, ID: uuid.NewString(), StoreID: s.ID, From: from, To: to, Reason: reason, Placed: r.now(), PlacedBy: by}
	told, err := holdLeaf("placed", &h)
	if err != nil {
		return meta.Hold{}, err
	}
	if err := r.cfg.DB.CreateHold(ctx, h, told); err != nil {
		return meta.Hold{}, err
	}
	r.log.WarnContext(ctx, "a legal hold was placed", "store", s.ID, "hold", h.ID, "from", h.From, "to", h.To, "by", by, "reason", reason)
	return h, nil
}

// Holds lists the holds of a store, or with ref "" those of all stores of the account and region; the oldest first, lifted ones among them.
func (r *Registry) Holds(ctx context.Context, sc meta.Scope, ref string) ([]meta.Hold, error) {
	if ref != "" {
		s, err := r.find(sc, ref)
		if err != nil {
			return nil, err
		}
		return r.cfg.DB.Holds(ctx, s.ID)
	}
	all, err := r.stores(ctx, sc)
	if err != nil {
		return nil, err
	}
	var out []meta.Hold
	for i := range all {
		holds, err := r.cfg.DB.Holds(ctx, all[i].ID)
		if err != nil {
			return nil, err
		}
		out = append(out, holds...)
	}
	return out, nil
}

// LiftHold ends a hold. What is due then goes.
func (r *Registry) LiftHold(ctx context.Context, sc meta.Scope, by, id, reason string) (meta.Hold, error) {
	reason, err := reasonOf(reason)
	if err != nil {
		return meta.Hold{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.cfg.DB.Hold(ctx, strings.ToLower(id))
	if errors.Is(err, meta.ErrNotFound) || err == nil && h.Scope != sc {
		return meta.Hold{}, awserr.New("HoldNotFoundException", "The hold %.100s was not found.", id)
	}
	if err != nil {
		return meta.Hold{}, err
	}
	if !h.Lifted.IsZero() {
		return meta.Hold{}, awserr.New(badParameter, "The hold %s was lifted at %s.", h.ID, h.Lifted.Format(time.RFC3339))
	}
	h.Lifted, h.LiftedBy, h.LiftReason = r.now(), by, reason
	told, err := holdLeaf("lifted", &h)
	if err != nil {
		return meta.Hold{}, err
	}
	h, err = r.cfg.DB.UpdateHold(ctx, h.ID, func(now *meta.Hold) error { *now = h; return nil }, told)
	if err == nil {
		r.log.WarnContext(ctx, "a legal hold was lifted", "store", h.StoreID, "hold", h.ID, "by", by, "reason", reason)
	}
	return h, err
}

func reasonOf(s string) (string, error) {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n == 0 || n > maxReason || !utf8.ValidString(s) {
		return "", awserr.New(badParameter, "A hold needs a reason, of at most %d characters.", maxReason)
	}
	return s, nil
}

// holdLeaf tells the store's log of a hold, as it is after the change.
func holdLeaf(change string, h *meta.Hold) ([]byte, error) {
	l := proof.Hold{Change: change, ID: h.ID, At: proof.Time(h.Placed), By: h.PlacedBy, Reason: h.Reason}
	if change == "lifted" {
		l.At, l.By, l.Reason = proof.Time(h.Lifted), h.LiftedBy, h.LiftReason
	} else {
		l.From, l.To = instant(h.From), instant(h.To)
	}
	b, err := proof.Leaf{Hold: &l}.Encode()
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", h.ID, err)
	}
	return b, nil
}

// instant writes a time as leaves have it, "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return proof.Time(t)
}
