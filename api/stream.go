package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/imports"
	streamed "github.com/lochlake/loch/imports/protocol"
)

// HandleStreams brings the endpoints by which a client streams local files (package protocol), beside the API's imports.
func (s *Server) HandleStreams(service *imports.Service) {
	h := &streams{service}
	s.handleSigned("POST "+streamed.Path, streamed.MaxJSON, h.start)
	s.handleSigned("GET "+streamed.Path+"/{id}", 0, h.state)
	s.handleSigned("GET "+streamed.Path+"/{id}/failures", 0, h.failures)
	s.handleSigned("POST "+streamed.Path+"/{id}/known", streamed.MaxJSON, h.known)
	s.handleSigned("POST "+streamed.Path+"/{id}/objects", streamed.MaxBody, h.objects)
	s.handleSigned("POST "+streamed.Path+"/{id}/finish", streamed.MaxJSON, h.finish)
}

type streams struct{ imports *imports.Service }

func (h *streams) start(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	var in streamed.StartRequest
	if err := decodeJSON(r, streamed.MaxJSON, &in); err != nil {
		return err
	}
	out, err := h.imports.StartSession(ctx, c.Scope, in)
	if err != nil {
		return err
	}
	return writeJSON(w, out)
}

// importID is the id in the path, which must be a UUID before anything is looked up by it.
func importID(r *http.Request) (string, error) {
	id := strings.ToLower(r.PathValue("id"))
	if uuid.Validate(id) != nil || len(id) != 36 {
		return "", awserr.New("InvalidParameterException", "%.60q is not the ID of an import.", id)
	}
	return id, nil
}

// noBody reads the body that must be empty, so that its hash is checked.
func noBody(r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

func (h *streams) state(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := importID(r)
	if err != nil {
		return err
	}
	if err := noBody(r); err != nil {
		return err
	}
	out, err := h.imports.SessionState(ctx, c.Scope, id)
	if err != nil {
		return err
	}
	return writeJSON(w, out)
}

func (h *streams) failures(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := importID(r)
	if err != nil {
		return err
	}
	if err := noBody(r); err != nil {
		return err
	}
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil || after < 0 {
		return awserr.New("InvalidParameterException", "The parameter after must be a sequence number.")
	}
	list, err := h.imports.Failures(ctx, c.Scope, id, after, streamed.PageSize)
	if err != nil {
		return err
	}
	out := streamed.FailuresResponse{Failures: []streamed.Failure{}}
	for _, f := range list {
		out.Failures = append(out.Failures, streamed.Failure{Seq: f.Seq, Location: f.Location, Offset: f.Offset, Type: f.Type, Message: f.Message})
	}
	return writeJSON(w, out)
}

func (h *streams) known(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := importID(r)
	if err != nil {
		return err
	}
	var in streamed.KnownRequest
	if err := decodeJSON(r, streamed.MaxJSON, &in); err != nil {
		return err
	}
	known, err := h.imports.Known(ctx, c.Scope, id, in.Hashes)
	if err != nil {
		return err
	}
	return writeJSON(w, streamed.KnownResponse{Known: known})
}

// objects reads the whole body before anything of it is used: only then is it known to be the one that was signed.
func (h *streams) objects(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := importID(r)
	if err != nil {
		return err
	}
	if r.ContentLength < 0 {
		return &awserr.Error{Code: "MissingContentLength", Status: http.StatusLengthRequired, Message: "The request needs a Content-Length."}
	}
	release, err := h.imports.Reserve(ctx, r.ContentLength)
	if err != nil {
		return err
	}
	defer release()
	body, err := readObjects(w, r)
	if err != nil {
		return err
	}
	out, err := h.imports.Objects(ctx, c.Scope, id, r.Header.Get(streamed.RequestHeader), body)
	if err != nil {
		return err
	}
	return writeJSON(w, out)
}

// objectsTime is how long a client may take over a body, whose memory is taken from all imports' share.
const objectsTime = 2 * time.Minute

func readObjects(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(objectsTime)); err != nil {
		return nil, err
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, err
	}
	if err := noBody(r); err != nil { // the end of the body brings its verdict
		return nil, err
	}
	// What follows may take longer; a deadline that passes then would end the request's context.
	return body, control.SetReadDeadline(time.Time{})
}

func (h *streams) finish(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := importID(r)
	if err != nil {
		return err
	}
	var in streamed.FinishRequest
	if err := decodeJSON(r, streamed.MaxJSON, &in); err != nil {
		return err
	}
	out, err := h.imports.Finish(ctx, c.Scope, id, in)
	if err != nil {
		return err
	}
	return writeJSON(w, out)
}
