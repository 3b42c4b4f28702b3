package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
	verifying "github.com/lochlake/loch/verify/protocol"
	"github.com/lochlake/loch/verify/snapshots"
)

// VerificationPath lists the stores that the caller may verify.
const VerificationPath = "/loch/v1/verification"

// Verification is what the endpoints need by which "loch verify" verifies the running server.
type Verification struct {
	Stores    *registry.Registry
	Snapshots *snapshots.Service
	Objects   objstore.Store
	Account   string // whose root key may verify all that the server has
}

// HandleVerification brings the endpoints that say what a store is at one moment, and give the bytes of its table and its log. Who may read a store may verify it: a key those of its
// account for the region that the call is signed for, and its account's event history; the server's own root key, which is that of backups, every store of every account and region, and what is
// left of deleted ones.
func (s *Server) HandleVerification(v Verification) {
	s.handleSigned("GET "+VerificationPath, 0, v.list)
	s.handleSigned("POST "+StoresPath+"/{store}/snapshots", 0, v.take)
	s.handleSigned("PUT "+StoresPath+"/{store}/snapshots/{id}", 0, v.withID(v.Snapshots.Renew))
	s.handleSigned("DELETE "+StoresPath+"/{store}/snapshots/{id}", 0, v.withID(v.Snapshots.End))
	s.handleSigned("GET "+StoresPath+"/{store}/objects", 0, v.objects)
	s.handleSigned("GET "+StoresPath+"/{store}/objects/{key...}", 0, v.object)
}

// all tells whether the caller may verify all that the server has.
func (v Verification) all(c *Call) bool { return c.Caller.Root && c.Caller.Account == v.Account }

// readable finds the store that a call names, which the caller must have the right to read.
func (v Verification) readable(ctx context.Context, c *Call, r *http.Request) (string, error) {
	if err := noBody(r); err != nil {
		return "", err
	}
	ref := r.PathValue("store")
	id := strings.ToLower(ref)
	if uuid.Validate(id) == nil && len(id) == 36 && (v.all(c) || id == registry.HistoryID(c.Caller.Account)) {
		return id, nil
	}
	s, err := v.Stores.Store(ctx, c.Scope, ref)
	return s.ID, err
}

func (v Verification) list(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	if err := noBody(r); err != nil {
		return err
	}
	if v.all(c) {
		stores, err := v.Snapshots.Stores(ctx)
		if err != nil {
			return err
		}
		return writeJSON(w, verifying.Stores{Stores: stores})
	}
	out := verifying.Stores{Stores: []verifying.Store{}}
	for after := ""; ; {
		page, next, err := v.Stores.Stores(ctx, c.Scope, after, 0)
		if err != nil {
			return err
		}
		for i := range page {
			out.Stores = append(out.Stores, snapshots.Named(&page[i]))
		}
		if after = next; next == "" {
			break
		}
	}
	id := registry.HistoryID(c.Caller.Account)
	switch _, err := v.Stores.Target(ctx, id); {
	case err == nil:
		out.Stores = append(out.Stores, verifying.Store{ID: id, Name: registry.HistoryName, Account: c.Caller.Account})
	case !errors.Is(err, meta.ErrNotFound):
		return err
	}
	return writeJSON(w, out)
}

func (v Verification) take(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := v.readable(ctx, c, r)
	if err != nil {
		return err
	}
	made, err := v.Snapshots.Take(ctx, id)
	switch {
	case errors.Is(err, snapshots.ErrNoStore):
		return awserr.New("EventDataStoreNotFoundException", "The event data store %s does not exist.", id)
	case errors.Is(err, snapshots.ErrTooMany):
		return awserr.New(throttling, "%v. Try again later.", err)
	case snapshots.Busy(err):
		return &awserr.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("The event data store cannot be verified now: %v.", err)}
	case err != nil:
		return err
	}
	return writeJSON(w, made)
}

func (v Verification) withID(fn func(store, id string) error) func(context.Context, *Call, http.ResponseWriter, *http.Request) error {
	return func(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
		store, err := v.readable(ctx, c, r)
		if err != nil {
			return err
		}
		if err := fn(store, r.PathValue("id")); err != nil {
			return awserr.New("SnapshotNotFoundException", "%v", err)
		}
		return writeJSON(w, struct{}{})
	}
}

