package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// What became of one event, over all stores. An event without any of them was filtered.
const (
	wasStored   uint8 = 1 << iota
	wasConflict       // and was stored
	wasKnown
	wasExpired
)

// routing is where a delivery's events go, and what is known of them at once.
type routing struct {
	shares   []share
	outcomes []uint8 // wasExpired or 0
	foreign  int64
}

// covers tells whether events of the account and region are the store's by nature; others may come by import.
func (t *Target) covers(sc meta.Scope) bool {
	return (t.Organization || t.Account == sc.Account) && (t.MultiRegion || t.Region == sc.Region)
}

// today is the day that retention counts from.
func today(now time.Time) int32 { return int32(now.Unix() / (24 * 3600)) }

// route decides for each record to which stores it goes. Rules: a store takes events of its kind that its selectors let through; live events, only
// those of accounts and regions that it covers; and none whose day is past its retention.
func (in *Ingest) route(ctx context.Context, d *Delivery) (*routing, error) {
	now := in.cfg.Believed()
	r := &routing{outcomes: make([]uint8, len(d.Records))}
	if !d.Live {
		targets := make([]Target, len(d.Stores))
		for i, id := range d.Stores {
			var err error
			if targets[i], err = in.cfg.Stores.Target(ctx, id); err != nil {
				return nil, fmt.Errorf("store %s: %w", id, err)
			}
			r.add(&targets[i], d, today(now), nil)
		}
		r.countForeign(targets, d)
		return r, nil
	}
	for _, part := range byScope(d) {
		targets, err := in.cfg.Stores.Live(ctx, part.scope)
		if err != nil {
			return nil, err
		}
		for i := range targets {
			if targets[i].covers(part.scope) {
				r.add(&targets[i], d, today(now), part.rows)
			}
		}
	}
	return r, nil
}

type scoped struct {
	scope meta.Scope
	rows  []int32 // nil: all
}

// byScope parts live events by account and region. Nearly always there is one part.
func byScope(d *Delivery) []scoped {
	if len(d.Records) == 0 {
		return nil
	}
	first := scopeOf(&d.Records[0], d.Scope)
	same := 1
	for same < len(d.Records) && scopeOf(&d.Records[same], d.Scope) == first {
		same++
	}
	if same == len(d.Records) {
		return []scoped{{scope: first}}
	}
	var parts []scoped
	at := map[meta.Scope]int{}
	for i := range d.Records {
		sc := scopeOf(&d.Records[i], d.Scope)
		n, ok := at[sc]
		if !ok {
			n = len(parts)
			at[sc] = n
			parts = append(parts, scoped{scope: sc})
		}
		parts[n].rows = append(parts[n].rows, int32(i))
	}
	return parts
}

// merge unites two rising lists.
func merge(a, b []int32) []int32 {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func scopeOf(r *event.Record, def meta.Scope) meta.Scope {
	if r.Account != "" {
		def.Account = r.Account
	}
	if r.Region != "" {
		def.Region = r.Region
	}
	return def
}

// add enters what of the rows (nil: all) goes to t.
func (r *routing) add(t *Target, d *Delivery, today int32, rows []int32) {
	n := len(d.Records)
	if rows != nil {
		n = len(rows)
	}
	var taken []int32
	for i := range n {
		row := int32(i)
		if rows != nil {
			row = rows[i]
		}
		rec := &d.Records[row]
		if rec.Kind != t.Kind || t.Selectors != nil && !t.Selectors.Match(rec) {
			continue
		}
		if rec.Day() < today-int32(t.RetentionDays) {
			r.outcomes[row] |= wasExpired
			continue
		}
		if taken == nil {
			taken = make([]int32, 0, n-i)
		}
		taken = append(taken, row)
	}
	if len(taken) == 0 {
		return
	}
	for i := range r.shares { // a store may take several scopes, or be named twice
		if r.shares[i].store == t.StoreID {
			r.shares[i].rows = merge(r.shares[i].rows, taken)
			return
		}
	}
	r.shares = append(r.shares, share{t.StoreID, taken})
}

// countForeign counts the records of an import that are not by nature of any of its stores.
func (r *routing) countForeign(targets []Target, d *Delivery) {
	for i := range d.Records {
		foreign := len(targets) > 0
		for j := range targets {
			foreign = foreign && !targets[j].covers(scopeOf(&d.Records[i], targets[j].Scope))
		}
		if foreign {
			r.foreign++
		}
	}
}
