package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/objstore/s3test"
)

// faulty stands before a real server and spoils some answers.
type faulty struct {
	proxy *httputil.ReverseProxy
	spoil func(n int64, w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) // n counts from 1
	n     atomic.Int64
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.spoil(f.n.Add(1), w, r, func(w http.ResponseWriter) { f.proxy.ServeHTTP(w, r) })
}

// open gives a store behind faults; attempts of 0 are the default.
func (f *faulty) open(t *testing.T, srv *s3test.Server, bucket string, stall time.Duration, attempts int) *objstore.S3 {
	t.Helper()
	u, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // it is signed
	}}
	f.proxy.ErrorLog = log.New(io.Discard, "", 0)
	front := httptest.NewUnstartedServer(f)
	front.Config.ErrorLog = f.proxy.ErrorLog
	front.Start()
	t.Cleanup(front.Close)
	cfg := srv.Config(bucket)
	cfg.Endpoint, cfg.Stall, cfg.Attempts = front.URL, stall, attempts
	s, err := objstore.OpenS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cutWriter lets n bytes of a body through and then breaks the connection, or hangs.
type cutWriter struct {
	http.ResponseWriter
	left int
	hang <-chan struct{}
}

func (c *cutWriter) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	c.ResponseWriter.Write(b[:c.left]) // whether it arrives or not, the rest will not
	c.ResponseWriter.(http.Flusher).Flush()
	if c.hang != nil {
		<-c.hang
	}
	panic(http.ErrAbortHandler)
}

func TestS3Faults(t *testing.T) {
	srv := s3test.Start(t)
	bucket := srv.Bucket(t, "faults")
	data := noise(9, 3<<20)
	put(t, srv.Open(t, bucket), "x", string(data))
	read := func(t *testing.T, s *objstore.S3) {
		t.Helper()
		r, err := s.Get(t.Context(), "x", 10, int64(len(data))-20)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data[10:len(data)-10]) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	t.Run("busy", func(t *testing.T) {
		f := &faulty{spoil: func(n int64, w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
			switch n {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				w.WriteHeader(http.StatusInternalServerError)
			case 3:
				panic(http.ErrAbortHandler)
			default:
				pass(w)
			}
		}}
		read(t, f.open(t, srv, bucket, time.Minute, 0))
	})
	t.Run("cut bodies", func(t *testing.T) {
		f := &faulty{spoil: func(n int64, w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
			if n <= 3 {
				w = &cutWriter{ResponseWriter: w, left: 700_000}
			}
			pass(w)
		}}
		read(t, f.open(t, srv, bucket, time.Minute, 0))
	})
	t.Run("hanging body", func(t *testing.T) {
		hang := make(chan struct{})
		f := &faulty{spoil: func(n int64, w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
			if n == 1 {
				w = &cutWriter{ResponseWriter: w, left: 100_000, hang: hang}
			}
			pass(w)
		}}
		// A busy machine may take as long for an answer, and more than once.
		s := f.open(t, srv, bucket, 300*time.Millisecond, 50)
		defer close(hang) // before the server ends
		read(t, s)
	})
	t.Run("replaced between the pieces", func(t *testing.T) {
		plain := srv.Open(t, bucket)
		put(t, plain, "y", string(data))
		f := &faulty{}
		f.spoil = func(n int64, w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
			if n == 2 {
				put(t, plain, "y", string(noise(10, len(data))))
			}
			if n == 1 {
				w = &cutWriter{ResponseWriter: w, left: 700_000}
			}
			pass(w)
		}
		r, err := f.open(t, srv, bucket, time.Minute, 0).Get(t.Context(), "y", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err == nil || errors.Is(err, objstore.ErrExists) {
			t.Errorf("halves of two objects were put together: %d bytes, %v", len(got), err)
		}
	})
	t.Run("lost answer of a create-only put", func(t *testing.T) {
		f := &faulty{spoil: func(n int64, w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
			if n == 1 {
				pass(httptest.NewRecorder())
				panic(http.ErrAbortHandler)
			}
			pass(w)
		}}
		s := f.open(t, srv, bucket, time.Minute, 0)
		if err := s.Put(t.Context(), "once", bytes.NewReader(data), int64(len(data)), true); err != nil {
			t.Errorf("our own write was taken for another's: %v", err)
		}
		if err := s.Put(t.Context(), "once", bytes.NewReader(data), int64(len(data)), true); !errors.Is(err, objstore.ErrExists) {
			t.Errorf("want ErrExists, got %v", err)
		}
	})
	t.Run("down", func(t *testing.T) {
		f := &faulty{spoil: func(_ int64, w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			w.WriteHeader(http.StatusInternalServerError)
		}}
		s := f.open(t, srv, bucket, time.Minute, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := s.Put(ctx, "z", bytes.NewReader(data), int64(len(data)), false); err == nil || errors.Is(err, objstore.ErrExists) {
			t.Errorf("put: %v", err)
		}
		if _, err := s.Stat(ctx, "x"); err == nil || errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("stat: %v", err)
		}
	})
	t.Run("hanging upload", func(t *testing.T) {
		p, err := s3fault.Start(srv.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		cfg := srv.Config(bucket)
		cfg.Endpoint, cfg.Stall, cfg.Attempts, cfg.PartSize = p.URL, 200*time.Millisecond, 2, 64<<20
		s, err := objstore.OpenS3(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		large := noise(11, 40<<20) // more than sockets hold
		p.Spoil(s3fault.Fault{Kind: s3fault.Hang})
		if err := s.Put(t.Context(), "large", bytes.NewReader(large), int64(len(large)), false); err == nil {
			t.Error("an upload that nobody took went well")
		}
		p.Mend()
		cfg.Stall = 0 // a busy machine takes its time
		if s, err = objstore.OpenS3(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "large", bytes.NewReader(large), int64(len(large)), false); err != nil {
			t.Error(err)
		}
	})
}
