package imports

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// object is one object of an import, from the time it is found until it is in the books.
type object struct {
	location    string
	fingerprint string
	bytes       int64
	known       bool   // not read, since it is in
	prefixFound bool   // no object, but the mark before a folder's first one
	prefixDone  bool   // no object, but the mark behind a folder's last one
	key         string // where listing goes on behind it; "" in sessions

	read, badRead atomic.Int64 // records found so far, and of these bad

	loaded chan struct{} // closed when what is below is final; nil where there is nothing to load

	tickets  []Ticket
	counts   meta.Counts // what ingest was not told of: Read, Bad, and Filtered by the wanted time
	bad      []meta.Failure
	badTotal int64 // with those written already
	again    bool  // it could not be read to its end by a fault that may pass
	failed   error // why the server could not take it

	settled chan struct{} // no object, but a mark: closed once everything before it is in the books
	last    bool          // no object, but the mark that ends the book
}

// The measures of the books.
const (
	bookQueue = 1024                   // objects between being found and being in the books
	bookBatch = 256                    // objects of one transaction
	bookWait  = 200 * time.Millisecond // after which a transaction does not wait for more
	badBatch  = 1000                   // failures of one object that are held before they are written
)

// book writes, in the order of listing, what became of objects: their fingerprints, the counts, the failures and how far the listing is, in one
// transaction for many objects. What is not in the books when the server ends is read again, and identity keeps it from being stored twice.
type book struct {
	s      *Service
	id     string
	ledger ledger
	queue  chan *object
	done   chan struct{}
	// stuck says that an object must be tried again: the cursor does not pass it. To be read after done.
	stuck bool
}

// open starts the goroutine that keeps the book; close ends it.
func (s *Service) open(id string, l ledger) *book {
	b := &book{s: s, id: id, ledger: l, queue: make(chan *object, bookQueue), done: make(chan struct{})}
	s.wg.Go(b.keep)
	return b
}

var errBookClosed = errors.New("the import has ended")

// add queues an object.
func (b *book) add(ctx context.Context, o *object) error {
	select {
	case b.queue <- o:
		return nil
	case <-b.done:
		return errBookClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the book once everything added before is in it.
func (b *book) close() {
	select {
	case b.queue <- &object{last: true}:
	case <-b.done:
	}
	<-b.done
}

// settle waits until everything added before is in the book.
func (b *book) settle(ctx context.Context) error {
	mark := &object{settled: make(chan struct{})}
	if err := b.add(ctx, mark); err != nil {
		return err
	}
	select {
	case <-mark.settled:
		return nil
	case <-b.done:
		return errBookClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patience is how long a server that ends waits for ingest to say what became of accepted events.
const patience = 10 * time.Second

func (b *book) keep() {
	defer close(b.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(b.s.ctx, func() { time.AfterFunc(patience, cancel) })
	defer stop()

	var batch []*object
	timer := time.NewTimer(bookWait)
	timer.Stop()
	flush := func() {
		timer.Stop()
		if len(batch) > 0 {
			b.write(ctx, batch)
			batch = nil
		}
	}
	for {
		select {
		case o := <-b.queue:
			if o.last {
				flush()
				return
			}
			if o.settled != nil {
				flush()
				close(o.settled)
				continue
			}
			b.await(ctx, o)
			if len(batch) == 0 {
				timer.Reset(bookWait)
			}
			if batch = append(batch, o); len(batch) >= bookBatch {
				flush()
			}
		case <-timer.C:
			flush()
		}
	}
}

// await waits until an object is loaded and its events' fate is known.
func (b *book) await(ctx context.Context, o *object) {
	if o.loaded == nil {
		return
	}
	<-o.loaded // whoever loads always closes it
	for _, t := range o.tickets {
		c, err := t.Wait(ctx)
		if err != nil {
			o.again = true
			if ctx.Err() == nil {
				b.s.Log.Error("an accepted delivery of an import has no outcome", slog.String("import", b.id), slog.String("object", o.location), slog.Any("error", err))
				o.bad = append(o.bad, b.s.failure(o.location, -1, "IngestFailed", awserr.From(err).Message))
				o.badTotal++
			}
			continue
		}
		o.counts = sum(o.counts, c)
	}
	o.tickets = nil
}

func sum(a, b meta.Counts) meta.Counts {
	return meta.Counts{Read: a.Read + b.Read, Stored: a.Stored + b.Stored, Known: a.Known + b.Known, Filtered: a.Filtered + b.Filtered,
		Expired: a.Expired + b.Expired, Bad: a.Bad + b.Bad, Foreign: a.Foreign + b.Foreign, Conflict: a.Conflict + b.Conflict}
}

// write enters a batch. An object with bad records is not remembered: another run reads it again and lists what is bad again.
func (b *book) write(ctx context.Context, batch []*object) {
	var fingerprints []string
	var failures []meta.Failure
	var total meta.Counts
	var files, known, bytes, prefixes, done, failed int64
	cursor := ""
	for _, o := range batch {
		if o.again {
			b.stuck = true
		}
		if !b.stuck && o.key != "" {
			cursor = o.key
		}
		switch {
		case o.prefixFound:
			prefixes++
			continue
		case o.prefixDone:
			done++
			continue
		case o.known:
			known++
			continue
		}
		failures, failed = append(failures, o.bad...), failed+o.badTotal
		total = sum(total, o.counts)
		if o.again || o.loaded == nil {
			continue
		}
		files, bytes = files+1, bytes+o.bytes
		if o.badTotal == 0 && o.fingerprint != "" {
			whole, windowed := b.ledger.keys(o.fingerprint)
			if o.counts.Filtered > 0 {
				whole = windowed
			}
			fingerprints = append(fingerprints, whole)
		}
	}
	for i := range failures {
		failures[i].ImportID = b.id
	}
	err := b.s.DB.AddFailures(ctx, failures)
	if err == nil {
		err = b.s.DB.RecordObjects(ctx, b.ledger.target, fingerprints, b.id, func(i *meta.Import) error {
			i.Files, i.FilesKnown, i.Bytes = i.Files+files, i.FilesKnown+known, i.Bytes+bytes
			i.PrefixesFound, i.PrefixesDone, i.Failed = i.PrefixesFound+prefixes, i.PrefixesDone+done, i.Failed+failed
			i.Counts = sum(i.Counts, total)
			if cursor != "" {
				i.Cursor = cursor
			}
			i.Updated = b.s.now()
			return nil
		})
	}
	if err != nil {
		// The events are durable; only the import's own record is behind. The objects are read again by the next run.
		b.s.Log.Error("an import's progress cannot be recorded", slog.String("import", b.id), slog.Any("error", err))
		b.stuck = true
		return
	}
	b.s.files.WithLabelValues("read").Add(float64(files))
	b.s.files.WithLabelValues("known").Add(float64(known))
	b.s.failures.Add(float64(failed))
}

func (s *Service) failure(location string, offset int64, kind, message string) meta.Failure {
	return meta.Failure{Location: location, Offset: offset, Type: kind, Message: message, Status: Failed, Updated: s.now()}
}
