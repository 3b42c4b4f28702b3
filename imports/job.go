package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// Request is what StartImport asks for.
type Request struct {
	Store    string // ARN, ID or name; "": live events
	S3       S3Source
	From, To time.Time // of the events wanted, both included; zero: no bound
}

// Why an import's context ended.
var (
	errStop  = errors.New("the import was stopped")
	errClose = errors.New("the server is ending")
)

// job is an import from S3 that is running.
type job struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// sourceCheck is how long StartImport tries whether the source answers.
const sourceCheck = 15 * time.Second

// Start begins an import from S3. It fails with the API's errors: the destination must exist, be active and take trail events, the source must answer, and
// no other import may be going on in the account and region.
func (s *Service) Start(ctx context.Context, sc meta.Scope, r Request) (meta.Import, error) {
	imp := meta.Import{Scope: sc, ID: newID(), Status: Initializing, StartTime: r.From, EndTime: r.To}
	if !r.From.IsZero() && !r.To.IsZero() && r.To.Before(r.From) {
		return imp, awserr.New("InvalidParameterException", "StartEventTime is after EndEventTime.")
	}
	if r.Store != "" {
		st, err := s.destination(ctx, sc, r.Store)
		if err != nil {
			return imp, err
		}
		imp.Stores = []string{st.ID}
	}
	var err error
	if imp.Source, err = json.Marshal(Source{S3: &r.S3}); err != nil {
		return imp, awserr.Internal(err)
	}
	if err := s.checkSource(ctx, r.S3); err != nil {
		return imp, err
	}
	imp.Created = s.now()
	imp.Updated = imp.Created

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.noneRunning(ctx, sc, ""); err != nil {
		return imp, err
	}
	if err := s.DB.CreateImport(ctx, imp); err != nil {
		return imp, awserr.Internal(err)
	}
	s.run(imp)
	return imp, nil
}

// Restart goes on with an import that was stopped or has failed; objects that are in are passed over.
func (s *Service) Restart(ctx context.Context, sc meta.Scope, id string) (meta.Import, error) {
	imp, err := s.Get(ctx, sc, id)
	if err != nil {
		return imp, err
	}
	src, err := ParseSource(imp.Source)
	if err != nil {
		return imp, awserr.Internal(err)
	}
	if src.S3 == nil {
		return imp, errNotFound(id)
	}
	for _, st := range imp.Stores {
		if _, err := s.destination(ctx, sc, st); err != nil {
			return imp, err
		}
	}
	if err := s.checkSource(ctx, *src.S3); err != nil {
		return imp, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.noneRunning(ctx, sc, id); err != nil {
		return imp, err
	}
	imp, err = s.DB.UpdateImport(ctx, id, func(i *meta.Import) error {
		switch i.Status {
		case Failed:
			i.Cursor = "" // what failed may lie anywhere
		case Stopped:
		default:
			return awserr.New("InvalidParameterException", "The import %s is %s; only one that is STOPPED or FAILED can be started again.", id, i.Status)
		}
		i.Status, i.Updated, i.PrefixesFound, i.PrefixesDone = Initializing, s.now(), 0, 0
		return nil
	})
	if err != nil {
		return imp, awserr.From(err)
	}
	s.run(imp)
	return imp, nil
}

// noneRunning keeps AWS's rule of one import at a time. The mutex is held.
func (s *Service) noneRunning(ctx context.Context, sc meta.Scope, but string) error {
	for _, status := range []string{Initializing, InProgress} {
		running, err := s.DB.Imports(ctx, sc, "", status, "", 0)
		if err != nil {
			return awserr.Internal(err)
		}
		for _, imp := range running {
			if src, err := ParseSource(imp.Source); err == nil && src.S3 != nil && imp.ID != but {
				return awserr.New("AccountHasOngoingImportException", "The import %s of the account is still going on; wait for it or stop it.", imp.ID)
			}
		}
	}
	return nil
}

// sourceStore opens the bucket of a source and gives the prefix below it.
func (s *Service) sourceStore(ctx context.Context, src S3Source) (*objstore.S3, string, string, error) {
	bucket, prefix, err := objstore.ParseS3URL(src.S3LocationUri)
	if err != nil {
		return nil, "", "", err
	}
	cfg := s.S3
	cfg.URL = "s3://" + bucket
	if cfg.Endpoint == "" && src.S3BucketRegion != "" {
		cfg.Region = src.S3BucketRegion // AWS's own endpoints are regional; a compatible store's region is configuration
	}
	st, err := objstore.OpenS3(ctx, cfg)
	return st, bucket, prefix, err
}

// errFound ends a listing that was only to find something.
var errFound = errors.New("found")

// checkSource finds out whether the bucket answers, and whether anything is there.
func (s *Service) checkSource(ctx context.Context, src S3Source) error {
	ctx, cancel := context.WithTimeout(ctx, sourceCheck)
	defer cancel()
	st, _, prefix, err := s.sourceStore(ctx, src)
	if err == nil {
		var object bool
		if prefix, object, err = root(ctx, st, prefix); err == nil && object {
			return nil
		}
	}
	if err == nil {
		err = st.List(ctx, prefix, "", func(objstore.Object) error { return errFound })
	}
	switch {
	case errors.Is(err, errFound):
		return nil
	case err != nil:
		return &awserr.Error{Code: "InvalidImportSourceException", Status: 400, Err: err,
			Message: fmt.Sprintf("The import source %s cannot be listed: %v", src.S3LocationUri, err)}
	}
	return awserr.New("InvalidImportSourceException", "There is nothing at the import source %s.", src.S3LocationUri)
}

// Resume goes on with the imports that a server left unfinished. Sessions of clients are halted; a client that is still there goes on with its own.
func (s *Service) Resume(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, status := range []string{Initializing, InProgress} {
		list, err := s.DB.Imports(ctx, meta.Scope{}, "", status, "", 0)
		if err != nil {
			return err
		}
		for _, imp := range list {
			src, err := ParseSource(imp.Source)
			if err != nil {
				return err
			}
			if src.S3 == nil {
				if _, err := s.setStatus(ctx, imp.ID, Stopped, nil); err != nil {
					return err
				}
				continue
			}
			s.Log.Info("an import goes on", slog.String("import", imp.ID), slog.String("source", src.S3.S3LocationUri), slog.String("behind", imp.Cursor))
			s.run(imp)
		}
	}
	return nil
}

// run starts the job of an import. The mutex is held.
func (s *Service) run(imp meta.Import) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := context.AfterFunc(s.ctx, func() { cancel(errClose) })
	j := &job{cancel: cancel, done: make(chan struct{})}
	s.jobs[imp.ID] = j
	s.wg.Go(func() {
		defer close(j.done)
		defer cancel(nil)
		defer stop()
		s.do(ctx, imp)
		s.mu.Lock()
		delete(s.jobs, imp.ID)
		s.mu.Unlock()
	})
}

