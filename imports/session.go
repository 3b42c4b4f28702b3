package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/imports/protocol"
	"github.com/lochlake/loch/meta"
	"golang.org/x/sync/errgroup"
)

// The life of a session.
const (
	sessionIdle = 15 * time.Minute // a session without requests is halted; its client may go on with it all the same
	uploadIdle  = time.Minute      // an object in pieces whose next piece does not come is given up; its client is told to begin again
	settleWait  = 10 * time.Second // a request to finish is answered after it at the latest
	acceptAhead = 16               // objects of one request whose durability is waited for side by side
	answersKept = 64               // answers of a session that are kept for a client that asks again
)

// session is an import whose objects a client streams.
type session struct {
	*loader
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	busy    int // requests in hand
	last    time.Time
	ended   bool
	uploads map[string]*upload // by the object's hash
	answers map[string]*answer // by the request's id
	order   []string           // of answers, the oldest first
}

// answer is what a request was answered, for the client that did not get it.
type answer struct {
	done chan struct{}
	resp protocol.ObjectsResponse
	err  error
}

// StartSession opens a session, or begins an import from S3 where the request names one.
func (s *Service) StartSession(ctx context.Context, sc meta.Scope, r protocol.StartRequest) (protocol.Session, error) {
	if r.S3 != nil {
		imp, err := s.Start(ctx, sc, Request{Store: r.Store, From: r.From, To: r.To, S3: S3Source{S3LocationUri: r.S3.URI, S3BucketRegion: r.S3.Region}})
		return s.describe(imp), err
	}
	if !r.From.IsZero() && !r.To.IsZero() && r.To.Before(r.From) {
		return protocol.Session{}, awserr.New("InvalidParameterException", "From is after To.")
	}
	imp := meta.Import{Scope: sc, ID: newID(), Status: InProgress, StartTime: r.From, EndTime: r.To, Created: s.now()}
	imp.Updated = imp.Created
	if r.Store != "" {
		st, err := s.destination(ctx, sc, r.Store)
		if err != nil {
			return protocol.Session{}, err
		}
		imp.Stores = []string{st.ID}
	}
	if len(r.Source) > 4096 {
		return protocol.Session{}, awserr.New("InvalidParameterException", "The description of the source is longer than 4096 bytes.")
	}
	var err error
	if imp.Source, err = json.Marshal(Source{Local: &LocalSource{Description: r.Source}}); err != nil {
		return protocol.Session{}, awserr.Internal(err)
	}
	if err := s.DB.CreateImport(ctx, imp); err != nil {
		return protocol.Session{}, awserr.Internal(err)
	}
	return s.describe(imp), nil
}

// SessionState tells how any import of the scope stands.
func (s *Service) SessionState(ctx context.Context, sc meta.Scope, id string) (protocol.Session, error) {
	imp, err := s.Get(ctx, sc, id)
	return s.describe(imp), err
}

func (s *Service) describe(imp meta.Import) protocol.Session {
	out := protocol.Session{ImportID: imp.ID, Status: imp.Status, Settled: imp.Status != Initializing && imp.Status != InProgress,
		Files: imp.Files, FilesKnown: imp.FilesKnown, Bytes: imp.Bytes, Failed: imp.Failed, Counts: protocol.Counts(imp.Counts)}
	if len(imp.Stores) > 0 {
		st := meta.EventDataStore{Scope: imp.Scope, ID: imp.Stores[0]}
		out.Store = st.ARN()
	}
	return out
}

