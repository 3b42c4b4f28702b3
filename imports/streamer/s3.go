package streamer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lochlake/loch/imports/protocol"
)

// followEvery is how often the state of an import that the server does is asked for.
const followEvery = 250 * time.Millisecond

// RunS3 has the server import one s3:// source and follows it. A context that ends stops the import (ErrStopped).
func RunS3(ctx context.Context, cfg Config, opt Options) (Summary, error) {
	start := time.Now()
	c, err := newClient(cfg)
	if err != nil {
		return Summary{}, err
	}
	if len(opt.Sources) != 1 {
		return Summary{}, errors.New("one s3:// source at a time")
	}
	var s protocol.Session
	err = c.callJSON(ctx, http.MethodPost, "", protocol.StartRequest{Store: opt.Store, Source: opt.Sources[0], From: opt.From, To: opt.To,
		S3: &protocol.S3Source{URI: opt.Sources[0], Region: opt.S3Region}}, &s)
	if err != nil {
		return Summary{}, err
	}
	id := s.ImportID
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for s.Status == "INITIALIZING" || s.Status == "IN_PROGRESS" || !s.Settled {
		select {
		case <-tick.C:
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
			defer cancel()
			if s, err = c.settle(end, id, true); err != nil {
				return Summary{Session: s, Took: time.Since(start)}, err
			}
			return c.summary(end, s, start, ErrStopped)
		}
		if err := c.callJSON(ctx, http.MethodGet, "/"+id, nil, &s); err != nil {
			if ctx.Err() != nil {
				continue // stopped below
			}
			return Summary{Session: s, Took: time.Since(start)}, fmt.Errorf("following the import: %w", err)
		}
		if opt.Progress != nil {
			opt.Progress(Progress{Files: s.Files + s.FilesKnown, Bytes: s.Bytes, Known: s.FilesKnown, Events: s.Counts.Read, Bad: s.Counts.Bad, Counting: true})
		}
	}
	if s.Status == "FAILED" {
		err = errors.New("the import failed: some of the source could not be read; run it again to go on")
	}
	return c.summary(ctx, s, start, err)
}

func (c *client) summary(ctx context.Context, s protocol.Session, start time.Time, err error) (Summary, error) {
	failures, ferr := c.failures(ctx, s.ImportID)
	if err == nil {
		err = ferr
	}
	return Summary{Session: s, Failures: failures, Took: time.Since(start)}, err
}
