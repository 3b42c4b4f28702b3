package objstore_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
)

func TestObjectLock(t *testing.T) {
	srv := s3test.StartVersions(t)
	plain := srv.Open(t, srv.Bucket(t, "plain"))
	if lock, err := plain.ObjectLock(t.Context()); err != nil || lock.Enabled {
		t.Errorf("a bucket without Object Lock: %+v, %v", lock, err)
	}
	put(t, plain, "x", "x")
	if err := plain.Lock(t.Context(), "x", time.Now().Add(time.Hour)); err == nil {
		t.Error("a lock in a bucket without Object Lock")
	}
	if _, err := srv.Open(t, "s3://nosuchbucket").ObjectLock(t.Context()); !errors.Is(err, objstore.ErrNoBucket) {
		t.Errorf("no bucket: %v", err)
	}

	cfg := srv.Config(srv.LockBucket(t, "locked") + "/lake")
	cfg.PartSize = 5 << 20
	s, err := objstore.OpenS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if lock, err := s.ObjectLock(t.Context()); err != nil || !lock.Enabled || lock.Default || lock.Expires != nil { // this store knows no lifecycle rules
		t.Fatalf("a bucket with Object Lock: %+v, %v", lock, err)
	}
	t.Run("store", func(t *testing.T) { testStore(t, s) })
	big := noise(1, 6<<20) // in parts, each with its digest
	if err := s.Put(t.Context(), "t/big", bytes.NewReader(big), int64(len(big)), false); err != nil {
		t.Fatal(err)
	}
	until := time.Now().AddDate(0, 0, 400).UTC().Truncate(time.Second)
	locked := func(want time.Time) {
		t.Helper()
		if got, err := s.Locked(t.Context(), "t/big"); err != nil || !got.Equal(want) {
			t.Errorf("locked until %v, want %v: %v", got, want, err)
		}
	}
	locked(time.Time{})
	for _, c := range []struct{ until, want time.Time }{
		{until, until},
		{until, until},
		{until.AddDate(0, 0, -100), until}, // a shorter one changes nothing
		{until.AddDate(0, 0, 100), until.AddDate(0, 0, 100)},
	} {
		if err := s.Lock(t.Context(), "t/big", c.until); err != nil {
			t.Fatal(err)
		}
		locked(c.want)
	}
	if err := s.Lock(t.Context(), "t/none", until); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("a lock on nothing: %v", err)
	}

	// A legal hold keeps a version that is not locked, until it is taken off.
	put(t, s, "t/held", "x")
	version := srv.Versions(t, "locked", "lake/t/held")[0]
	for range 2 {
		if err := s.Hold(t.Context(), "t/held", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := srv.RemoveVersion(t.Context(), "locked", "lake/t/held", version); err == nil {
		t.Error("a held version was removed")
	}
	for range 2 {
		if err := s.Hold(t.Context(), "t/held", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := srv.RemoveVersion(t.Context(), "locked", "lake/t/held", version); err != nil {
		t.Errorf("a version that is not held any more: %v", err)
	}
	if err := s.Hold(t.Context(), "t/held", true); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("a hold on nothing: %v", err)
	}
	if err := s.Hold(t.Context(), "t/held", false); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("no hold on nothing: %v", err)
	}
	// Nobody removes the version, the key with every right included; the name goes as ever.
	ids := srv.Versions(t, "locked", "lake/t/big")
	if len(ids) != 1 {
		t.Fatalf("versions %q", ids)
	}
	if err := srv.RemoveVersion(t.Context(), "locked", "lake/t/big", ids[0]); err == nil {
		t.Error("a locked version was removed")
	}
	if err := s.Delete(t.Context(), "t/big"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "t/big", 0, -1); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("a removed object: %v", err)
	}
	if got := list(t, s, "t/", ""); got != nil {
		t.Errorf("a removed object is listed: %q", got)
	}
	if left := srv.Versions(t, "locked", "lake/t/big"); len(left) != 1 {
		t.Errorf("versions after the removal: %q", left)
	}

	srv.Default(t, "locked")
	if lock, err := s.ObjectLock(t.Context()); err != nil || !lock.Enabled || !lock.Default {
		t.Errorf("a bucket with a rule: %+v, %v", lock, err)
	}
	put(t, s, "t/by rule", "x")
	if err := srv.RemoveVersion(t.Context(), "locked", "lake/t/by rule", srv.Versions(t, "locked", "lake/t/by rule")[0]); err == nil {
		t.Error("the rule locks nothing")
	}
}