// enter finds a session for a request, makes it anew where the server has forgotten it, and keeps it until leave is called.
func (s *Service) enter(ctx context.Context, sc meta.Scope, id string) (se *session, leave func(), err error) {
	imp, err := s.Get(ctx, sc, id)
	if err != nil {
		return nil, nil, err
	}
	src, err := ParseSource(imp.Source)
	if err != nil {
		return nil, nil, awserr.Internal(err)
	}
	if src.Local == nil {
		return nil, nil, errNotFound(id)
	}
	if imp.Status != InProgress && imp.Status != Stopped {
		return nil, nil, awserr.New("InvalidParameterException", "The import %s is %s and takes no more.", id, imp.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, nil, errEnding()
	}
	se = s.sessions[id]
	if se == nil {
		led, err := s.ledger(ctx, imp)
		if errors.Is(err, meta.ErrNotFound) {
			return nil, nil, awserr.New("EventDataStoreNotFoundException", "The event data store of the import %s is gone.", id)
		}
		if err != nil {
			return nil, nil, awserr.Internal(err)
		}
		if imp.Status == Stopped {
			if imp, err = s.setStatus(ctx, id, InProgress, nil); err != nil {
				return nil, nil, awserr.Internal(err)
			}
		}
		se = &session{loader: s.loader(imp, s.open(id, led)), uploads: map[string]*upload{}, answers: map[string]*answer{}}
		se.ctx, se.cancel = context.WithCancel(s.ctx)
		se.client = true
		s.sessions[id] = se
	}
	se.mu.Lock()
	defer se.mu.Unlock()
	se.busy++
	se.last = time.Now()
	return se, func() {
		se.mu.Lock()
		defer se.mu.Unlock()
		se.busy--
		se.last = time.Now()
	}, nil
}

func errEnding() error {
	return &awserr.Error{Code: "ServiceUnavailableException", Status: 503, Message: "The server is ending; try again."}
}

// Known tells which of the objects with these hashes need not be sent.
func (s *Service) Known(ctx context.Context, sc meta.Scope, id string, hashes []string) ([]string, error) {
	se, leave, err := s.enter(ctx, sc, id)
	if err != nil {
		return nil, err
	}
	defer leave()
	if len(hashes) > protocol.MaxHashes {
		return nil, awserr.New("InvalidParameterException", "%d hashes were asked for; %d at most.", len(hashes), protocol.MaxHashes)
	}
	prints := make([]string, len(hashes))
	for i, h := range hashes {
		prints[i] = fingerprintContent(h)
	}
	found, err := s.known(ctx, se.book.ledger, prints)
	if err != nil {
		return nil, awserr.Internal(err)
	}
	var out []string
	for i, h := range hashes {
		if found[prints[i]] {
			out = append(out, h)
		}
	}
	return out, nil
}

// Reserve waits until n bytes of a request's body may be in memory; release gives them back.
func (s *Service) Reserve(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, bytesInFlight)
	if err := s.bytes.Acquire(ctx, n); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { s.bytes.Release(n) }, nil
}

// Objects takes the body of one request: whole objects, and pieces of large ones. When it returns without an error everything in it is durable. requestID
// tells a request that comes a second time, because its answer was lost, from a new one; "" where the client does not care.
func (s *Service) Objects(ctx context.Context, sc meta.Scope, id, requestID string, body []byte) (protocol.ObjectsResponse, error) {
	se, leave, err := s.enter(ctx, sc, id)
	if err != nil {
		return protocol.ObjectsResponse{}, err
	}
	defer leave()
	a, first := se.answer(requestID)
	if !first {
		select {
		case <-a.done:
			return a.resp, a.err
		case <-ctx.Done():
			return protocol.ObjectsResponse{}, context.Cause(ctx)
		}
	}
	a.resp, a.err = se.take(ctx, body)
	if a.err != nil {
		se.forget(requestID)
	}
	close(a.done)
	return a.resp, a.err
}

// answer finds the answer of a request, or makes place for it.
func (se *session) answer(requestID string) (a *answer, first bool) {
	se.mu.Lock()
	defer se.mu.Unlock()
	if a = se.answers[requestID]; a != nil && requestID != "" {
		return a, false
	}
	a = &answer{done: make(chan struct{})}
	if requestID == "" {
		return a, true
	}
	se.answers[requestID] = a
	if se.order = append(se.order, requestID); len(se.order) > answersKept {
		delete(se.answers, se.order[0])
		se.order = se.order[1:]
	}
	return a, true
}

// forget lets a request that failed be tried again.
func (se *session) forget(requestID string) {
	se.mu.Lock()
	defer se.mu.Unlock()
	delete(se.answers, requestID)
}

