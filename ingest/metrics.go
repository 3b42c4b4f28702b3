package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/meta"
)

type metrics struct {
	events    *prometheus.CounterVec
	committed prometheus.Counter
	logged    prometheus.Counter
	busy      prometheus.Counter
	retries   prometheus.Counter
	memory    prometheus.Gauge
	waiting   prometheus.Gauge
	stalled   prometheus.Gauge
	lag       prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		events: f.NewCounterVec(prometheus.CounterOpts{Name: "loch_ingest_events_total",
			Help: "Accepted events by what became of them; foreign and conflict are among the others."}, []string{"outcome"}),
		committed: f.NewCounter(prometheus.CounterOpts{Name: "loch_ingest_committed_rows_total", Help: "Rows committed to tables; an event in two stores is two."}),
		logged:    f.NewCounter(prometheus.CounterOpts{Name: "loch_ingest_log_bytes_total", Help: "Bytes appended to the durable log."}),
		busy:      f.NewCounter(prometheus.CounterOpts{Name: "loch_ingest_refused_total", Help: "Deliveries refused for want of room."}),
		retries:   f.NewCounter(prometheus.CounterOpts{Name: "loch_ingest_retries_total", Help: "Writes and commits that failed and were tried again."}),
		memory:    f.NewGauge(prometheus.GaugeOpts{Name: "loch_ingest_memory_bytes", Help: "Accepted events in memory that are not written yet."}),
		waiting:   f.NewGauge(prometheus.GaugeOpts{Name: "loch_ingest_waiting", Help: "Deliveries that wait for room."}),
		stalled:   f.NewGauge(prometheus.GaugeOpts{Name: "loch_ingest_stalled", Help: "Steps that failed and are being tried again."}),
		lag: f.NewHistogram(prometheus.HistogramOpts{Name: "loch_ingest_lag_seconds", Help: "From the acceptance of a chunk's first event to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 14)}),
	}
}

func (m *metrics) count(c meta.Counts) {
	for outcome, n := range map[string]int64{"stored": c.Stored, "known": c.Known, "filtered": c.Filtered, "expired": c.Expired,
		"bad": c.Bad, "foreign": c.Foreign, "conflict": c.Conflict} {
		if n > 0 {
			m.events.WithLabelValues(outcome).Add(float64(n))
		}
	}
}
