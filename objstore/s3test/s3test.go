// Package s3test starts a real S3-compatible server, versitygw, for tests.
package s3test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/lochlake/loch/objstore"
)

// Server is a running versitygw. A bucket is a directory in Dir.
type Server struct {
	Endpoint  string // http://127.0.0.1:port
	Region    string
	AccessKey string
	SecretKey string
	Dir       string
}

// Start starts a server that ends with the test. Where versitygw is neither in build/bin of the repository nor on the path, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, "loch-test", "loch-test-secret")
}

// StartVersions starts a server whose buckets can have versions, and so Object Lock.
func StartVersions(t testing.TB) *Server {
	t.Helper()
	return start(t, "loch-test", "loch-test-secret", "--versioning-dir", t.TempDir())
}

// StartWith is Start with a key of the caller's.
func StartWith(t testing.TB, accessKey, secretKey string) *Server {
	t.Helper()
	return start(t, accessKey, secretKey)
}

func start(t testing.TB, accessKey, secretKey string, backend ...string) *Server {
	t.Helper()
	bin := find()
	if bin == "" {
		t.Skip("no versitygw in build/bin or on the path: run `make tools`")
	}
	s := &Server{Region: "us-east-1", AccessKey: accessKey, SecretKey: secretKey, Dir: t.TempDir()}
	side := t.TempDir()
	for try := 1; ; try++ { // another process may take the port between our look and the server's start
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		ctx, cancel := context.WithCancel(context.Background())
		args := append([]string{"--access", s.AccessKey, "--secret", s.SecretKey, "--region", s.Region, "--port", addr,
			"--keep-alive", "--quiet", "--health", "/health", "posix", "--sidecar", side}, backend...)
		cmd := exec.CommandContext(ctx, bin, append(args, s.Dir)...)
		out := &output{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			cmd.Wait()
		}()
		s.Endpoint = "http://" + addr
		if answers(s.Endpoint+"/health", ended) {
			t.Cleanup(func() { cancel(); <-ended })
			return s
		}
		cancel()
		<-ended
		if try == 3 {
			t.Fatalf("versitygw did not answer:\n%s", out)
		}
	}
}

// output collects what the server says, for the one who must find out why it did not start.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func find() string {
	dir, err := os.Getwd()
	for err == nil {
		bin := filepath.Join(dir, "build", "bin", "versitygw")
		if fi, err := os.Stat(bin); err == nil && fi.Mode().IsRegular() {
			return bin
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	bin, err := exec.LookPath("versitygw")
	if err != nil {
		return ""
	}
	return bin
}

// answers waits until the address answers; false when the process ended or half a minute went by.
func answers(url string, ended <-chan struct{}) bool {
	deadline := time.After(30 * time.Second)
	for {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Bucket makes a bucket and gives s3://name.
func (s *Server) Bucket(t testing.TB, name string) string {
	t.Helper()
	if err := os.Mkdir(filepath.Join(s.Dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name
}

// LockBucket makes a bucket with Object Lock enabled, on a server of StartVersions, and gives s3://name.
func (s *Server) LockBucket(t testing.TB, name string) string {
	t.Helper()
	if _, err := s.client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name
}

// Versions gives the IDs of the versions of an object, delete markers not among them.
func (s *Server) Versions(t testing.TB, bucket, key string) (ids []string) {
	t.Helper()
	out, err := s.client().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out.Versions {
		if aws.ToString(v.Key) == key {
			ids = append(ids, aws.ToString(v.VersionId))
		}
	}
	return ids
}

// RemoveVersion removes a version for good, if the bucket lets it.
func (s *Server) RemoveVersion(ctx context.Context, bucket, key, id string) error {
	_, err := s.client().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: &id})
	return err
}

// Default makes a bucket lock every object for a day by itself.
func (s *Server) Default(t testing.TB, bucket string) {
	t.Helper()
	_, err := s.client().PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: &bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled, Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Days: aws.Int32(1), Mode: types.ObjectLockRetentionModeCompliance}}}})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Server) client() *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &s.Endpoint, Region: s.Region, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")})
}

// Config is how objstore reaches a URL on the server.
func (s *Server) Config(url string) objstore.S3Config {
	return objstore.S3Config{URL: url, Endpoint: s.Endpoint, Region: s.Region, PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")}
}

// Open opens a store at url.
func (s *Server) Open(t testing.TB, url string) *objstore.S3 {
	t.Helper()
	st, err := objstore.OpenS3(context.Background(), s.Config(url))
	if err != nil {
		t.Fatal(err)
	}
	return st
}