// take brings everything of a body in. Decoding goes on while what was decoded before becomes durable.
func (se *session) take(ctx context.Context, body []byte) (resp protocol.ObjectsResponse, err error) {
	var objects []*object
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(acceptAhead)
	err = protocol.Frames(body, func(h protocol.Head, data []byte) error {
		if h.Total != 0 {
			return se.piece(h, data, &resp)
		}
		sum := sha256.Sum256(data)
		o := &object{location: h.Name, fingerprint: fingerprintContent(hex.EncodeToString(sum[:])), bytes: h.Size, loaded: make(chan struct{})}
		if err := se.book.add(ctx, o); err != nil {
			return err
		}
		objects = append(objects, o)
		g.Go(func() error { return se.whole(gctx, o, data) })
		return nil
	})
	if werr := g.Wait(); werr != nil {
		return resp, awserr.From(werr)
	}
	if err != nil {
		if _, ok := err.(*awserr.Error); ok || ctx.Err() != nil {
			return resp, awserr.From(err)
		}
		return resp, awserr.New("InvalidParameterException", "The body cannot be read: %v.", err)
	}
	for _, o := range objects {
		resp.Files++
		resp.Read += o.read.Load()
		resp.Bad += o.badRead.Load()
	}
	return resp, nil
}

// Finish ends a session, halts it, or only takes the client's own report. An answer that is not Settled asks for another call: not everything that was
// accepted is counted yet.
func (s *Service) Finish(ctx context.Context, sc meta.Scope, id string, r protocol.FinishRequest) (protocol.Session, error) {
	imp, err := s.Get(ctx, sc, id)
	if err != nil {
		return protocol.Session{}, err
	}
	src, err := ParseSource(imp.Source)
	if err != nil {
		return protocol.Session{}, awserr.Internal(err)
	}
	if src.S3 != nil {
		if r.Stopped && (imp.Status == Initializing || imp.Status == InProgress) {
			imp, err = s.Stop(ctx, sc, id)
		}
		return s.describe(imp), err
	}
	if imp.Status == Completed {
		return s.describe(imp), nil
	}
	se, leave, err := s.enter(ctx, sc, id)
	if err != nil {
		return protocol.Session{}, err
	}
	defer leave()
	if err := se.report(ctx, r); err != nil {
		return protocol.Session{}, err
	}
	if r.Open {
		return s.SessionState(ctx, sc, id)
	}
	se.abandon(0)
	wait, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	if err := se.book.settle(wait); err != nil {
		return s.SessionState(ctx, sc, id)
	}
	if err := s.Flush(wait); err != nil {
		if wait.Err() != nil {
			return s.SessionState(ctx, sc, id)
		}
		return protocol.Session{}, awserr.Internal(err)
	}
	status := Completed
	if r.Stopped {
		status = Stopped
	}
	if err := s.end(ctx, se, status); err != nil {
		return protocol.Session{}, awserr.Internal(err)
	}
	return s.SessionState(ctx, sc, id)
}

// report enters what the client found out by itself.
func (se *session) report(ctx context.Context, r protocol.FinishRequest) error {
	if len(r.Failed) == 0 && r.Known == 0 {
		return nil
	}
	if len(r.Failed) > protocol.PageSize || r.Known < 0 {
		return awserr.New("InvalidParameterException", "A report has %d failures at most.", protocol.PageSize)
	}
	var list []meta.Failure
	for _, f := range r.Failed {
		m := se.s.failure(f.Location, f.Offset, f.Type, f.Message)
		m.ImportID = se.id
		list = append(list, m)
	}
	if err := se.s.DB.AddFailures(ctx, list); err != nil {
		return awserr.Internal(err)
	}
	_, err := se.s.DB.UpdateImport(ctx, se.id, func(i *meta.Import) error {
		i.Failed, i.FilesKnown, i.Updated = i.Failed+int64(len(list)), i.FilesKnown+r.Known, se.s.now()
		return nil
	})
	if err != nil {
		return awserr.Internal(err)
	}
	se.s.failures.Add(float64(len(list)))
	se.s.files.WithLabelValues("known").Add(float64(r.Known))
	return nil
}

// end takes a session out of memory and records its status, once.
func (s *Service) end(ctx context.Context, se *session, status string) error {
	s.mu.Lock()
	if s.sessions[se.id] != se {
		s.mu.Unlock()
		return nil
	}
	delete(s.sessions, se.id)
	s.mu.Unlock()
	se.cancel()
	se.book.close()
	imp, err := s.setStatus(ctx, se.id, status, nil)
	if err != nil {
		return err
	}
	s.Log.Info("streamed import ended", slog.String("import", se.id), slog.String("status", status), slog.Int64("files", imp.Files),
		slog.Int64("known files", imp.FilesKnown), slog.Int64("events", imp.Counts.Stored), slog.Int64("failures", imp.Failed))
	return nil
}
