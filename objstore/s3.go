package objstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// S3Config says where an S3-compatible store is and how to speak to it.
type S3Config struct {
	URL         string                  // s3://bucket or s3://bucket/prefix
	Endpoint    string                  // http(s)://host[:port]; "" for AWS's own
	Region      string                  // "" for the environment's, and us-east-1 where that has none
	PathStyle   bool                    // bucket in the path, not in the host's name, as most compatible stores want
	Credentials aws.CredentialsProvider // nil: the default chain (environment, profile, instance role)
	Attempts    int                     // tries of one request; 0: 6
	Stall       time.Duration           // how long a request or a response may go without a byte; 0: 30 s
	PartSize    int64                   // objects above it are uploaded in parts of this size; 0: 16 MiB; S3's least is 5 MiB
}

// S3 keeps objects in a bucket, below a prefix.
type S3 struct {
	client *s3.Client
	bucket string
	prefix string // "" or ends in "/"
	name   string // what URI begins with; "": s3://bucket/prefix
	cfg    S3Config

	digests atomic.Bool // uploads carry their MD5
}

// ParseS3URL splits s3://bucket/prefix. The prefix has no leading slash and may be "".
func ParseS3URL(raw string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(raw, "s3://")
	if !ok {
		return "", "", fmt.Errorf("%q is not of the form s3://bucket/prefix", raw)
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if bucket == "" || strings.ContainsAny(bucket, "?#@: \x00") {
		return "", "", fmt.Errorf("%q names no bucket: want s3://bucket/prefix", raw)
	}
	return bucket, prefix, nil
}

// OpenS3 makes a client. Nothing is asked of the store yet; a wrong address or key shows at the first call.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	bucket, prefix, err := ParseS3URL(c.URL)
	if err != nil {
		return nil, err
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	if c.Attempts == 0 {
		c.Attempts = 6
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	if c.PartSize == 0 {
		c.PartSize = 16 << 20
	}
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("S3 endpoint %q is not of the form http(s)://host", c.Endpoint)
		}
	}
	hc := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 10 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = c.Stall
			t.MaxIdleConnsPerHost = 64
			// A server that stops reading would keep an upload for ever: the timeout above begins when all of it is sent.
			dial := t.DialContext
			t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return sending{conn, c.Stall}, nil
			}
		})
	opts := []func(*config.LoadOptions) error{
		config.WithHTTPClient(hc),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = c.Attempts
				o.MaxBackoff = 5 * time.Second
			})
		}),
		// Many compatible stores refuse or ignore the newer checksums; TLS and Content-Length guard the rest.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if c.Region != "" {
		opts = append(opts, config.WithRegion(c.Region))
	}
	if c.Credentials != nil {
		opts = append(opts, config.WithCredentialsProvider(c.Credentials))
	}
	ac, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("S3 configuration: %w", err)
	}
	if ac.Region == "" {
		ac.Region = "us-east-1"
	}
	client := s3.NewFromConfig(ac, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
	})
	return &S3{client: client, bucket: bucket, prefix: prefix, cfg: c}, nil
}

// full checks a key and puts the prefix before it. Keys that others wrote may have empty parts; ours may not.
func (s *S3) full(key string, ours bool) (*string, error) {
	err := CheckKey(key)
	if !ours && err != nil && key != "" && !strings.ContainsRune(key, 0) {
		err = nil
		for part := range strings.SplitSeq(key, "/") {
			if part == "." || part == ".." {
				err = fmt.Errorf("object key %q has a part that servers take for a way up", key)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return aws.String(s.prefix + key), nil
}

// fault gives an SDK error this package's vocabulary.
func (s *S3) fault(op, key string, err error) error {
	if err == nil {
		return nil
	}
	code := errorCode(err)
	status := 0
	if re, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = re.HTTPStatusCode()
	}
	switch {
	case code == "NoSuchKey" || code == "NotFound" || (status == http.StatusNotFound && code != "NoSuchBucket" && code != "NoSuchUpload"):
		return fmt.Errorf("%s s3://%s/%s%s: %w", op, s.bucket, s.prefix, key, ErrNotExist)
	case code == "NoSuchBucket":
		return fmt.Errorf("%s s3://%s/%s%s: %w: %w", op, s.bucket, s.prefix, key, ErrNoBucket, err)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s s3://%s/%s%s: %w: %w", op, s.bucket, s.prefix, key, ErrDenied, err)
	case status == http.StatusNotImplemented:
		return fmt.Errorf("%s s3://%s/%s%s: %w: %w", op, s.bucket, s.prefix, key, ErrUnsupported, err)
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%s s3://%s/%s%s: %w", op, s.bucket, s.prefix, key, ErrExists)
	}
	return fmt.Errorf("%s s3://%s/%s%s: %w", op, s.bucket, s.prefix, key, err)
}

// errorCode is the S3 error's name, "" where the fault was not the store's answer.
func errorCode(err error) string {
	if ae, ok := errors.AsType[smithy.APIError](err); ok {
		return ae.ErrorCode()
	}
	return ""
}

// URI gives s3://bucket/prefix/key, not percent-encoded: Iceberg's readers take locations as they stand.
func (s *S3) URI(key string) string { return s.base() + key }

func (s *S3) base() string {
	if s.name != "" {
		return s.name
	}
	return "s3://" + s.bucket + "/" + s.prefix
}

// Key takes what URI gives.
func (s *S3) Key(uri string) (string, bool) {
	key, ok := strings.CutPrefix(uri, s.base())
	if !ok || CheckKey(key) != nil {
		return "", false
	}
	return key, true
}

// LocalPath is "": the objects are elsewhere. Cache brings them near.
func (s *S3) LocalPath(string) string { return "" }

// Open opens the store that location names: s3://bucket/prefix (then c says how; its URL is set here), file:///dir, or a directory.
func Open(ctx context.Context, location string, c S3Config) (Store, error) {
	switch dir, isFile := strings.CutPrefix(location, "file://"); {
	case strings.HasPrefix(location, "s3://"):
		c.URL = location
		return OpenS3(ctx, c)
	case isFile && strings.HasPrefix(dir, "/"):
		return OpenLocal(dir)
	case location == "" || strings.Contains(location, "://"):
		return nil, fmt.Errorf("store location %q is neither a directory nor s3://bucket/prefix", location)
	default:
		return OpenLocal(location)
	}
}

// sending is a connection on which no piece of a request may wait longer than that for the other side to take it.
type sending struct {
	net.Conn
	stall time.Duration
}

func (s sending) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}
