package objstore

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ObjectLock is what a bucket says of S3 Object Lock.
type ObjectLock struct {
	Enabled bool
	Default bool // a rule of the bucket's locks every object that is put
	// Expires tells whether a lifecycle rule removes versions that are not current any more; nil: it cannot be told.
	Expires *bool
}

// ObjectLock asks the bucket. Where Object Lock is enabled, uploads carry the digest that S3 asks for with it from then on.
func (s *S3) ObjectLock(ctx context.Context) (ObjectLock, error) {
	out, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &s.bucket})
	if err != nil {
		if hasNone(err) {
			return ObjectLock{}, nil
		}
		return ObjectLock{}, s.fault("object lock of", "", err)
	}
	c := out.ObjectLockConfiguration
	if c == nil || c.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return ObjectLock{}, nil
	}
	s.digests.Store(true)
	l := ObjectLock{Enabled: true, Default: c.Rule != nil && c.Rule.DefaultRetention != nil && c.Rule.DefaultRetention.Mode != ""}
	rules, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.bucket})
	switch {
	case err == nil:
		l.Expires = aws.Bool(false)
		for _, r := range rules.Rules {
			if r.Status == types.ExpirationStatusEnabled && r.NoncurrentVersionExpiration != nil {
				l.Expires = aws.Bool(true)
			}
		}
	case errorCode(err) == "NoSuchLifecycleConfiguration":
		l.Expires = aws.Bool(false)
	}
	return l, nil // that the rules cannot be read is no reason not to lock
}

// hasNone tells whether the answer to a question for a bucket's setting says that there is none. Compatible stores say it in several ways.
func hasNone(err error) bool {
	switch errorCode(err) {
	case "NoSuchBucket":
		return false
	case "InvalidRequest", "InvalidArgument":
		return true
	}
	re, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok {
		return false
	}
	status := re.HTTPStatusCode()
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

// Lock keeps the object's current version from being removed or changed by anybody before until, by S3 Object Lock in compliance mode. A lock that is longer
// stays as it is: a lock is only ever extended. ErrNotExist: there is no such object. The bucket must have Object Lock enabled.
func (s *S3) Lock(ctx context.Context, key string, until time.Time) error {
	full, err := s.full(key, true)
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: full})
	if err != nil {
		return s.fault("lock", key, err)
	}
	until = until.UTC().Truncate(time.Second)
	if was := head.ObjectLockRetainUntilDate; was != nil && !was.Before(until) {
		if head.ObjectLockMode == types.ObjectLockModeCompliance {
			return nil
		}
		until = was.UTC()
	}
	_, err = s.client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: &s.bucket, Key: full, VersionId: head.VersionId,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: &until}})
	return s.fault("lock", key, err)
}

// Locked is until when the object's current version is locked in compliance mode; the zero time where it is not.
func (s *S3) Locked(ctx context.Context, key string) (time.Time, error) {
	full, err := s.full(key, true)
	if err != nil {
		return time.Time{}, err
	}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: full})
	if err != nil || head.ObjectLockMode != types.ObjectLockModeCompliance {
		return time.Time{}, s.fault("stat", key, err)
	}
	return aws.ToTime(head.ObjectLockRetainUntilDate), nil
}

// Hold puts S3's legal hold on the object's current version, or takes it off: while it is on nobody removes or changes that version, whatever its lock says. ErrNotExist: there is no
// such object. The bucket must have Object Lock enabled.
func (s *S3) Hold(ctx context.Context, key string, on bool) error {
	full, err := s.full(key, true)
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: full})
	if err != nil {
		return s.fault("hold", key, err)
	}
	if on == (head.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn) {
		return nil
	}
	status := types.ObjectLockLegalHoldStatusOff
	if on {
		status = types.ObjectLockLegalHoldStatusOn
	}
	_, err = s.client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{Bucket: &s.bucket, Key: full, VersionId: head.VersionId, LegalHold: &types.ObjectLockLegalHold{Status: status}})
	return s.fault("hold", key, err)
}

// digest is a body's Content-MD5, nil where none is asked for.
func (s *S3) digest(body []byte) *string {
	if !s.digests.Load() {
		return nil
	}
	sum := md5.Sum(body)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// ColdClasses are the storage classes of S3 that objects are read from at once. From the archives (GLACIER, DEEP_ARCHIVE) an object must be restored first, for hours:
// no query waits for that.
var ColdClasses = []string{"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}

// S3Class moves a bucket's objects to another storage class, in place.
type S3Class struct {
	*S3
	Class string // one of ColdClasses
}

// IsCold tells whether an object is in that class.
func (c S3Class) IsCold(ctx context.Context, key string) (bool, error) {
	full, err := c.full(key, true)
	if err != nil {
		return false, err
	}
	head, err := c.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: full})
	if err != nil {
		return false, c.fault("stat", key, err)
	}
	return string(head.StorageClass) == c.Class, nil
}

// CopyCold copies the object onto itself in the class; readers have the one or the other, which are the same. It gives no path, as there is none.
func (c S3Class) CopyCold(ctx context.Context, key string) (string, error) {
	full, err := c.full(key, true)
	if err != nil {
		return "", err
	}
	source := strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(c.bucket + "/" + *full))
	if _, err := c.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &c.bucket, Key: full, CopySource: &source, StorageClass: types.StorageClass(c.Class)}); err != nil {
		return "", c.fault("change the storage class of", key, err)
	}
	cold, err := c.IsCold(ctx, key)
	if err == nil && !cold {
		err = fmt.Errorf("%s was copied to the storage class %s and is not in it: this store has no such class", c.URI(key), c.Class)
	}
	return "", err
}

// MoveCold has nothing left to do.
func (c S3Class) MoveCold(context.Context, string) error { return nil }
