package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api/model"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// Config is what a Server is made of.
type Config struct {
	Keys     access.Keys
	TokenKey []byte // 32 secret bytes that paging tokens are sealed with; kept over restarts, so that tokens live on
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time // nil: time.Now
}

// Server is the front of the API, an http.Handler. Operations are registered before it serves: HandleX brings the family X.
// Those of the service model that nobody registered answer UnsupportedOperationException.
type Server struct {
	log        *slog.Logger
	now        func() time.Time
	verifier   *access.Verifier
	tokens     *tokens
	metrics    *metrics
	mux        *http.ServeMux
	operations map[string]operation
	bodies     *semaphore.Weighted // bytes
	decoders   *semaphore.Weighted // calls of the data plane that are decoded at once
	throttled  throttled
	refusals   refusals
}

// operation is one operation of the model, wired: body and query become its typed input.
type operation struct {
	*model.Operation
	run   func(ctx context.Context, c *Call, body []byte, query url.Values) (any, error)
	admit admission // of an operation of the data plane; may be nil
}

// New makes a Server without operations.
func New(c Config) (*Server, error) {
	t, err := newTokens(c.TokenKey, c.Now)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{
		log:        c.Log,
		now:        c.Now,
		verifier:   access.NewVerifier(c.Keys, c.Now),
		tokens:     t,
		metrics:    newMetrics(c.Metrics),
		mux:        http.NewServeMux(),
		operations: map[string]operation{},
		bodies:     semaphore.NewWeighted(bodiesSize),
		decoders:   semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		refusals:   newRefusals(runtime.GOMAXPROCS(0)),
	}
	s.mux.Handle("POST /{$}", s.handle(controlPlane, s.serveJSON))
	return s, nil
}

// register wires an operation of the service model. Its input is validated by the model's limits before h sees it, so that required members are
// never nil; a nil answer becomes {}. It panics for a name that the model lacks or that is taken: both are slips in the program.
func register[In, Out any](s *Server, name string, h func(ctx context.Context, c *Call, in *In) (*Out, error)) {
	op := model.Lookup(name)
	if op == nil {
		panic("api: the service model has no operation " + name)
	}
	if _, taken := s.operations[name]; taken {
		panic("api: operation registered twice: " + name)
	}
	s.operations[name] = operation{Operation: op, run: func(ctx context.Context, c *Call, body []byte, query url.Values) (any, error) {
		in := new(In)
		decode := func() error { return op.Decode(body, query, in) }
		if op.Service == dataPlane.service {
			whole := decode
			decode = func() error { return s.decoding(ctx, whole) }
		}
		if err := decode(); err != nil {
			return nil, err
		}
		out, err := h(ctx, c, in)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = new(Out)
		}
		return out, nil
	}}
	if op.Service == dataPlane.service {
		s.mux.Handle("POST /"+name, s.handle(dataPlane, s.serveREST(name)))
	}
}

// handleSigned registers an endpoint of Loch's own under a pattern of http.ServeMux, for example "POST /loch/v1/imports/{id}/files". Requests are
// signed as for the service cloudtrail, with X-Amz-Content-Sha256 naming the body's hash. The body is checked against it while h reads it: reading
// it ends in an error instead of io.EOF where it was another one, or longer than limit bytes, so h accepts nothing before io.EOF. An error that h
// returns before it wrote anything is answered as AWS's REST-JSON writes errors.
func (s *Server) handleSigned(pattern string, limit int64, h func(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error) {
	s.mux.Handle(pattern, s.handle(protocol{service: controlPlane.service, rest: true}, func(q *request) error {
		q.call.Operation = pattern
		if err := q.verifyStream(limit); err != nil {
			return err
		}
		return h(q.r.Context(), &q.call, q.w, q.r)
	}))
}

// HandleOpen registers an endpoint that needs no signature, such as /healthz and /metrics, under a pattern of http.ServeMux.
func (s *Server) HandleOpen(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// decodeJSON reads the JSON body of one of Loch's own endpoints, of at most limit bytes, into v.
func decodeJSON(r *http.Request, limit int64, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > limit {
		return tooLarge(limit)
	}
	if err := json.Unmarshal(body, v); err != nil {
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return serialization("the body is no JSON: at offset %d: %v", at.Offset, at)
		}
		return serialization("%v", err)
	}
	return nil
}

// writeJSON answers one of Loch's own endpoints.
func writeJSON(w http.ResponseWriter, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(b)
	return err
}

// HTTP makes the http.Server that s is served by, with the bounds that hold before a handler runs: heads of 32 KiB within 10 seconds, idle
// connections closed after 2 minutes. Bodies are bounded where they are read.
func (s *Server) HTTP() *http.Server {
	return &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
}
