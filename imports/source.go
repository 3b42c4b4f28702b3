package imports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

// Source is what meta.Import.Source holds, as JSON. The part S3 is the API's ImportSource.
type Source struct {
	S3    *S3Source    `json:",omitempty"`
	Local *LocalSource `json:",omitempty"`
}

// S3Source is the API's S3ImportSource. The role is recorded; the server reads with its own credentials.
type S3Source struct {
	S3LocationUri         string
	S3BucketRegion        string
	S3BucketAccessRoleArn string
}

// LocalSource describes files that a client streams.
type LocalSource struct {
	Description string
}

// ParseSource reads what meta.Import.Source holds.
func ParseSource(b []byte) (Source, error) {
	var s Source
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("import source: %w", err)
	}
	return s, nil
}

// storeKeyword precedes the ID in a store's ARN.
const storeKeyword = ":eventdatastore/"

// FindStore finds the event data store that a caller names by ARN, ID or, as Loch's own kindness, name.
func (s *Service) FindStore(ctx context.Context, sc meta.Scope, name string) (meta.EventDataStore, error) {
	notFound := awserr.New("EventDataStoreNotFoundException", "There is no event data store %.200s.", name)
	id := name
	if strings.HasPrefix(name, "arn:") {
		prefix, last, ok := strings.Cut(name, storeKeyword)
		if !ok {
			return meta.EventDataStore{}, awserr.New("EventDataStoreARNInvalidException", "%.200s is not the ARN of an event data store.", name)
		}
		if prefix != "arn:aws:cloudtrail:"+sc.Region+":"+sc.Account {
			return meta.EventDataStore{}, notFound
		}
		id = last
	}
	if uuid.Validate(id) == nil {
		st, err := s.DB.Store(ctx, strings.ToLower(id))
		switch {
		case err == nil && st.Scope == sc && !st.Internal:
			return st, nil
		case err == nil || errors.Is(err, meta.ErrNotFound):
			return meta.EventDataStore{}, notFound
		}
		return meta.EventDataStore{}, awserr.Internal(err)
	}
	if id != name {
		return meta.EventDataStore{}, notFound
	}
	all, err := s.DB.Stores(ctx, sc, "", 0)
	if err != nil {
		return meta.EventDataStore{}, awserr.Internal(err)
	}
	for _, st := range all {
		if st.Name == name && !st.Internal {
			return st, nil
		}
	}
	return meta.EventDataStore{}, notFound
}

// destination finds a store and checks that it takes imports: of trail events, and in a state that has a table. Ingestion may be stopped; AWS's
// rule is about live events.
func (s *Service) destination(ctx context.Context, sc meta.Scope, name string) (meta.EventDataStore, error) {
	st, err := s.FindStore(ctx, sc, name)
	if err != nil {
		return st, err
	}
	switch st.Status {
	case "ENABLED", "STOPPED_INGESTION":
	case "PENDING_DELETION":
		return st, awserr.New("InactiveEventDataStoreException", "The event data store %s is pending deletion.", st.ARN())
	default:
		return st, awserr.New("InvalidEventDataStoreStatusException", "The event data store %s is %s; an import needs it ENABLED or STOPPED_INGESTION.", st.ARN(), st.Status)
	}
	if event.Kind(st.Kind) != event.CloudTrail {
		return st, awserr.New("InvalidEventDataStoreCategoryException", "The event data store %s does not take trail events.", st.ARN())
	}
	return st, nil
}

// ledger is where an import remembers the objects that are in, and what they were imported under.
//
// An object that is in need not be read again only as long as the stores would do the same with its events. So its key in the ledger covers the
// stores' selectors, retention and scope settings beside its fingerprint, and removals of days that they take again; and the wanted time, where that left events out.
type ledger struct {
	target   string // a store's ID, or live and scope
	settings []byte
	window   []byte
}

