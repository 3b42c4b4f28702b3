package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

// LogsPath is where the stores' transparency logs are served, each below its ID.
const LogsPath = "/loch/v1/logs"

// Logs is what the endpoints of the transparency logs need.
type Logs struct {
	Stores  *registry.Registry
	Objects objstore.Store
	Key     proof.PublicKey
	// Prove makes the proof of an event of a store; ErrNoProof (wrapped) where there is no such event, or not yet.
	Prove func(ctx context.Context, storeID, eventID string) (proof.File, error)
}

// ErrNoProof: there is nothing that a proof could be made of. Its text is for the caller.
var ErrNoProof = errors.New("no proof")

// HandleLogs brings the transparency logs (C2SP tlog-tiles), for any client of such logs. Hashes, checkpoints and keys are anybody's. What the leaves say is for those who may
// read the store: their calls are signed.
func (s *Server) HandleLogs(l Logs) {
	s.HandleOpen("GET "+LogsPath+"/key", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plainText(w, l.Key.String()+"\n") }))
	s.HandleOpen("GET "+LogsPath+"/{store}/key", l.open(func(w http.ResponseWriter, _ *http.Request, id string) { plainText(w, l.Key.VerifierKey(id)+"\n") }))
	s.HandleOpen("GET "+LogsPath+"/{store}/checkpoint", l.open(func(w http.ResponseWriter, r *http.Request, id string) { l.serve(w, r, id, proof.CheckpointPath) }))
	s.HandleOpen("GET "+LogsPath+"/{store}/tile/{rest...}", l.open(func(w http.ResponseWriter, r *http.Request, id string) {
		// Tiles of hashes and nothing else, however the path was escaped.
		if rest := r.PathValue("rest"); hashTile.MatchString(rest) {
			l.serve(w, r, id, "tile/"+rest)
			return
		}
		http.NotFound(w, r)
	}))
	s.handleSigned("GET "+LogsPath+"/{store}/tile/entries/{rest...}", 0, l.entries)
	s.handleSigned("GET "+LogsPath+"/{store}/proof", 0, l.proof)
}

// hashTile is a hash tile's path below tile/ (C2SP tlog-tiles).
var hashTile = regexp.MustCompile(`\A[0-9]{1,2}/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?\z`)

func plainText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text) // a client that is gone needs no answer
}

// open serves what needs no signature, of a store whose ID is one.
func (l Logs) open(fn func(w http.ResponseWriter, r *http.Request, id string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.ToLower(r.PathValue("store"))
		if uuid.Validate(id) != nil || len(id) != 36 {
			http.NotFound(w, r)
			return
		}
		fn(w, r, id)
	})
}

// serve answers with an object of the log. Whole tiles never change.
func (l Logs) serve(w http.ResponseWriter, r *http.Request, id, path string) {
	key := tlog.Reader{Objects: l.Objects, StoreID: id}.Key(path)
	if objstore.CheckKey(key) != nil {
		http.NotFound(w, r)
		return
	}
	in, err := l.Objects.Get(r.Context(), key, 0, -1)
	if errors.Is(err, objstore.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "the log cannot be read now", http.StatusServiceUnavailable)
		return
	}
	defer in.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if path == proof.CheckpointPath {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
	}
	_, _ = io.Copy(w, in) // what is cut off, a client sees by its hash
}

// readable finds the store, which the caller must have the right to read.
func (l Logs) readable(ctx context.Context, c *Call, r *http.Request) (string, error) {
	if err := noBody(r); err != nil {
		return "", err
	}
	s, err := l.Stores.Store(ctx, c.Scope, r.PathValue("store"))
	return s.ID, err
}

func (l Logs) entries(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := l.readable(ctx, c, r)
	if err != nil {
		return err
	}
	l.serve(w, r, id, "tile/entries/"+r.PathValue("rest"))
	return nil
}

func (l Logs) proof(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := l.readable(ctx, c, r)
	if err != nil {
		return err
	}
	event := r.URL.Query().Get("event")
	if event == "" || len(event) > 1024 {
		return awserr.New("InvalidParameterException", "The parameter event must be an event's ID.")
	}
	f, err := l.Prove(ctx, id, event)
	if errors.Is(err, ErrNoProof) {
		return awserr.New("EventNotFoundException", "Event %.100s: %v.", event, err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, f)
}
