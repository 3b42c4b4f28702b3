package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// nonceKey is the user metadata that marks a create-only Put as ours, so that a retry after a lost answer is not taken for a lost race.
const nonceKey = "loch-put"

// partsAtOnce bounds the parts of one upload that are in flight, and so its memory: one more part is being read meanwhile.
const partsAtOnce = 2

// Put uploads in one request, or in parts above PartSize. The body is held in memory, or partsAtOnce+1 parts of it.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	full, err := s.full(key, true)
	if err != nil {
		return err
	}
	var onlyIf *string
	var marks map[string]string
	if onlyNew {
		onlyIf, marks = aws.String("*"), map[string]string{nonceKey: uuid.NewString()}
	}
	if size > s.cfg.PartSize {
		err = s.putParts(ctx, full, r, size, onlyIf, marks)
	} else {
		var body []byte
		if body, err = readExactly(ctx, r, size); err == nil {
			err = s.retryConflict(ctx, func() error {
				_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: full,
					Body: bytes.NewReader(body), ContentLength: &size, ContentMD5: s.digest(body), IfNoneMatch: onlyIf, Metadata: marks})
				return err
			})
		}
	}
	err = s.fault("put", key, err)
	if onlyNew && err != nil && s.ours(ctx, full, marks[nonceKey]) {
		return nil // an earlier try had won, and its answer was lost. The later ones' may be, too: who refuses a write at once need not read it
	}
	return err
}

// readExactly reads size bytes and checks that no more come.
func readExactly(ctx context.Context, r io.Reader, size int64) ([]byte, error) {
	b := make([]byte, size)
	if n, err := io.ReadFull(contextReader{ctx, r}, b); err != nil {
		return nil, fmt.Errorf("%d bytes came, %d were announced: %w", n, size, err)
	}
	return b, readEnd(r, size)
}

func readEnd(r io.Reader, size int64) error {
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n != 0:
		return fmt.Errorf("more than the announced %d bytes came", size)
	case !errors.Is(err, io.EOF):
		return err // the reader refuses what it has read
	}
	return nil
}

// retryConflict repeats what S3 refuses only because another conditional write of the key is under way (409), which the SDK does not repeat.
func (s *S3) retryConflict(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || errorCode(err) != "ConditionalRequestConflict" || try >= s.cfg.Attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(try) * 100 * time.Millisecond):
		}
	}
}

// ours tells whether the object that took the key is the one with our nonce.
func (s *S3) ours(ctx context.Context, full *string, nonce string) bool {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: full})
	return err == nil && out.Metadata[nonceKey] == nonce
}

// putParts uploads in parts of PartSize. A failed upload is aborted, so that nothing half uploaded is paid for.
func (s *S3) putParts(ctx context.Context, full *string, r io.Reader, size int64, onlyIf *string, marks map[string]string) (err error) {
	partSize := max(s.cfg.PartSize, (size+9999)/10000) // S3 takes 10,000 parts at most
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: full, Metadata: marks})
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		// The caller's context may be what failed.
		actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, aerr := s.client.AbortMultipartUpload(actx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: full, UploadId: up.UploadId})
		if aerr != nil {
			err = errors.Join(err, fmt.Errorf("aborting the upload: %w", aerr))
		}
	}()

	var mu sync.Mutex
	var parts []types.CompletedPart
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAtOnce)
	var rerr error
	for number, left := int32(1), size; left > 0; number++ {
		b := make([]byte, min(partSize, left))
		if _, rerr = io.ReadFull(contextReader{gctx, r}, b); rerr != nil {
			break
		}
		left -= int64(len(b))
		g.Go(func() error {
			out, err := s.client.UploadPart(gctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: full, UploadId: up.UploadId,
				PartNumber: &number, Body: bytes.NewReader(b), ContentLength: aws.Int64(int64(len(b))), ContentMD5: s.digest(b)})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag})
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if rerr != nil {
		return fmt.Errorf("fewer than the announced %d bytes came: %w", size, rerr)
	}
	if err := readEnd(r, size); err != nil {
		return err
	}
	slices.SortFunc(parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	return s.retryConflict(ctx, func() error {
		_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: full, UploadId: up.UploadId,
			IfNoneMatch: onlyIf, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return err
	})
}
