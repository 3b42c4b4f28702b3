package lake

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Finished is a data file that stays as it is for as long as nothing is added to its day.
type Finished struct {
	Key string    // in the object store
	End time.Time // of its day of eventTime: every event in it is older
}

// Finished gives the live data files of a store's table whose day is over and that compaction is done with, the oldest day first. unmerged gives those that it would merge, too: for a
// lake without compaction.
func (l *Lake) Finished(ctx context.Context, storeID string, unmerged bool) ([]Finished, error) {
	t, err := l.table(ctx, storeID)
	if err != nil {
		return nil, err
	}
	files, err := l.finished(ctx, t, today(), unmerged)
	out := make([]Finished, len(files))
	for i, f := range files {
		out[i] = Finished{f.Key, time.Unix((int64(f.day)+1)*86400, 0).UTC()}
	}
	return out, err
}

// today is the day that it is, counted from the Unix epoch.
func today() int32 { return int32(time.Now().Unix() / 86400) }

func (l *Lake) finished(ctx context.Context, t *tableState, before int32, unmerged bool) ([]*dataFile, error) {
	p, snap, err := t.pin()
	if err != nil || snap == nil {
		return nil, err
	}
	defer p.Release()
	files, err := l.liveFiles(ctx, t, snap)
	if err != nil {
		return nil, err
	}
	byDay := map[int32][]*dataFile{}
	for _, f := range files {
		if f.day < before {
			byDay[f.day] = append(byDay[f.day], f)
		}
	}
	var out []*dataFile
	for _, list := range byDay {
		if unmerged {
			out = append(out, list...)
			continue
		}
		waiting := t.waiting(slices.Clone(list), int64(l.group.rows))
		for _, f := range list {
			if !waiting[f] {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *dataFile) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.Key, b.Key)) })
	return out, nil
}

// waiting tells which of a day's files compaction will merge when nothing is added to the day.
func (t *tableState) waiting(list []*dataFile, most int64) map[*dataFile]bool {
	t.compact.Lock()
	defer t.compact.Unlock()
	list = slices.DeleteFunc(list, func(f *dataFile) bool { return t.unfit[f.Key] >= giveUp })
	out := map[*dataFile]bool{}
	for _, group := range merges(list, true, most) {
		for _, f := range group {
			out[f] = true
		}
	}
	return out
}
