package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// Targets are the buckets that results can be delivered to: those of one S3-compatible store.
type Targets struct{ S3 objstore.S3Config }

// maxPrefix is CloudTrail's bound of a prefix, characters.
const maxPrefix = 200

// split takes a target apart. The errors are the API's.
func split(uri string) (bucket, prefix string, err error) {
	bucket, prefix, perr := objstore.ParseS3URL(uri)
	if perr != nil {
		return "", "", awserr.New("InvalidS3BucketNameException", "The delivery URI %.200q is not of the form s3://bucket/prefix.", uri)
	}
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return bucket, "", nil
	}
	if perr := objstore.CheckKey(prefix); perr != nil || len(prefix) > maxPrefix {
		return "", "", awserr.New("InvalidS3PrefixException", "The prefix of the delivery URI must have at most %d characters, and no part that is empty, \".\" or \"..\".", maxPrefix)
	}
	return bucket, prefix + "/", nil
}

// checkTime bounds how long a query's start waits for its target's store.
const checkTime = 5 * time.Second

// Check tells, as an API error, why results cannot go to uri: it is malformed, or its bucket does not exist. A store that does not answer now, or does not
// tell, may do so when the results are there.
func (t Targets) Check(ctx context.Context, uri string) error {
	bucket, _, err := split(uri)
	if err != nil {
		return err
	}
	cfg := t.S3
	cfg.URL, cfg.Attempts = "s3://"+bucket, 1
	store, err := objstore.OpenS3(ctx, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r, err := store.Get(ctx, "AWSLogs/probe", 0, 1) // whatever stands there, the answer names a bucket that does not exist
	if err == nil {
		return r.Close()
	}
	if errors.Is(err, objstore.ErrNoBucket) {
		return awserr.New("S3BucketDoesNotExistException", "The S3 bucket %s does not exist.", bucket)
	}
	return nil
}

// open opens the folder that a query's results belong in: CloudTrail's layout, by the day on which the query ended.
func (t Targets) open(ctx context.Context, q meta.Query) (objstore.Store, error) {
	bucket, prefix, err := split(q.DeliveryURI)
	if err != nil {
		return nil, err
	}
	cfg := t.S3
	cfg.URL = fmt.Sprintf("s3://%s/%sAWSLogs/%s/CloudTrail-Lake/Query/%s/%s", bucket, prefix, q.Account, q.Ended.UTC().Format("2006/01/02"), q.ID)
	return objstore.OpenS3(ctx, cfg)
}
