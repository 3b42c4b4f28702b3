package objectlock

import (
	"context"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// A legal hold has no end that is known when it is placed, and a lock in compliance mode cannot be taken back. So what a hold covers gets S3's legal hold, which has neither end nor mode, beside
// the lock to the end of its retention: on data files, as their logs' tiles are locked anew for as long as the store is there.

// hold puts S3's legal hold on the data files of a store that compaction is done with and that a hold covers, and takes it off those that none covers any more: the hold was lifted, or they were merged
// into others. These get it first.
func (k *Keeper) hold(ctx context.Context, storeID string, st *state) error {
	if k.cfg.Holds == nil {
		return nil
	}
	holds, err := k.cfg.Holds(ctx, storeID)
	if err != nil || len(holds) == 0 { // there never was one
		return err
	}
	live, err := k.held(ctx, storeID, holds, true)
	if err != nil {
		return err
	}
	wanted := live
	if !k.cfg.Unmerged {
		if wanted, err = k.held(ctx, storeID, holds, false); err != nil {
			return err
		}
	}
	var on, off []string
	for key := range wanted {
		if !st.held[key] {
			on = append(on, key)
		}
	}
	err = k.each(ctx, on, func(key string) error { return k.cfg.Bucket.Hold(ctx, key, true) }, func(key string) {
		k.holds.Inc()
		st.held[key] = true
	})
	if err != nil {
		return err
	}
	for key := range st.held {
		if !live[key] {
			off = append(off, key)
		}
	}
	if !st.swept { // files that were merged, or whose hold was lifted, while nobody looked
		err = k.cfg.Bucket.List(ctx, "tables/"+storeID+"/data/", "", func(o objstore.Object) error {
			if !live[o.Key] && !st.held[o.Key] {
				off = append(off, o.Key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	left := make(map[string]bool, len(off))
	for _, key := range off {
		left[key] = true
	}
	err = k.each(ctx, off, func(key string) error { return k.cfg.Bucket.Hold(ctx, key, false) }, func(key string) {
		k.holds.Inc()
		delete(left, key)
		delete(st.held, key)
	})
	if err != nil {
		return err
	}
	for key := range left { // those that are gone
		delete(st.held, key)
	}
	st.swept = true
	return nil
}

// held gives the finished data files that a hold covers, those among them that were removed and wait; unmerged gives those that compaction is not done with, too.
func (k *Keeper) held(ctx context.Context, storeID string, holds []meta.Hold, unmerged bool) (map[string]bool, error) {
	files, err := k.cfg.Files.Finished(ctx, storeID, unmerged)
	if err != nil {
		return nil, err
	}
	if k.cfg.Removed != nil {
		removed, err := k.cfg.Removed(ctx, storeID)
		if err != nil {
			return nil, err
		}
		for _, f := range removed {
			files = append(files, lake.Finished{Key: f.Key, End: time.Unix((int64(f.Day)+1)*86400, 0).UTC()})
		}
	}
	keys := map[string]bool{}
	for _, f := range files {
		if meta.HeldBy(holds, f.End.AddDate(0, 0, -1), f.End) != nil {
			keys[f.Key] = true
		}
	}
	return keys, nil
}