// folders are the two that a store has, by their names in paths.
var folders = map[string]string{"tables": "tables/", "logs": tlog.Prefix}

// objects lists a page of one of the store's folders.
func (v Verification) objects(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := v.readable(ctx, c, r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	folder, ok := folders[q.Get("folder")]
	if !ok {
		return awserr.New("InvalidParameterException", "The parameter folder must be tables or logs.")
	}
	prefix := folder + id + "/"
	after := q.Get("after")
	if after != "" && !strings.HasPrefix(after, prefix) {
		return awserr.New("InvalidParameterException", "The parameter after must be the key of an object in the folder.")
	}
	out := verifying.Objects{Objects: []verifying.Object{}}
	full := errors.New("the page is full")
	err = v.Objects.List(ctx, prefix, after, func(o objstore.Object) error {
		if len(out.Objects) == verifying.PageSize {
			out.More = true
			return full
		}
		out.Objects = append(out.Objects, verifying.Object{Key: o.Key, Size: o.Size})
		return nil
	})
	if err != nil && !errors.Is(err, full) && !errors.Is(err, objstore.ErrNotExist) {
		return err
	}
	return writeJSON(w, out)
}

// objectPath is what objects of tables and logs are called below tables/<ID>/ and logs/<ID>/.
var objectPath = regexp.MustCompile(`\A(tables|logs)/((?:[A-Za-z0-9_=-][A-Za-z0-9._=-]*/)*[A-Za-z0-9_=-][A-Za-z0-9._=-]*)\z`)

// object answers with the bytes of an object, or with a range of them (RFC 9110, section 14: one range, from an offset).
func (v Verification) object(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	id, err := v.readable(ctx, c, r)
	if err != nil {
		return err
	}
	missing := &awserr.Error{Code: "ObjectNotFoundException", Status: http.StatusNotFound, Message: "The event data store has no such object."}
	m := objectPath.FindStringSubmatch(r.PathValue("key"))
	if m == nil {
		return missing
	}
	key := folders[m[1]] + id + "/" + m[2]
	if objstore.CheckKey(key) != nil {
		return missing
	}
	o, err := v.Objects.Stat(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) {
		return missing
	}
	if err != nil {
		return err
	}
	h := w.Header()
	off, n, partial := byteRange(r.Header.Get("Range"), o.Size)
	if n < 0 {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return &awserr.Error{Code: "InvalidRange", Status: http.StatusRequestedRangeNotSatisfiable, Message: "The requested range is not satisfiable."}
	}
	in, err := v.Objects.Get(ctx, key, off, n)
	if errors.Is(err, objstore.ErrNotExist) {
		return missing
	}
	if err != nil {
		return err
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	if partial {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, o.Size))
		w.WriteHeader(http.StatusPartialContent)
	}
	return errors.Join(send(w, in, n), in.Close())
}

// byteRange reads a Range of the form bytes=from- or bytes=from-to of an object of that size. What has another form is as if it were not there; n is negative where nothing lies in the range.
func byteRange(text string, size int64) (off, n int64, partial bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	from, err := strconv.ParseUint(first, 10, 62)
	if !strings.HasPrefix(text, "bytes=") || !ok || err != nil {
		return 0, size, false
	}
	to := uint64(size) - 1
	if last != "" {
		end, err := strconv.ParseUint(last, 10, 62)
		if err != nil || end < from {
			return 0, size, false
		}
		to = min(to, end)
	}
	if from >= uint64(size) {
		return 0, -1, false
	}
	return int64(from), int64(to-from) + 1, true
}

// send sends n bytes, of which each piece must go out in its time: a reader that stands still holds no connection for good.
func send(w http.ResponseWriter, in io.Reader, n int64) error {
	const piece = 1 << 20
	control := http.NewResponseController(w)
	for n > 0 {
		if err := control.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
			return err
		}
		m, err := io.CopyN(w, in, min(n, piece))
		if n -= m; err != nil {
			return err
		}
	}
	return nil
}