// Stop ends a running import and waits until what it has accepted is counted. Stopping one that has ended is an error, as with AWS.
func (s *Service) Stop(ctx context.Context, sc meta.Scope, id string) (meta.Import, error) {
	imp, err := s.Get(ctx, sc, id)
	if err != nil {
		return imp, err
	}
	s.mu.Lock()
	j := s.jobs[id]
	s.mu.Unlock()
	if j == nil {
		if imp.Status == Initializing || imp.Status == InProgress { // it has just ended
			return s.Get(ctx, sc, id)
		}
		return imp, awserr.New("InvalidParameterException", "The import %s is %s and cannot be stopped.", id, imp.Status)
	}
	j.cancel(errStop)
	select {
	case <-j.done:
	case <-ctx.Done():
		return imp, awserr.Internal(context.Cause(ctx))
	}
	return s.Get(ctx, sc, id)
}

// do runs an import to its end and records how it ended. An import that the server's own end interrupts keeps its status: Resume finds it.
func (s *Service) do(ctx context.Context, imp meta.Import) {
	err := s.importAll(ctx, imp)
	if err == nil || errors.Is(err, errUnread) {
		if ferr := s.Flush(ctx); ferr != nil {
			err = ferr
		}
	}
	cause := context.Cause(ctx)
	status := Completed
	switch {
	case errors.Is(cause, errClose):
		return
	case errors.Is(cause, errStop):
		status = Stopped
	case err != nil:
		status = Failed
	}
	// The import's own context may have ended; its last word is short.
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if status == Failed && !errors.Is(err, errUnread) {
		f := s.failure("", -1, "ImportFailed", awserr.From(err).Message)
		if _, ok := errors.AsType[*awserr.Error](err); !ok {
			f.Message = err.Error()
		}
		f.ImportID = imp.ID
		if aerr := s.DB.AddFailures(wctx, []meta.Failure{f}); aerr != nil {
			s.Log.Error("an import's failure cannot be recorded", slog.String("import", imp.ID), slog.Any("error", aerr), slog.Any("failure", err))
		}
	}
	last, serr := s.setStatus(wctx, imp.ID, status, func(i *meta.Import) {
		if status == Failed && !errors.Is(err, errUnread) {
			i.Failed++
		}
	})
	if serr != nil {
		s.Log.Error("an import's end cannot be recorded", slog.String("import", imp.ID), slog.String("status", status), slog.Any("error", serr))
		return
	}
	s.Log.Info("import ended", slog.String("import", imp.ID), slog.String("status", status), slog.Int64("files", last.Files), slog.Int64("known files", last.FilesKnown),
		slog.Int64("events", last.Counts.Stored), slog.Int64("failures", last.Failed), slog.Any("error", err))
}
