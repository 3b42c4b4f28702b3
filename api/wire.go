package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// protocol is how requests of one service look on the wire.
type protocol struct {
	service string // in the signature's scope
	rest    bool   // REST-JSON, else AWS JSON 1.1
	limit   int64  // bytes of a body
}

var (
	controlPlane = protocol{service: "cloudtrail", limit: 1 << 20}
	dataPlane    = protocol{service: "cloudtrail-data", rest: true, limit: 1 << 20} // "1 MB a call" (CloudTrail's quotas)
)

const (
	// bodyTime is how long a client may take over the body of a call that is read whole, or over each piece of a streamed one, and answerTime over
	// its answer.
	bodyTime   = 30 * time.Second
	answerTime = time.Minute
	// callTime is how long an operation may take. None that is in order comes near it.
	callTime = 2 * time.Minute
)

// request is one HTTP request on its way.
type request struct {
	s    *Server
	p    protocol
	w    *response
	r    *http.Request
	call Call
	// admission may refuse the call before its body is read; nil: nothing does but the room for bodies.
	admission admission
	start     time.Time
	code      string // of the error it was answered with
	// control sets the connection's deadlines.
	control *http.ResponseController
	bytes   int64  // read of the body
	leave   func() // gives back what admit took
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// ServeMux would answer a path that is not clean with a redirect, which no signed request survives.
	if p := r.URL.Path; p != path.Clean(p) {
		s.handle(protocol{rest: true}, notFound).ServeHTTP(w, r)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.handle(protocol{rest: true}, notFound).ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func notFound(q *request) error {
	return &awserr.Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: fmt.Sprintf("there is no %s %.100s here", q.r.Method, q.r.URL.Path)}
}

// handle wraps what answers a request in what every request gets: an id, a log line, metrics, the error form, and survival of a panic.
func (s *Server) handle(p protocol, serve func(*request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		q := &request{s: s, p: p, w: &response{ResponseWriter: w}, r: r, start: start, call: Call{
			Operation: "unknown", RequestID: uuid.NewString(), UserAgent: r.UserAgent(), Time: start.UTC(), Wait: preferredWait(r.Header)}}
		q.call.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
		w.Header().Set("x-amzn-RequestId", q.call.RequestID)
		q.control = http.NewResponseController(w)
		// A call before this one on the connection may have left its deadline.
		if err := q.control.SetWriteDeadline(time.Time{}); err != nil {
			q.fail(awserr.Internal(err))
			q.done()
			return
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				q.fail(awserr.Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
			}
			q.done()
			q.drain()
		}()
		defer func() {
			if q.leave != nil {
				q.leave()
			}
		}()
		if err := serve(q); err != nil {
			q.fail(err)
		}
	})
}

// response remembers what was answered.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// fail answers with err, unless something was written already; then the connection is cut, so that the client doesn't take half for whole.
func (q *request) fail(err error) {
	e := awserr.From(err)
	if e.Status >= 500 {
		switch {
		case q.r.Context().Err() != nil: // nobody reads the answer; the log has it
			e = &awserr.Error{Code: "RequestAbortedException", Status: http.StatusBadRequest, Message: "The request was aborted by the client."}
		case errors.Is(err, context.DeadlineExceeded):
			e = &awserr.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "The request took too long. Try again later.", Err: err}
		}
	}
	q.code = e.Code
	if e.Err != nil || e.Status >= 500 {
		q.s.log.Error("request failed", slog.String("request", q.call.RequestID), slog.String("operation", q.call.Operation),
			slog.String("code", e.Code), slog.Any("cause", e.Err))
	}
	if q.w.status != 0 {
		q.done()
		panic(http.ErrAbortHandler)
	}
	h := q.w.Header()
	if q.p.rest {
		h.Set("Content-Type", "application/json")
		h.Set("x-amzn-ErrorType", e.Code)
	} else {
		h.Set("Content-Type", "application/x-amz-json-1.1")
	}
	body, _ := marshal(struct { // two strings always marshal
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.Code, e.Message})
	if q.drainable() {
		// Before the body is read, which net/http does first unless told otherwise. It can be told so on every connection of HTTP/1.
		_ = q.control.EnableFullDuplex()
		h.Set("Content-Length", strconv.Itoa(len(body)))
		defer q.control.Flush()
	}
	q.w.WriteHeader(e.Status)
	q.w.Write(body) // here and in Flush: the client may be gone, and nobody is left to tell
}

