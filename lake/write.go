package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/proof"
)

// Bounds on one Write: files being put at once, and bytes of them, beyond the one being encoded.
const (
	putsAtOnce  = 4
	fileRowsMax = 1 << 17 // rows of one file; a Write of more makes several
)

var outputs = sync.Pool{New: func() any { return new(output) }}

// Write encodes rows (of one store, any days, any order) into Parquet files, one or more a day of eventTime, durable but not yet
// visible. Rows and their events may be reused when it returns. Files that are never committed stay behind unread.
//
// One file is encoded at a time, whatever the number of days, so memory is bound by the rows and not by the days.
func (l *Lake) Write(ctx context.Context, storeID string, rows []Row) (Files, error) {
	begun := time.Now()
	if len(rows) == 0 {
		return Files{}, nil
	}
	t, err := l.table(ctx, storeID)
	if err != nil {
		return Files{}, err
	}
	tbl, _ := t.now()
	spec, prefix := tbl.Spec(), "tables/"+storeID+"/data/"
	for i := range rows {
		if rows[i].Event.Kind != t.kind {
			return Files{}, fmt.Errorf("store %s: an event of kind %s in a table of kind %s", storeID, rows[i].Event.Kind, t.kind)
		}
	}

	l.load.begin()
	defer l.load.end()
	enc := t.layout.pool.Get().(*encoder)
	defer t.layout.pool.Put(enc)
	files := Files{Rows: int64(len(rows)), batches: batches(rows), sums: map[string]proof.Hash{}}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(putsAtOnce)
	var encErr error
	for _, part := range byDay(rows) {
		if encErr = gctx.Err(); encErr != nil {
			break
		}
		out := outputs.Get().(*output)
		out.buf = out.buf[:0]
		stats, err := enc.encode(out, rows, part.rows)
		if err != nil {
			encErr = fmt.Errorf("store %s: %w", storeID, err)
			break
		}
		key := fmt.Sprintf("%seventtime_day=%s/%s.parquet", prefix, dayName(part.day), uuid.New())
		df, err := icebergFile(t.layout, spec, l.objects.URI(key), part.day, len(part.rows), len(out.buf), stats)
		if err != nil {
			encErr = fmt.Errorf("store %s: %w", storeID, err)
			break
		}
		files.Bytes += int64(len(out.buf))
		files.files = append(files.files, df)
		l.writing.add(key)
		l.keepFilters(key, enc.filters)
		files.sums[df.FilePath()] = sha256.Sum256(out.buf)
		g.Go(func() error {
			defer outputs.Put(out)
			return l.objects.Put(gctx, key, bytes.NewReader(out.buf), int64(len(out.buf)), false)
		})
	}
	if err := g.Wait(); err != nil {
		encErr = fmt.Errorf("store %s: write: %w", storeID, err)
	}
	if encErr != nil {
		l.settle(files) // orphans
		return Files{}, encErr
	}
	l.metrics.writeSeconds.Observe(time.Since(begun).Seconds())
	return files, nil
}

// settle says that files will not be committed any more: they are, or it was given up.
func (l *Lake) settle(files Files) {
	for _, d := range files.files {
		if key, ok := l.objects.Key(d.FilePath()); ok {
			l.writing.remove(key)
		}
	}
}

// Join gathers the files of several writes, to be committed in one snapshot.
func (f *Files) Join(other Files) {
	f.Rows += other.Rows
	f.Bytes += other.Bytes
	f.files = append(f.files, other.files...)
	f.batches = append(f.batches, other.batches...)
	if f.sums == nil {
		f.sums = map[string]proof.Hash{}
	}
	maps.Copy(f.sums, other.sums)
}

type dayRows struct {
	day  int32
	rows []int32
}

// byDay groups rows by the day of their eventTime, days in order, rows in theirs.
func byDay(rows []Row) []dayRows {
	at := make(map[int32]int)
	var days []dayRows
	for i := range rows {
		d := rows[i].Event.Day()
		n, ok := at[d]
		if !ok || len(days[n].rows) == fileRowsMax {
			n = len(days)
			at[d] = n
			days = append(days, dayRows{day: d})
			if n == 0 {
				days[0].rows = make([]int32, 0, min(len(rows), fileRowsMax))
			}
		}
		days[n].rows = append(days[n].rows, int32(i))
	}
	slices.SortStableFunc(days, func(a, b dayRows) int { return int(a.day) - int(b.day) })
	return days
}

func dayName(day int32) string {
	return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
}

func icebergFile(lay *layout, spec iceberg.PartitionSpec, uri string, day int32, rows, size int, stats []leafStats) (iceberg.DataFile, error) {
	b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, uri, iceberg.ParquetFile,
		map[int]any{dayPartitionID: iceberg.Date(day)}, map[int]string{dayPartitionID: "date"}, nil, int64(rows), int64(size))
	if err != nil {
		return nil, err
	}
	values, nulls := make(map[int]int64), make(map[int]int64)
	lower, upper := make(map[int][]byte), make(map[int][]byte)
	for i := range stats {
		lf, st := &lay.leaves[i], &stats[i]
		id := lf.col.ID
		values[id], nulls[id] = st.values, st.nulls
		if st.lower != nil {
			lower[id] = st.lower
		}
		if st.upper != nil {
			upper[id] = st.upper
		}
	}
	return b.ValueCounts(values).NullValueCounts(nulls).LowerBoundValues(lower).UpperBoundValues(upper).Build(), nil
}