func (s *Service) ledger(ctx context.Context, imp meta.Import) (ledger, error) {
	l := ledger{window: binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("window"), uint64(bound(imp.StartTime))), uint64(bound(imp.EndTime)))}
	var stores []meta.EventDataStore
	if len(imp.Stores) > 0 {
		l.target = strings.Join(imp.Stores, ",")
		for _, id := range imp.Stores {
			st, err := s.DB.Store(ctx, id)
			if err != nil {
				return l, fmt.Errorf("store %s of import %s: %w", id, imp.ID, err)
			}
			stores = append(stores, st)
		}
	} else {
		l.target = "live:" + imp.Account + ":" + imp.Region
		all, err := s.DB.Stores(ctx, meta.Scope{}, "", 0)
		if err != nil {
			return l, err
		}
		// Events go to the stores of their own accounts, whoever imports them. Event histories are made when an account's first event comes and
		// never change: one that did not exist yet has missed nothing.
		for _, st := range all {
			if !st.Internal {
				stores = append(stores, st)
			}
		}
		slices.SortFunc(stores, func(a, b meta.EventDataStore) int { return strings.Compare(a.ID, b.ID) })
	}
	for _, st := range stores {
		status := ""
		if len(imp.Stores) == 0 {
			status = st.Status // a store that takes no live events now may take them later
		}
		part, err := json.Marshal([]any{st.ID, status, st.MultiRegion, st.Organization, st.RetentionDays, json.RawMessage(orNull(st.Selectors))})
		if err != nil {
			return l, err
		}
		l.settings = append(l.settings, part...)
		removed, err := s.DB.RemovedDays(ctx, st.ID)
		if err != nil {
			return l, err
		}
		if last := lastRemoval(removed, s.now(), st.RetentionDays); last > 0 {
			l.settings = fmt.Appendf(l.settings, "removed %d", last)
		}
	}
	return l, nil
}

// lastRemoval is the number of the last removal of days that the store keeps by now: their events went, by a retention that was raised since, and are taken again. Where there
// is none, as long as nobody raises the retention, it is 0.
func lastRemoval(days map[int32]int64, now time.Time, retention int) (last int64) {
	today := int32(now.Unix() / 86400)
	for day, n := range days {
		if int(today)-int(day) <= retention {
			last = max(last, n)
		}
	}
	return last
}

func orNull(b []byte) []byte {
	if len(bytes.TrimSpace(b)) == 0 {
		return []byte("null")
	}
	return b
}

func bound(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// keys gives an object's two keys: of one that is in as a whole, and of one that is in as far as the wanted time goes.
func (l ledger) keys(fingerprint string) (whole, windowed string) {
	h := sha256.New()
	h.Write([]byte(fingerprint))
	h.Write([]byte{0})
	h.Write(l.settings)
	whole = hex.EncodeToString(h.Sum(nil)[:16])
	h.Write(l.window)
	return whole, hex.EncodeToString(h.Sum(nil)[:16])
}

// known tells which of the fingerprints need not be read again.
func (s *Service) known(ctx context.Context, l ledger, fingerprints []string) (map[string]bool, error) {
	keys := make([]string, 0, 2*len(fingerprints))
	for _, f := range fingerprints {
		a, b := l.keys(f)
		keys = append(keys, a, b)
	}
	found, err := s.DB.ImportedObjects(ctx, l.target, keys)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i, f := range fingerprints {
		if found[keys[2*i]] || found[keys[2*i+1]] {
			out[f] = true
		}
	}
	return out, nil
}

// fingerprintS3 names an object's content by bucket, key, ETag and size; what else the endpoint is does not matter to one server.
func fingerprintS3(bucket, key, etag string, size int64) string {
	return fmt.Sprintf("s3\x00%s\x00%s\x00%s\x00%d", bucket, key, etag, size)
}

// fingerprintContent names content by its SHA-256, in lower-case hexadecimal.
func fingerprintContent(hash string) string { return "sha256\x00" + hash }