// reads tells whether an operation changes nothing.
func reads(operation string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Lookup", "GET "} { // the last: Loch's own endpoints
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// done logs and counts the request.
func (q *request) done() {
	took := q.s.now().Sub(q.start)
	code := q.code
	if code == "" {
		code = "OK"
	}
	q.s.metrics.observe(q.call.Operation, q.w.status, code, took)
	level := slog.LevelInfo
	switch {
	case q.w.status < 300 && reads(q.call.Operation):
		level = slog.LevelDebug // clients poll
	case code == throttling:
		level = slog.LevelDebug // the more come the less there must be to do
		if n, since := q.s.throttled.count(q.start); n > 0 {
			q.s.log.Warn("calls are refused: more come than can be taken", slog.Int64("calls", n), slog.Time("since", since))
		}
	}
	q.s.log.LogAttrs(q.r.Context(), level, "request", slog.String("request", q.call.RequestID), slog.String("operation", q.call.Operation),
		slog.Int("status", q.w.status), slog.String("code", code), slog.String("account", q.call.Caller.Account), slog.String("key", q.call.Caller.AccessKeyID),
		slog.String("region", q.call.Caller.Region), slog.String("source", q.call.SourceIP), slog.Int64("bytes", q.bytes), slog.Duration("took", took))
}

// verify reads the whole body and checks the signature over it. What can be refused without the body is refused before it is read.
func (q *request) verify() ([]byte, error) {
	sig, err := q.s.verifier.Begin(q.r.Context(), q.r, q.p.service)
	if err != nil {
		return nil, err
	}
	if q.r.ContentLength > q.p.limit {
		return nil, tooLarge(q.p.limit)
	}
	if err := q.admit(sig); err != nil {
		return nil, err
	}
	if err := q.control.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, awserr.Internal(err)
	}
	body, err := io.ReadAll(io.LimitReader(q.r.Body, q.p.limit+1))
	q.bytes = int64(len(body))
	// net/http reads on to notice that the client goes away; that read must not meet the body's deadline.
	if err := q.control.SetReadDeadline(time.Time{}); err != nil {
		return nil, awserr.Internal(err)
	}
	if err != nil {
		return nil, &awserr.Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout, Message: "the body did not come whole in time", Err: err}
	}
	if q.bytes > q.p.limit {
		return nil, tooLarge(q.p.limit)
	}
	sum := sha256.Sum256(body)
	if err := q.identify(sig, hex.EncodeToString(sum[:])); err != nil {
		return nil, err
	}
	return body, nil
}

// verifyStream checks the signature over the hash that the request names, and lets the body be read against it.
func (q *request) verifyStream(limit int64) error {
	sig, err := q.s.verifier.Begin(q.r.Context(), q.r, q.p.service)
	if err != nil {
		return err
	}
	declared := q.r.Header.Get("X-Amz-Content-Sha256")
	want, err := hex.DecodeString(declared)
	if err != nil || len(want) != sha256.Size {
		return awserr.New("MissingHeaderException", "X-Amz-Content-Sha256 must be the SHA-256 of the body, in hexadecimal")
	}
	if err := q.identify(sig, declared); err != nil {
		return err
	}
	if q.r.ContentLength > limit {
		return tooLarge(limit)
	}
	q.r.Body = &checkedBody{ReadCloser: q.r.Body, q: q, sum: sha256.New(), want: want, limit: limit}
	return nil
}

func (q *request) identify(sig *access.Signature, bodyHash string) error {
	caller, err := sig.Verify(bodyHash)
	if err != nil {
		return err
	}
	q.call.Caller = caller
	q.call.Scope = meta.Scope{Account: caller.Account, Region: caller.Region}
	return nil
}

// checkedBody reads a body and ends in io.EOF only where it was the one that was signed.
type checkedBody struct {
	io.ReadCloser
	q     *request
	sum   hash.Hash
	want  []byte
	limit int64
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if err := b.q.control.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// As in verify: net/http reads on.
		if err := b.q.control.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	b.sum.Write(p[:n])
	b.q.bytes += int64(n)
	if b.q.bytes > b.limit {
		return 0, tooLarge(b.limit)
	}
	if err != nil && err != io.EOF {
		return n, &awserr.Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout, Message: "the body did not come whole in time", Err: err}
	}
	if err == io.EOF && subtle.ConstantTimeCompare(b.sum.Sum(nil), b.want) == 0 {
		return 0, &awserr.Error{Code: "InvalidSignatureException", Status: http.StatusForbidden, Message: "The body is not the one whose hash was signed."}
	}
	return n, err
}

// serveJSON answers a call of AWS JSON 1.1, which X-Amz-Target names.
func (s *Server) serveJSON(q *request) error {
	name, ok := model.ParseTarget(q.r.Header.Get("X-Amz-Target"))
	op, known := s.operations[name]
	if ok && (known || model.Lookup(name) != nil) {
		q.call.Operation = name // only names of the model, so that metrics stay bounded
	}
	body, err := q.verify()
	if err != nil {
		return err
	}
	switch {
	case !ok || model.Lookup(name) == nil:
		return &awserr.Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: fmt.Sprintf("there is no operation %.100q", name)}
	case !known || op.Service != q.p.service:
		return unsupported(name)
	}
	if t, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/x-amz-json-1.1" {
		return &awserr.Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: fmt.Sprintf("the content type must be application/x-amz-json-1.1, not %.60q", t)}
	}
	return q.run(op, body, "application/x-amz-json-1.1")
}

// serveREST answers a call of REST-JSON, which the path names.
func (s *Server) serveREST(name string) func(*request) error {
	return func(q *request) error {
		q.call.Operation, q.admission = name, s.operations[name].admit
		body, err := q.verify()
		if err != nil {
			return err
		}
		return q.run(s.operations[name], body, "application/json")
	}
}

func (q *request) run(op operation, body []byte, contentType string) error {
	ctx, cancel := context.WithTimeout(q.r.Context(), callTime)
	defer cancel()
	out, err := op.run(ctx, &q.call, body, q.r.URL.Query())
	if err != nil {
		return err
	}
	b, err := marshal(out)
	if err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", contentType)
	if err := q.control.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return awserr.Internal(err)
	}
	q.w.Write(b) // the client may be gone: nobody is left to tell
	return nil
}

// marshal writes JSON without the escapes of HTML's characters, which nobody needs here.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func unsupported(name string) *awserr.Error {
	return awserr.New("UnsupportedOperationException", "Loch does not have the operation %s yet.", name)
}

func serialization(format string, args ...any) *awserr.Error {
	return awserr.New("SerializationException", format, args...)
}

func tooLarge(limit int64) *awserr.Error {
	return &awserr.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is over %d bytes", limit)}
}