// classes stands before a real server that has no storage classes, and adds them.
type classes struct {
	proxy *httputil.ReverseProxy
	mu    sync.Mutex
	of    map[string]string // by path
}

func (c *classes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if class := r.Header.Get("X-Amz-Storage-Class"); class != "" && r.Method == http.MethodPut {
		source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
		if err != nil || "/"+source != r.URL.Path {
			http.Error(w, "it is not copied onto itself", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.of[r.URL.Path] = class
		c.mu.Unlock()
		w.Header().Set("Content-Type", "application/xml")
		if err := xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"CopyObjectResult"`
			ETag    string
		}{ETag: `"x"`}); err != nil {
			panic(err)
		}
		return
	}
	c.proxy.ServeHTTP(w, r)
}

func TestStorageClass(t *testing.T) {
	srv := s3test.Start(t)
	u, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	front := &classes{of: map[string]string{}}
	front.proxy = &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			front.mu.Lock()
			defer front.mu.Unlock()
			if class := front.of[r.Request.URL.Path]; class != "" && r.StatusCode == http.StatusOK {
				r.Header.Set("X-Amz-Storage-Class", class)
			}
			return nil
		}}
	web := httptest.NewServer(front)
	defer web.Close()
	cfg := srv.Config(srv.Bucket(t, "classes") + "/the lake+1")
	cfg.Endpoint = web.URL
	s, err := objstore.OpenS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	const key = "tables/1/data/eventtime_day=2026-01-01/ü+%20.parquet"
	put(t, s, key, "text")
	c := objstore.S3Class{S3: s, Class: "GLACIER_IR"}
	if cold, err := c.IsCold(t.Context(), key); err != nil || cold {
		t.Errorf("before: %v, %v", cold, err)
	}
	path, err := c.CopyCold(t.Context(), key)
	if err != nil || path != "" {
		t.Fatal(path, err)
	}
	if err := c.MoveCold(t.Context(), key); err != nil {
		t.Error(err)
	}
	if cold, err := c.IsCold(t.Context(), key); err != nil || !cold {
		t.Errorf("after: %v, %v", cold, err)
	}
	if got := get(t, s, key, 0, -1); got != "text" {
		t.Errorf("the object is %q", got)
	}
	if _, err := c.IsCold(t.Context(), "none"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	if _, err := (objstore.S3Class{S3: srv.Open(t, "s3://classes"), Class: "GLACIER_IR"}).CopyCold(t.Context(), "the lake+1/"+key); err == nil {
		t.Error("a store without storage classes: no error")
	} else if !strings.Contains(err.Error(), "storage class") {
		t.Errorf("a store without storage classes: %v", err)
	}
}

// Stores that do not know the question say so in several ways; none of them is a failure, and no failure is one of them.
func TestObjectLockAnswers(t *testing.T) {
	for answer, want := range map[struct {
		status int
		code   string
	}]error{
		{404, "ObjectLockConfigurationNotFoundError"}: nil,
		{404, "NoSuchConfiguration"}:                  nil,
		{405, "MethodNotAllowed"}:                     nil,
		{501, "NotImplemented"}:                       nil,
		{400, "InvalidArgument"}:                      nil,
		{403, "AccessDenied"}:                         objstore.ErrDenied,
		{404, "NoSuchBucket"}:                         objstore.ErrNoBucket,
		{500, "InternalError"}:                        errAny,
		{400, "AuthorizationHeaderMalformed"}:         errAny,
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			if _, err := io.WriteString(w, "<Error><Code>"+answer.code+"</Code></Error>"); err != nil {
				t.Error(err)
			}
		}))
		s, err := objstore.OpenS3(t.Context(), objstore.S3Config{URL: "s3://b", Endpoint: web.URL, Region: "us-east-1", PathStyle: true, Attempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := s.ObjectLock(t.Context())
		if lock.Enabled || (err == nil) != (want == nil) || want != errAny && !errors.Is(err, want) {
			t.Errorf("%d %s: %+v, %v", answer.status, answer.code, lock, err)
		}
		web.Close()
	}
}

var errAny = errors.New("any")
