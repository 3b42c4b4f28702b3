package query

import (
	"runtime"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

// BenchmarkMillionRows runs a query of 1,000,000 rows of about 300 bytes, and reads the answer page by page, as GetQueryResults does. It reports the most heap that was in
// use, looked at once a page and while the query ran: what the server needs besides for an answer of any size.
func BenchmarkMillionRows(b *testing.B) {
	bed := newBed(b, nil)
	const sql = "SELECT a * 1000 + b AS n, lpad(CAST(b AS varchar), 300, 'x') AS filler, CAST(NULL AS varchar) AS nothing FROM UNNEST(sequence(0, 999)) AS s (a) CROSS JOIN UNNEST(sequence(0, 999)) AS t (b)"
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before, peak := heap(), uint64(0)
	look := func() { peak = max(peak, heap()) }
	var run, read time.Duration
	for b.Loop() {
		begun := time.Now()
		q, err := bed.Start(b.Context(), scope, me, Request{SQL: sql})
		if err != nil {
			b.Fatal(err)
		}
		for q.Status == Queued || q.Status == Running {
			look()
			time.Sleep(10 * time.Millisecond)
			if q, err = bed.Describe(b.Context(), scope, q.ID, ""); err != nil {
				b.Fatal(err)
			}
		}
		run += time.Since(begun)
		begun = time.Now()
		rows := int64(0)
		for from := int64(0); from >= 0; look() {
			var got meta.Query
			if got, from, err = bed.Results(b.Context(), scope, q.ID, "", from, MaxPage, func([]string, [][]byte) { rows++ }); err != nil || got.Status != Finished {
				b.Fatal(got.Status, got.Error, err)
			}
		}
		if rows != 1_000_000 {
			b.Fatalf("%d rows", rows)
		}
		read += time.Since(begun)
	}
	b.ReportMetric(float64(peak-min(before, peak))/1e6, "peak-heap-MB")
	b.ReportMetric(run.Seconds()/float64(b.N), "query-s")
	b.ReportMetric(1000*read.Seconds()/float64(b.N)/1000, "page-ms")
	b.ReportMetric(0, "ns/op")
}
