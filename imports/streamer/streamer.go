package streamer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/imports/protocol"
	"golang.org/x/sync/errgroup"
)

// Options says what to import.
type Options struct {
	Store    string   // name, ID or ARN; "": live
	Sources  []string // files and folders, or (for RunS3) one s3:// URI
	S3Region string   // of the bucket, where the server's own is not it
	From, To time.Time
	Progress func(Progress) // called from one goroutine, ten times a second at most, and at the end; nil: nobody wants to know
}

// Progress is how far an import is.
type Progress struct {
	Files, FilesFound int64
	Bytes, BytesFound int64
	Known             int64 // files that the server knew already, of Files
	Events, Bad       int64 // records read, and of these unreadable
	Counting          bool  // FilesFound and BytesFound are still growing
}

// Summary is what became of an import.
type Summary struct {
	protocol.Session
	Failures []protocol.Failure // the first MaxFailures; Session.Failed counts them all
	Took     time.Duration
}

// MaxFailures is how many failures a Summary holds.
const MaxFailures = 10_000

// ErrStopped says that the context ended an import; the Summary is valid, and another run goes on where this one stopped.
var ErrStopped = errors.New("import stopped")

// settleTime is how long the end of an import waits for the server to count what it has accepted.
const settleTime = 5 * time.Minute

// progress counts; the workers write it, the reporter reads it.
type progress struct {
	files, found, bytes, bytesFound, known, events, bad atomic.Int64
	counting                                            atomic.Bool
}

func (p *progress) now() Progress {
	return Progress{Files: p.files.Load(), FilesFound: p.found.Load(), Bytes: p.bytes.Load(), BytesFound: p.bytesFound.Load(),
		Known: p.known.Load(), Events: p.events.Load(), Bad: p.bad.Load(), Counting: p.counting.Load()}
}

// run is one streamed import on its way.
type run struct {
	*client
	opt Options
	id  string
	progress

	mu     sync.Mutex
	failed []protocol.Failure // what could not be read here, not yet reported
	known  int64              // files known, not yet reported
}

// Run streams local files and folders to the server. Where files cannot be read, or hold what is no event, it goes on and lists them in the Summary;
// the error is for what ends the import: a context that ended (ErrStopped), a server that refuses or is gone.
func Run(ctx context.Context, cfg Config, opt Options) (Summary, error) {
	start := time.Now()
	c, err := newClient(cfg)
	if err != nil {
		return Summary{}, err
	}
	if err := checkSources(opt.Sources); err != nil {
		return Summary{}, err
	}
	var s protocol.Session
	err = c.callJSON(ctx, http.MethodPost, "", protocol.StartRequest{Store: opt.Store, Source: describe(opt.Sources), From: opt.From, To: opt.To}, &s)
	if err != nil {
		return Summary{}, err
	}
	r := &run{client: c, opt: opt, id: s.ImportID}
	r.counting.Store(true)

	stopReport := r.report()
	err = r.send(ctx)
	if err != nil && ctx.Err() != nil {
		err = ErrStopped
	}
	sum, ferr := r.finish(ctx, err != nil)
	stopReport()
	sum.Took = time.Since(start)
	if err == nil {
		err = ferr
	}
	return sum, err
}

// report calls Progress until the function it gives is called.
func (r *run) report() (stop func()) {
	if r.opt.Progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.opt.Progress(r.progress.now())
			case <-end:
				r.opt.Progress(r.progress.now())
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// send reads and sends everything. One goroutine counts what is there, one reads and asks, the others send.
func (r *run) send(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	tasks := make(chan task, r.cfg.Parallel)
	g.Go(func() error {
		defer r.counting.Store(false)
		return walk(ctx, r.opt, func(f file, err error) error {
			if err == nil {
				r.found.Add(1)
				r.bytesFound.Add(f.size)
			}
			return nil // the reading walk lists it
		})
	})
	g.Go(func() error {
		defer close(tasks)
		return r.read(ctx, tasks)
	})
	for range r.cfg.Parallel {
		g.Go(func() error {
			for t := range tasks {
				if err := t(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// finish ends the session, waits until all is counted, and fetches the failures. The caller's context may have ended: that is how an import is stopped.
func (r *run) finish(ctx context.Context, stopped bool) (Summary, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := r.reportFailed(ctx, 0); err != nil {
		return Summary{}, err
	}
	s, err := r.settle(ctx, r.id, stopped)
	if err != nil {
		return Summary{Session: s}, err
	}
	failures, err := r.failures(ctx, r.id)
	return Summary{Session: s, Failures: failures}, err
}

// settle asks the server to finish, again and again until it has counted everything.
func (c *client) settle(ctx context.Context, id string, stopped bool) (protocol.Session, error) {
	for {
		var s protocol.Session
		if err := c.callJSON(ctx, http.MethodPost, "/"+id+"/finish", protocol.FinishRequest{Stopped: stopped}, &s); err != nil {
			return s, fmt.Errorf("finishing the import: %w", err)
		}
		if s.Settled {
			return s, nil
		}
	}
}

func (c *client) failures(ctx context.Context, id string) ([]protocol.Failure, error) {
	var all []protocol.Failure
	for after := int64(0); len(all) < MaxFailures; {
		var page protocol.FailuresResponse
		if err := c.callJSON(ctx, http.MethodGet, fmt.Sprintf("/%s/failures?after=%d", id, after), nil, &page); err != nil {
			return all, fmt.Errorf("listing what failed: %w", err)
		}
		all = append(all, page.Failures...)
		if len(page.Failures) < protocol.PageSize {
			break
		}
		after = all[len(all)-1].Seq
	}
	return all[:min(len(all), MaxFailures)], nil
}

// fail notes a file that cannot be read.
func (r *run) fail(name, kind string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, protocol.Failure{Location: name, Offset: -1, Type: kind, Message: err.Error()})
}

// reportFailed tells the server which files could not be read here and how many were known, once more than most are noted.
func (r *run) reportFailed(ctx context.Context, most int) error {
	for {
		r.mu.Lock()
		if len(r.failed) <= most && (most > 0 || r.known == 0) {
			r.mu.Unlock()
			return nil
		}
		n := min(len(r.failed), protocol.PageSize)
		req := protocol.FinishRequest{Open: true, Failed: r.failed[:n:n], Known: r.known}
		r.failed, r.known = r.failed[n:], 0
		r.mu.Unlock()
		if err := r.callJSON(ctx, http.MethodPost, "/"+r.id+"/finish", req, nil); err != nil {
			return fmt.Errorf("reporting files that cannot be read: %w", err)
		}
	}
}
