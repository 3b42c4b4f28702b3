package lake

import (
	"cmp"
	"slices"
	"time"
)

// What compaction works towards.
const (
	targetBytes = 256 << 20       // of a file; one half of it is large enough to be left alone
	together    = 256             // files that are merged at once: while they are, their footers are in memory, some 200 kB each
	crowd       = 8               // so many small files of a day are merged though more may come
	batchBytes  = 64 << 20        // of the files that one commit of compaction replaces, beyond its last day
	quietTime   = 2 * time.Minute // after so long without a new file, what is left of a day is merged
)

// dayState is what compaction remembers of a day: since when its files are the same.
type dayState struct {
	files int
	bytes int64
	since time.Time
}

// due chooses files to merge, each group from one day. Days are in no order that means anything, small files first. No group is chosen
// twice as long as nothing is added: what is merged is one file, or larger than what came later.
func (t *tableState) due(files []*dataFile, now time.Time, quiet time.Duration, most int64) [][]*dataFile {
	byDay := map[int32][]*dataFile{}
	for _, f := range files {
		byDay[f.day] = append(byDay[f.day], f)
	}
	states := make(map[int32]dayState, len(byDay))
	var groups [][]*dataFile
	for day, list := range byDay {
		s := dayState{files: len(list), since: now}
		for _, f := range list {
			s.bytes += f.Size
		}
		if old, ok := t.days[day]; ok && old.files == s.files && old.bytes == s.bytes {
			s.since = old.since
		}
		states[day] = s
		list = slices.DeleteFunc(list, func(f *dataFile) bool { return t.unfit[f.Key] >= giveUp })
		groups = append(groups, merges(list, now.Sub(s.since) >= quiet, most)...)
	}
	t.days = states
	slices.SortFunc(groups, func(a, b []*dataFile) int { return cmp.Compare(a[0].day, b[0].day) })
	return groups
}

// merges chooses among the files of one day. A file is taken along only by smaller ones that together weigh something against it, so that a row is
// rewritten a few times (the logarithm of the day's size), not each time that others arrive.
func merges(files []*dataFile, quiet bool, most int64) (groups [][]*dataFile) {
	slices.SortFunc(files, func(a, b *dataFile) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Key, b.Key)) })
	least, outweighs := crowd, int64(1)
	if quiet {
		least, outweighs = 2, 4
	}
	for len(files) >= 2 {
		n, size, rows := 0, int64(0), int64(0)
		// Files that were never sorted are read once for each row group of the new one: of those only as many as one row group holds.
		unsorted := files[0].Rows < most/4
		for n < min(len(files), together) {
			f := files[n]
			if f.Size >= targetBytes/2 || n > 0 && (f.Size > outweighs*size || size+f.Size > targetBytes || unsorted && rows+f.Rows > most) {
				break
			}
			n, size, rows = n+1, size+f.Size, rows+f.Rows
		}
		if n >= least {
			groups = append(groups, files[:n:n])
			files = files[n:]
			continue
		}
		files = files[1:]
	}
	return groups
}
