package imports

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// The measures of loading.
const (
	smallObject   = 1 << 20  // objects up to this size,
	smallInflated = 16 << 20 // which say that they inflate to no more than this, are decoded at once and kept in the log as they came
)

// loader brings the objects of one import into ingest.
type loader struct {
	s        *Service
	id       string
	scope    meta.Scope
	stores   []string // none: live
	from, to int64    // microseconds of the wanted time, both included; 0: no bound
	client   bool     // somebody waits for the answer and can try again
	book     *book
}

func (s *Service) loader(imp meta.Import, b *book) *loader {
	return &loader{s: s, id: imp.ID, scope: imp.Scope, stores: imp.Stores, from: bound(imp.StartTime), to: bound(imp.EndTime), book: b}
}

// isGzip tells gzip (RFC 1952) by its magic number.
func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

// small tells whether an object may be decoded in one piece. A gzip file says in its last four bytes how large it is inflated; it may lie, so the
// decoding is bounded all the same.
func small(payload []byte) bool {
	if len(payload) > smallObject {
		return false
	}
	return !isGzip(payload) || len(payload) < 18 || binary.LittleEndian.Uint32(payload[len(payload)-4:]) <= smallInflated
}

// whole loads an object that lies in memory. It closes o.loaded when all of it is durable or refused. The error is the context's, or that of a server
// that takes nothing any more.
func (l *loader) whole(ctx context.Context, o *object, payload []byte) error {
	if !small(payload) {
		return l.stream(ctx, o, bytes.NewReader(payload))
	}
	batch, err := l.decode(ctx, func() (*logfile.Batch, error) {
		return logfile.ReadAll(ctx, o.location, payload, logfile.Options{MaxSize: 4 * smallInflated})
	})
	if err == nil && slices.ContainsFunc(batch.Bad, func(b logfile.Bad) bool { return b.Type == logfile.InflationLimit }) {
		return l.stream(ctx, o, bytes.NewReader(payload)) // its last bytes lied
	}
	defer close(o.loaded)
	if err == nil {
		err = l.deliver(ctx, o, batch, payload)
	}
	o.again = err != nil
	return err
}

// decode runs fn in one of the places for decoders, of which there are as many as processors.
func (l *loader) decode(ctx context.Context, fn func() (*logfile.Batch, error)) (*logfile.Batch, error) {
	select {
	case l.s.cpu <- struct{}{}:
		defer func() { <-l.s.cpu }()
		return fn()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stream waits for one of the places for large objects and loads an object as it comes. It closes o.loaded at the end.
func (l *loader) stream(ctx context.Context, o *object, src io.Reader) error {
	if err := l.s.large.Acquire(ctx, 1); err != nil {
		o.again = true
		close(o.loaded)
		return context.Cause(ctx)
	}
	defer l.s.large.Release(1)
	defer close(o.loaded)
	return l.read(ctx, o, src)
}

// read loads an object batch by batch. A source that breaks is no error of the import: the object is listed, and tried again by the next run.
func (l *loader) read(ctx context.Context, o *object, src io.Reader) error {
	r := logfile.Open(o.location, src, logfile.Options{})
	for {
		batch, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			o.again = true
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			l.unreadable(o, err)
			return nil
		}
		if err := l.deliver(ctx, o, batch, nil); err != nil {
			o.again = true
			return err
		}
	}
}

// unreadable lists an object that could not be fetched, or not to its end.
func (l *loader) unreadable(o *object, err error) {
	o.bad = append(o.bad, l.s.failure(o.location, -1, "ObjectUnreadable", err.Error()))
	o.badTotal++
	l.s.files.WithLabelValues("failed").Inc()
}

// deliver gives a batch to ingest. payload is the object's bytes where the batch is all of it.
func (l *loader) deliver(ctx context.Context, o *object, batch *logfile.Batch, payload []byte) error {
	o.read.Add(batch.Read)
	o.badRead.Add(int64(len(batch.Bad)))
	for _, bad := range batch.Bad {
		o.bad = append(o.bad, l.s.failure(o.location, bad.Offset, bad.Type, bad.Message))
		o.badTotal++
		o.counts.Read++
		o.counts.Bad++
		if len(o.bad) >= badBatch {
			if err := l.writeBad(ctx, o); err != nil {
				return err
			}
		}
	}
	records := l.wanted(batch.Records)
	if dropped := int64(len(batch.Records) - len(records)); dropped > 0 {
		o.counts.Read += dropped
		o.counts.Filtered += dropped
		payload = nil // the log must not bring back what was left out
	}
	if len(records) == 0 {
		return nil
	}
	d := ingest.Delivery{Payload: payload, Encoding: "json", Provenance: o.location, Records: records, Read: int64(len(records)),
		Live: len(l.stores) == 0, Scope: l.scope, Stores: l.stores}
	if isGzip(payload) {
		d.Encoding = "gzip"
	}
	t, err := l.accept(ctx, d)
	if err != nil {
		return err
	}
	o.tickets = append(o.tickets, t)
	return nil
}

// writeBad writes failures early, where one object has very many.
func (l *loader) writeBad(ctx context.Context, o *object) error {
	for i := range o.bad {
		o.bad[i].ImportID = l.id
	}
	if err := l.s.DB.AddFailures(ctx, o.bad); err != nil {
		return fmt.Errorf("listing the bad records of %s: %w", o.location, err)
	}
	o.bad = o.bad[:0]
	return nil
}

// wanted leaves out events of another time. It changes nothing where there are none.
func (l *loader) wanted(records []event.Record) []event.Record {
	if l.from == 0 && l.to == 0 {
		return records
	}
	in := func(r *event.Record) bool { return (l.from == 0 || r.Time >= l.from) && (l.to == 0 || r.Time <= l.to) }
	for i := range records {
		if in(&records[i]) {
			continue
		}
		kept := append([]event.Record(nil), records[:i]...)
		for j := i + 1; j < len(records); j++ {
			if in(&records[j]) {
				kept = append(kept, records[j])
			}
		}
		return kept
	}
	return records
}

// While the disk takes nothing, a job offers a delivery again after busyWait; that doubles up to busyMost.
const (
	busyWait = 20 * time.Millisecond
	busyMost = 2 * time.Second
)

// accept gives a delivery to ingest, which waits for room. Where it fails for now, a job waits that out; a client is told to try again.
func (l *loader) accept(ctx context.Context, d ingest.Delivery) (Ticket, error) {
	for wait := busyWait; ; wait = min(2*wait, busyMost) {
		t, err := l.s.Accept(ctx, d)
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !errors.Is(err, ingest.ErrBusy) && !errors.Is(err, ingest.ErrClosed) && !errors.Is(err, wal.ErrFailed) && !errors.Is(err, meta.ErrSetBack) {
			return nil, fmt.Errorf("%s: %w", d.Provenance, err)
		}
		if l.client {
			return nil, &awserr.Error{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable, Message: "No events can be taken in just now; try again.", Err: err}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
