package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	answers  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		requests: promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: "loch_api_requests_total",
			Help: "Requests answered, by operation, HTTP status and error code (OK where there was none)."}, []string{"operation", "status", "code"}),
		seconds: promauto.With(r).NewHistogramVec(prometheus.HistogramOpts{Name: "loch_api_request_seconds",
			Help: "Time from a request's head to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"operation"}),
		// A call that is refused for want of room costs microseconds: what it takes must not hide in a bucket of milliseconds.
		answers: promauto.With(r).NewHistogramVec(prometheus.HistogramOpts{Name: "loch_api_answer_seconds",
			Help: "Time from a request's head to its answer, by error code (OK where there was none).", Buckets: prometheus.ExponentialBuckets(0.00005, 2, 20)}, []string{"code"}),
	}
}

func (m *metrics) observe(operation string, status int, code string, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status), code).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
	m.answers.WithLabelValues(code).Observe(took.Seconds())
}
