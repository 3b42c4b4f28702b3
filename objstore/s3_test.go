package objstore_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
)

func TestS3(t *testing.T) {
	srv := s3test.Start(t)
	url := srv.Bucket(t, "lake")
	t.Run("prefix", func(t *testing.T) { testStore(t, srv.Open(t, url+"/some/prefix")) })
	t.Run("bucket", func(t *testing.T) { testStore(t, srv.Open(t, srv.Bucket(t, "whole"))) })
	t.Run("parts", func(t *testing.T) {
		cfg := srv.Config(url + "/parts")
		cfg.PartSize = 5 << 20
		s, err := objstore.OpenS3(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 12<<20+123)
		rand.NewChaCha8([32]byte{1}).Read(want)
		if err := s.Put(t.Context(), "big", bytes.NewReader(want), int64(len(want)), true); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, "big", 0, -1); got != string(want) {
			t.Error("what came back differs")
		}
		err = s.Put(t.Context(), "big", bytes.NewReader(want), int64(len(want)), true)
		if !errors.Is(err, objstore.ErrExists) {
			t.Errorf("create-only over an object: %v", err)
		}
		if err := s.Put(t.Context(), "cut", bytes.NewReader(want[:7<<20]), int64(len(want)), false); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("short body: %v", err)
		}
		if _, err := s.Stat(t.Context(), "cut"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("half an object shows: %v", err)
		}
	})
	t.Run("no bucket", func(t *testing.T) {
		s := srv.Open(t, "s3://nosuchbucket")
		_, err := s.Get(t.Context(), "x", 0, -1)
		if err == nil || errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("want an error that does not read as a missing object, got %v", err)
		}
		if err := s.List(t.Context(), "", "", func(objstore.Object) error { return nil }); err == nil {
			t.Error("listing a missing bucket answered")
		}
	})
}

func TestParseS3URL(t *testing.T) {
	for _, c := range []struct {
		url, bucket, prefix string
		bad                 bool
	}{
		{url: "s3://b", bucket: "b"},
		{url: "s3://b/", bucket: "b"},
		{url: "s3://b/p/q", bucket: "b", prefix: "p/q"},
		{url: "s3://b/p/", bucket: "b", prefix: "p/"},
		{url: "s3://", bad: true},
		{url: "s3:///x", bad: true},
		{url: "https://b/x", bad: true},
		{url: "s3://user:pw@host/x", bad: true},
	} {
		b, p, err := objstore.ParseS3URL(c.url)
		if (err != nil) != c.bad || b != c.bucket || p != c.prefix {
			t.Errorf("%s: %q %q %v", c.url, b, p, err)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{"", "https://example.org/x", "file://host/x", "s3://"} {
		if s, err := objstore.Open(t.Context(), bad, objstore.S3Config{}); err == nil {
			t.Errorf("Open(%q) = %v", bad, s)
		}
	}
	s, err := objstore.Open(t.Context(), "file://"+t.TempDir(), objstore.S3Config{})
	if err != nil || s.LocalPath("a") == "" {
		t.Errorf("file URL: %v, %v", s, err)
	}
	if _, err := objstore.OpenS3(t.Context(), objstore.S3Config{URL: "s3://b", Endpoint: "not a url"}); err == nil {
		t.Error("a bad endpoint was taken")
	}
}
