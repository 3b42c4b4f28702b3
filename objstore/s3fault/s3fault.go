// Package s3fault stands before an S3-compatible server and spoils some of its answers, as networks and servers under load do: for tests.
package s3fault

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// Kind is a way to fail.
type Kind string

// What becomes of a request.
const (
	Error500   Kind = "500"         // InternalError, nothing is done
	Error503   Kind = "503"         // SlowDown, nothing is done
	Error404   Kind = "404"         // NoSuchKey, whether there is one or not
	Hang       Kind = "hang"        // its body is not read and nothing is answered, until the fault ends
	CutAnswer  Kind = "cut"         // the connection breaks after half of the answer's body
	LostAnswer Kind = "lost answer" // the request is carried out, and the connection breaks before the answer
	LostRace   Kind = "lost race"   // a write that wants the key to be free is told that it is taken; others pass
	Refused    Kind = "refused"     // the connection breaks at once
	Forbidden  Kind = "forbidden"   // AccessDenied, as for a key whose rights were taken away
	NoBucket   Kind = "no bucket"   // NoSuchBucket
)

// Kinds are all of them.
var Kinds = []Kind{Error500, Error503, Error404, Hang, CutAnswer, LostAnswer, LostRace, Refused, Forbidden, NoBucket}

// Fault is what happens to requests.
type Fault struct {
	Kind  Kind
	Share float64                    // of the requests, at random; 0: all
	Only  func(r *http.Request) bool // nil: all
}

// Proxy passes requests on to a server. Signatures stay good: a client signs for the proxy's address, which is passed on.
type Proxy struct {
	URL string

	proxy  *httputil.ReverseProxy
	server *http.Server
	done   chan struct{}
	spoilt atomic.Int64

	mu    sync.Mutex
	fault *Fault
	over  chan struct{} // closed when the fault ends
}

// Start starts a proxy before the server at that URL.
func Start(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	p := &Proxy{URL: "http://" + l.Addr().String(), done: make(chan struct{}), over: make(chan struct{})}
	p.proxy = &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // it is signed
	}}
	p.server = &http.Server{Handler: p, ErrorLog: quiet}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // it ends by Close
	}()
	return p, nil
}

// Close ends the fault, and the proxy with all its connections.
func (p *Proxy) Close() error {
	p.Mend()
	err := p.server.Close()
	<-p.done
	return err
}

// Spoil makes a fault of what comes from now on, in place of the one before.
func (p *Proxy) Spoil(f Fault) { p.set(&f) }

// Mend ends the fault.
func (p *Proxy) Mend() { p.set(nil) }

// Spoilt is how many requests were spoilt so far.
func (p *Proxy) Spoilt() int64 { return p.spoilt.Load() }

func (p *Proxy) set(f *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.over)
	p.fault, p.over = f, make(chan struct{})
}

// ServeHTTP answers one request, or spoils it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	f, over := p.fault, p.over
	p.mu.Unlock()
	if f == nil || f.Only != nil && !f.Only(r) || f.Share > 0 && rand.Float64() >= f.Share {
		p.proxy.ServeHTTP(w, r)
		return
	}
	if f.Kind == LostRace && r.Header.Get("If-None-Match") == "" || f.Kind == CutAnswer && r.Method != http.MethodGet {
		p.proxy.ServeHTTP(w, r)
		return
	}
	p.spoilt.Add(1)
	switch f.Kind {
	case Error500:
		refuse(w, http.StatusInternalServerError, "InternalError")
	case Error503:
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case Error404:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case NoBucket:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case Forbidden:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case LostRace:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case Hang:
		select {
		case <-over:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case CutAnswer:
		p.proxy.ServeHTTP(&halved{ResponseWriter: w}, r)
	case LostAnswer:
		p.proxy.ServeHTTP(&dropped{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>a fault made on purpose</Message></Error>`, code) // the client may be gone
}

var errCut = errors.New("cut off on purpose")

// halved passes half of a body on and then breaks the connection.
type halved struct {
	http.ResponseWriter
	left int
}

func (h *halved) WriteHeader(status int) {
	n, _ := strconv.Atoi(h.Header().Get("Content-Length")) // without one nothing of the body passes
	h.left = n / 2
	h.ResponseWriter.WriteHeader(status)
}

func (h *halved) Write(b []byte) (int, error) {
	if len(b) < h.left {
		h.left -= len(b)
		return h.ResponseWriter.Write(b)
	}
	n, _ := h.ResponseWriter.Write(b[:h.left]) // whether it arrives or not, the rest will not
	h.ResponseWriter.(http.Flusher).Flush()
	return n, errCut
}

// dropped takes an answer that nobody gets.
type dropped struct{ header http.Header }

func (d *dropped) Header() http.Header         { return d.header }
func (d *dropped) WriteHeader(int)             {}
func (d *dropped) Write(b []byte) (int, error) { return len(b), nil }
