package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// fault is an error in the form of the specification (IcebergErrorResponse).
type fault struct {
	status  int
	kind    string // the name that clients switch on
	message string
}

// Error gives name and message.
func (f *fault) Error() string { return f.kind + ": " + f.message }

func (f *fault) body() any {
	type model struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    int    `json:"code"`
	}
	return struct {
		Error model `json:"error"`
	}{model{f.message, f.kind, f.status}}
}

func noSuchPath(u *url.URL) *fault {
	return &fault{http.StatusNotFound, "NotFoundException", "There is nothing at " + short(u.Path) + " in this catalog."}
}

func badRequest(format string, args ...any) *fault {
	return &fault{http.StatusBadRequest, "BadRequestException", fmt.Sprintf(format, args...)}
}

// short cuts what a caller sent to a length that fits a message.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// faultOf makes the answer of an error. What is a fault of ours is logged whole and told in general.
func (c *Catalog) faultOf(r *http.Request, err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if r.Context().Err() == nil {
		c.cfg.Log.ErrorContext(r.Context(), "catalog", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return &fault{http.StatusInternalServerError, "InternalServerError", "The server could not answer; its log says why."}
}

// write sends an answer, nil for none. A client that is gone is no concern.
func (c *Catalog) write(w http.ResponseWriter, r *http.Request, status int, answer any) {
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		f := c.faultOf(r, err)
		status = f.status
		text, _ = json.Marshal(f.body()) // strings and a number
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: "loch_catalog_requests_total",
		Help: "Requests that the Iceberg catalog answered, by operation and HTTP status."}, []string{"operation", "status"})}
}

func (m *metrics) count(operation string, status int) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
}
