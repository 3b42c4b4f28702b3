package engine

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A child's start until it is ready, and its end: forked by a nursery, and executed.
func BenchmarkStart(b *testing.B) {
	for _, w := range ways() {
		b.Run(fmt.Sprintf("%s,forked=%t", strings.ReplaceAll(w.name, " ", "-"), w.forked), func(b *testing.B) {
			d := newEngine(b, nil)
			var cpu time.Duration
			for b.Loop() {
				c, err := d.startAs(w)
				if err != nil {
					b.Fatal(err)
				}
				var ts unix.Timespec
				if err := unix.ClockGettime(int32(^c.pid())<<3|2, &ts); err != nil { // the process's CPU clock
					b.Fatal(err)
				}
				cpu += time.Duration(ts.Nano())
				c.end()
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "child-cpu-us/op")
		})
	}
}

// A statement over one small file, from the job to the last row: what a child of its own costs.
func BenchmarkSmallQuery(b *testing.B) {
	d := newEngine(b, nil)
	job := Job{SQL: "SELECT count(*) FROM s WHERE eventid = 'id-3'", Columns: []Column{{Type: "bigint"}},
		Relations: []Relation{{Name: "s", Schema: testSchema(), Columns: []string{"eventid"}, Files: []File{testFile(b, b.TempDir(), "a.parquet", 0, 100)}}}}
	for b.Loop() {
		b.StopTimer()
		for len(d.spares) == 0 {
			runtime.Gosched()
		}
		b.StartTimer()
		if _, _, err := answer(b, d, job); err != nil {
			b.Fatal(err)
		}
	}
}

// Rows of strings and numbers through the pipe.
func BenchmarkRows(b *testing.B) {
	d := newEngine(b, nil)
	job := Job{SQL: "SELECT 'arn:aws:iam::123456789012:user/' || i, i, i % 2 = 0, TIMESTAMP '2026-01-01' + to_seconds(i) FROM range(1000000) t(i)",
		Columns: []Column{{Type: "varchar"}, {Type: "bigint"}, {Type: "boolean"}, {Type: "timestamp(3)"}}}
	n := 0
	for b.Loop() {
		if _, err := d.Run(b.Context(), job, func([]Value) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
