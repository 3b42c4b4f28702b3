package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Stat asks for an object's head.
func (s *S3) Stat(ctx context.Context, key string) (Object, error) {
	full, err := s.full(key, false)
	if err != nil {
		return Object{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: full})
	if err != nil {
		return Object{}, s.fault("stat", key, err)
	}
	return Object{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}, nil
}

// Get reads a part of an object. Bytes beyond its end are not there: the reader ends early. A connection that breaks or stalls in the middle
// is taken up again where it stood, as long as the object is the same.
func (s *S3) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	full, err := s.full(key, false)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		_, err := s.Stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), err
	}
	b := &body{s: s, ctx: ctx, key: key, full: full, off: off, end: -1}
	if n > 0 {
		b.end = off + n
	}
	if err := b.open(); err != nil {
		return nil, s.fault("get", key, err)
	}
	return b, nil
}

var errReplaced = errors.New("the object was replaced while it was read")

// body reads an object and reopens broken connections.
type body struct {
	s        *S3
	ctx      context.Context
	key      string
	full     *string
	off, end int64 // what is still wanted; end < 0: to the object's end
	etag     *string
	rc       io.ReadCloser
	cancel   context.CancelFunc
	stall    *time.Timer
	breaks   int // since the last byte
}

func (b *body) open() error {
	ctx, cancel := context.WithCancel(b.ctx)
	in := &s3.GetObjectInput{Bucket: &b.s.bucket, Key: b.full, IfMatch: b.etag}
	switch {
	case b.end >= 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", b.off, b.end-1))
	case b.off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", b.off))
	}
	out, err := b.s.client.GetObject(ctx, in)
	if err != nil {
		cancel()
		if re, ok := errors.AsType[*awshttp.ResponseError](err); ok && re.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable {
			b.rc, b.cancel = io.NopCloser(strings.NewReader("")), func() {} // off lies at or beyond the end
			return nil
		}
		return err
	}
	if in.Range != nil && out.ContentRange == nil {
		out.Body.Close()
		cancel()
		return errors.New("the store ignored the range asked for")
	}
	if b.etag == nil {
		b.etag = out.ETag
		if out.ContentLength != nil {
			b.end = b.off + *out.ContentLength
		}
	}
	b.rc, b.cancel = out.Body, cancel
	b.stall = time.AfterFunc(b.s.cfg.Stall, cancel)
	return nil
}

func (b *body) Read(p []byte) (int, error) {
	for {
		if b.stall != nil {
			b.stall.Reset(b.s.cfg.Stall)
		}
		n, err := b.rc.Read(p)
		if b.stall != nil {
			b.stall.Stop() // the reader may take its time between calls
		}
		b.off += int64(n)
		if n > 0 {
			b.breaks = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		if b.end < 0 || b.off >= b.end || b.stall == nil {
			if err == io.EOF {
				return 0, io.EOF
			}
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		b.breaks++
		if b.ctx.Err() != nil || b.breaks >= b.s.cfg.Attempts || b.etag == nil {
			return 0, b.s.fault("get", b.key, err)
		}
		b.Close()
		err = b.open()
		if re, ok := errors.AsType[*awshttp.ResponseError](err); ok && re.HTTPStatusCode() == http.StatusPreconditionFailed {
			return 0, fmt.Errorf("get %s: %w", b.s.URI(b.key), errReplaced)
		}
		if err != nil {
			return 0, b.s.fault("get", b.key, fmt.Errorf("going on at byte %d: %w", b.off, err))
		}
	}
}

func (b *body) Close() error {
	if b.stall != nil {
		b.stall.Stop()
	}
	b.cancel()
	return b.rc.Close()
}

// List pages through ListObjectsV2.
func (s *S3) List(ctx context.Context, prefix, startAfter string, fn func(Object) error) error {
	in := &s3.ListObjectsV2Input{}
	if startAfter != "" {
		in.StartAfter = aws.String(s.prefix + startAfter)
	}
	return s.pages(ctx, prefix, in, func(page *s3.ListObjectsV2Output, name func(*string) (string, error)) error {
		for _, o := range page.Contents {
			key, err := name(o.Key)
			if err != nil {
				return err
			}
			if key <= startAfter { // a store that ignores StartAfter must not repeat itself
				continue
			}
			err = fn(Object{Key: key, Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified)})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ListFolders pages through ListObjectsV2 with the delimiter "/".
func (s *S3) ListFolders(ctx context.Context, prefix string, fn func(string) error) error {
	in := &s3.ListObjectsV2Input{Delimiter: aws.String("/")}
	return s.pages(ctx, prefix, in, func(page *s3.ListObjectsV2Output, name func(*string) (string, error)) error {
		for _, p := range page.CommonPrefixes {
			folder, err := name(p.Prefix)
			if err != nil {
				return err
			}
			if err := fn(folder); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *S3) pages(ctx context.Context, prefix string, in *s3.ListObjectsV2Input,
	fn func(page *s3.ListObjectsV2Output, name func(*string) (string, error)) error) error {
	in.Bucket, in.Prefix = &s.bucket, aws.String(s.prefix+prefix)
	in.EncodingType = types.EncodingTypeUrl // a key may hold what XML cannot
	for {
		page, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return s.fault("list", prefix, err)
		}
		name := func(k *string) (string, error) {
			key := aws.ToString(k)
			if page.EncodingType == types.EncodingTypeUrl {
				var err error
				if key, err = url.QueryUnescape(key); err != nil {
					return "", s.fault("list", prefix, err)
				}
			}
			key, ok := strings.CutPrefix(key, s.prefix)
			if !ok {
				return "", s.fault("list", prefix, fmt.Errorf("the store named %q, outside the prefix asked for", aws.ToString(k)))
			}
			return key, nil
		}
		if err := fn(page, name); err != nil {
			return err
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		if aws.ToString(page.NextContinuationToken) == "" {
			return s.fault("list", prefix, errors.New("the list is cut off without a token to go on with"))
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, key string) error {
	full, err := s.full(key, true)
	if err != nil {
		return err
	}
	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: full})
	if err = s.fault("delete", key, err); errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}
