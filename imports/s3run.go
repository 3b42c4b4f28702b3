package imports

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"golang.org/x/sync/errgroup"
)

// errUnread says that objects could not be read, which are listed, and may be another time.
var errUnread = errors.New("some objects could not be read")

// importAll lists, fetches, decodes and delivers.
func (s *Service) importAll(ctx context.Context, imp meta.Import) error {
	src, err := ParseSource(imp.Source)
	if err != nil {
		return err
	}
	store, bucket, prefix, err := s.sourceStore(ctx, *src.S3)
	if err != nil {
		return err
	}
	led, err := s.ledger(ctx, imp)
	if err != nil {
		return err
	}
	if _, err := s.setStatus(ctx, imp.ID, InProgress, nil); err != nil {
		return err
	}
	b := s.open(imp.ID, led)
	run := &s3Run{loader: s.loader(imp, b), store: store, bucket: bucket, ledger: led}
	fetch := make(chan *fetched)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(fetch)
		return run.list(gctx, imp, prefix, fetch)
	})
	for range fetchesAtOnce {
		g.Go(func() error {
			for f := range fetch {
				if err := run.fetch(gctx, f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	b.close()
	if err == nil && b.stuck {
		err = errUnread
	}
	return err
}

// s3Run is one run of an import from S3.
type s3Run struct {
	*loader
	store  *objstore.S3
	bucket string
	ledger ledger
}

// fetched is an object on its way.
type fetched struct {
	*object
	size int64
}

// fetch reads an object and loads it. It closes its loaded channel, whatever happens.
func (r *s3Run) fetch(ctx context.Context, f *fetched) error {
	weight := min(f.size, wholeObject) + 1
	if err := r.s.bytes.Acquire(ctx, weight); err != nil {
		f.again = true
		close(f.loaded)
		return context.Cause(ctx)
	}
	defer r.s.bytes.Release(weight)
	body, err := r.store.Get(ctx, f.key, 0, -1)
	if err != nil {
		return r.lost(ctx, f, err)
	}
	defer body.Close()
	if f.size > wholeObject {
		return r.stream(ctx, f.object, body)
	}
	payload := make([]byte, f.size)
	n, err := io.ReadFull(body, payload)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it has %d bytes, not the %d listed: it was replaced meanwhile", n, f.size)
	}
	if err != nil {
		return r.lost(ctx, f, err)
	}
	return r.whole(ctx, f.object, payload)
}

// lost notes an object that cannot be had, and lets the import go on.
func (r *s3Run) lost(ctx context.Context, f *fetched, err error) error {
	defer close(f.loaded)
	f.again = true
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.unreadable(f.object, err)
	return nil
}

// ask is how many objects are looked up in the ledger at once.
const ask = 500

// list finds the objects and hands on those that are not in yet.
func (r *s3Run) list(ctx context.Context, imp meta.Import, prefix string, fetch chan<- *fetched) error {
	var pending []listed
	flush := func() error {
		err := r.sift(ctx, pending, fetch)
		pending = pending[:0]
		return err
	}
	err := scan(ctx, r.store, prefix, imp.StartTime, imp.EndTime, imp.Cursor, func(l listed) error {
		if pending = append(pending, l); len(pending) >= ask {
			return flush()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the source: %w", err)
	}
	return flush()
}

// sift looks objects up in the ledger and hands on the others. Everything goes into the book in the order of listing.
func (r *s3Run) sift(ctx context.Context, list []listed, fetch chan<- *fetched) error {
	prints := make([]string, len(list))
	for i, o := range list {
		prints[i] = fingerprintS3(r.bucket, o.Key, o.ETag, o.Size)
	}
	known, err := r.s.known(ctx, r.ledger, prints)
	if err != nil {
		return err
	}
	for i, o := range list {
		f := &fetched{size: o.Size, object: &object{prefixFound: o.begins, prefixDone: o.ends}}
		if !o.begins && !o.ends {
			f.object = &object{location: "s3://" + r.bucket + "/" + o.Key, fingerprint: prints[i], bytes: o.Size, key: o.Key, known: known[prints[i]]}
			if !f.known {
				f.loaded = make(chan struct{})
			}
		}
		if err := r.book.add(ctx, f.object); err != nil {
			return err
		}
		if f.loaded == nil {
			continue
		}
		select {
		case fetch <- f:
		case <-ctx.Done():
			f.again = true
			close(f.loaded)
			return context.Cause(ctx)
		}
	}
	return nil
}
