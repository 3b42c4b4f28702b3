package lake

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	commits       prometheus.Counter
	files         prometheus.Counter
	rows          prometheus.Counter
	bytes         prometheus.Counter
	writeSeconds  prometheus.Histogram
	commitSeconds prometheus.Histogram
	planSeconds   prometheus.Histogram
	planned       prometheus.Counter
	pruned        *prometheus.CounterVec

	compactSeconds  prometheus.Histogram
	compactWork     prometheus.Counter
	compactFiles    *prometheus.CounterVec
	compactBytes    *prometheus.CounterVec
	compactFailures prometheus.Counter
	orphans         prometheus.Counter
	idle            prometheus.Gauge

	coldFiles    prometheus.Counter
	coldBytes    prometheus.Counter
	coldFailures prometheus.Counter
}

// coldMoved counts a file that was moved to colder storage.
func (m *metrics) coldMoved(size int64) {
	m.coldFiles.Inc()
	m.coldBytes.Add(float64(size))
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	seconds := prometheus.ExponentialBuckets(0.001, 2, 15)
	m := &metrics{
		commits:       f.NewCounter(prometheus.CounterOpts{Name: "loch_lake_commits_total", Help: "Snapshots committed."}),
		files:         f.NewCounter(prometheus.CounterOpts{Name: "loch_lake_files_total", Help: "Data files committed."}),
		rows:          f.NewCounter(prometheus.CounterOpts{Name: "loch_lake_rows_total", Help: "Rows committed."}),
		bytes:         f.NewCounter(prometheus.CounterOpts{Name: "loch_lake_bytes_total", Help: "Bytes of data files committed."}),
		writeSeconds:  f.NewHistogram(prometheus.HistogramOpts{Name: "loch_lake_write_seconds", Help: "Time to encode and put the files of one write.", Buckets: seconds}),
		commitSeconds: f.NewHistogram(prometheus.HistogramOpts{Name: "loch_lake_commit_seconds", Help: "Time of one commit.", Buckets: seconds}),
		planSeconds:   f.NewHistogram(prometheus.HistogramOpts{Name: "loch_lake_plan_seconds", Help: "Time to plan the files of one scan.", Buckets: seconds}),
		planned:       f.NewCounter(prometheus.CounterOpts{Name: "loch_lake_planned_files_total", Help: "Files that scans had to read."}),
		pruned:        f.NewCounterVec(prometheus.CounterOpts{Name: "loch_lake_pruned_files_total", Help: "Files that scans left out, by the reason."}, []string{"by"}),

		compactSeconds:  f.NewHistogram(prometheus.HistogramOpts{Name: "loch_compaction_seconds", Help: "Time of one job of compaction, pauses included.", Buckets: prometheus.ExponentialBuckets(0.01, 3, 12)}),
		compactWork:     f.NewCounter(prometheus.CounterOpts{Name: "loch_compaction_work_seconds_total", Help: "Time that compaction and moves to colder storage worked, one thing after another, pauses left out."}),
		compactFiles:    f.NewCounterVec(prometheus.CounterOpts{Name: "loch_compaction_files_total", Help: "Files that compaction read (in) and wrote (out)."}, []string{"direction"}),
		compactBytes:    f.NewCounterVec(prometheus.CounterOpts{Name: "loch_compaction_bytes_total", Help: "Bytes of those files."}, []string{"direction"}),
		compactFailures: f.NewCounter(prometheus.CounterOpts{Name: "loch_compaction_failures_total", Help: "Groups of files that could not be merged and stayed as they were."}),
		idle:            f.NewGauge(prometheus.GaugeOpts{Name: "loch_compaction_idle", Help: "1 where the last look at all tables found no files to merge."}),
		orphans:         f.NewCounter(prometheus.CounterOpts{Name: "loch_compaction_orphans_total", Help: "Objects removed that nothing named, after a crash."}),

		coldFiles:    f.NewCounter(prometheus.CounterOpts{Name: "loch_cold_files_total", Help: "Files moved to colder storage."}),
		coldBytes:    f.NewCounter(prometheus.CounterOpts{Name: "loch_cold_bytes_total", Help: "Bytes of those files."}),
		coldFailures: f.NewCounter(prometheus.CounterOpts{Name: "loch_cold_failures_total", Help: "Moves to colder storage that failed; they are tried again."}),
	}
	for _, d := range []string{"in", "out"} { // shown from the start
		m.compactFiles.WithLabelValues(d)
		m.compactBytes.WithLabelValues(d)
	}
	return m
}
