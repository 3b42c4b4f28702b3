package query

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	ended   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newMetrics(s *Service, reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	locked := func(get func() int) func() float64 {
		return func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(get())
		}
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loch_queries_queued", Help: "Queries that wait."}, locked(func() int { return s.queue.n }))
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loch_queries_running", Help: "Queries that run."}, locked(func() int { return s.running }))
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loch_query_results_bytes", Help: "Bytes that kept results take."}, func() float64 { return float64(s.room.used.Load()) })
	return &metrics{
		ended: f.NewCounterVec(prometheus.CounterOpts{Name: "loch_queries_total", Help: "Queries that ended, by state."}, []string{"status"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{Name: "loch_query_seconds", Help: "Seconds from a query's start to its end, waiting included.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 18)}),
	}
}
