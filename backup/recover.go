package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

// Recovering says what is recovered, and where to.
type Recovering struct {
	Objects objstore.Store // of the lake
	Dir     string         // the data folder: a new one, or one that lost its metadata; see Survivors
	KeyDir  string         // of the secrets; "": Dir
	// Progress is called for every store that is done.
	Progress func(done, total int)
}

// Recovered is what was found.
type Recovered struct {
	Copied   time.Time `json:"copied"`   // when the copy of the metadata was made that was gone on with; zero: there was none
	Stores   int       `json:"stores"`   // that there are
	Rebuilt  []string  `json:"rebuilt"`  // of these, those that the copy does not know
	Gone     int       `json:"gone"`     // stores whose log is there, and that were removed for good
	Unlogged int64     `json:"unlogged"` // events that were committed and that the logs did not tell of yet: they do now
	Log      bool      `json:"log"`      // the folder had its durable log still: what it holds and no table has is replayed by the next start
	Notes    []string  `json:"notes"`    // what an operator should know
}

// Survivors are what a data folder may hold that lost nothing but its metadata. Of these only the durable log matters.
var Survivors = []string{"wal", "identity", "results", "cache", "engine", "deliveries", "compaction", "backup", "copies", "redaction", AddressFile, metaFile + "-wal", metaFile + "-shm", metaFile + ".new"}

// recovery is one run.
type recovery struct {
	Recovering
	db      meta.DB
	key     proof.Key
	report  Recovered
	applied int64 // greater than or equal to every sequence that there ever was
	tables  map[string]meta.Table
	stores  map[string]meta.EventDataStore
	erased  []string // stores in which events were ever erased
}

// Recover makes a data folder from what lies in the object store of a lake whose data folder is lost: the newest copy of the metadata there, brought up to the tables and
// logs, which are always newer. Events that were accepted and not yet committed were in the lost folder alone.
func Recover(ctx context.Context, in Recovering) (Recovered, error) {
	r := &recovery{Recovering: in, tables: map[string]meta.Table{}, stores: map[string]meta.EventDataStore{}}
	if r.KeyDir == "" {
		r.KeyDir = r.Dir
	}
	if err := r.readKey(); err != nil {
		return r.report, err
	}
	base, err := lake.MadeAt(ctx, r.Objects)
	if err != nil {
		return r.report, err
	}
	aside := filepath.Join(r.Dir, metaFile+".new")
	if err := r.survivors(aside); err != nil {
		return r.report, err
	}
	if err := r.copied(ctx, aside); err != nil {
		return r.report, err
	}
	if r.db, err = meta.OpenSQLite(ctx, aside); err != nil {
		return r.report, err
	}
	if base != "" {
		if err = lake.Moved(ctx, r.Objects, r.db, base); err == nil {
			err = objstore.Named(r.Objects, base)
		}
	}
	if err == nil {
		err = r.all(ctx)
	}
	if err == nil { // so that no batch that comes can be taken for one that was lost
		err = errors.Join(ingest.SetWriter(ctx, r.db, uuid.NewString()), r.db.SetValue(ctx, proofKeyValue, r.key.Public().String()))
	}
	if err = errors.Join(err, r.db.Close()); err != nil {
		return r.report, err
	}
	return r.report, commitMeta(r.Dir, aside)
}

// survivors looks for a durable log, and removes what belonged to the metadata that is lost: SQLite's own files, and the identity indexes, which may cover what no table has.
func (r *recovery) survivors(aside string) error {
	segments, err := filepath.Glob(filepath.Join(r.Dir, "wal", "*.wal"))
	if err != nil {
		return err
	}
	r.report.Log = len(segments) > 0
	for _, name := range []string{metaFile + "-wal", metaFile + "-shm", "identity"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, name)))
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		err = errors.Join(err, os.RemoveAll(aside+end))
	}
	return err
}

func (r *recovery) readKey() error {
	seed, err := access.ReadSecret(r.KeyDir, proofKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: without the key that signed the transparency logs they take no more leaves, so no server can go on with this lake. Put it there from where your secrets are kept. "+
			"(Without it the tables can still be read by any Iceberg reader, and \"loch verify --store-url … --key …\" verifies them.)", filepath.Join(r.KeyDir, proofKeyFile))
	}
	if err != nil {
		return err
	}
	if len(seed) != proof.SeedSize {
		return fmt.Errorf("%s has %d bytes, not %d", filepath.Join(r.KeyDir, proofKeyFile), len(seed), proof.SeedSize)
	}
	r.key = proof.NewKey(seed)
	return nil
}

func (r *recovery) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// copied brings the newest copy of the metadata that is whole.
func (r *recovery) copied(ctx context.Context, to string) error {
	copies, err := listCopies(ctx, r.Objects)
	if err != nil {
		return err
	}
	for _, c := range slices.Backward(copies) {
		err := c.read(ctx, r.Objects, to)
		if err == nil {
			r.report.Copied = c.modified
			return nil
		}
		if !errors.Is(err, ErrDamaged) {
			return err
		}
		r.note("%v; an older copy is used", err)
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	r.note("there is no copy of the metadata (%s) in the store: channels, tags, federation and imports are lost", copiesPrefix)
	return nil
}

// all recovers every store of which there is a log or a table.
func (r *recovery) all(ctx context.Context) error {
	tables, err := r.db.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		r.tables[t.StoreID] = t
		r.applied = max(r.applied, t.Applied)
	}
	stores, err := r.db.Stores(ctx, meta.Scope{}, "", 0)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, s := range stores {
		r.stores[s.ID] = s
		ids[s.ID] = true
	}
	for _, prefix := range []string{tlog.Prefix, "tables/"} {
		err := r.Objects.ListFolders(ctx, prefix, func(folder string) error {
			ids[strings.TrimSuffix(strings.TrimPrefix(folder, prefix), "/")] = true
			return nil
		})
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return err
		}
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s holds no lake: neither tables nor logs", strings.TrimSuffix(r.Objects.URI(""), "/"))
	}
	var found []meta.Recovered
	for i, id := range slices.Sorted(maps.Keys(ids)) {
		s, err := r.store(ctx, id)
		if err != nil {
			return fmt.Errorf("store %s: %w", id, err)
		}
		if s != nil {
			found = append(found, *s)
		}
		if r.Progress != nil {
			r.Progress(i+1, len(ids))
		}
	}
	for i := range found {
		if found[i].Gone {
			continue
		}
		// Without a durable log every table has all that there is for it, and sequences go on above all that were given. With one, what a table may lack is replayed; what it
		// has is known by its identity.
		found[i].Table.Applied = r.applied
		if r.report.Log {
			if found[i].Table.Applied, err = lake.AppliedIn(ctx, r.Objects, found[i].Table.Location); err != nil {
				return fmt.Errorf("store %s: %w", found[i].Store.ID, err)
			}
		}
	}
	if err := r.db.Recover(ctx, found); err != nil {
		return err
	}
	// The copy may be older than an erasure, and so not say that older snapshots and replaced files are still to go.
	return redaction.Resume(ctx, r.db, r.erased)
}

// store says what the metadata must say of a store; nil where there is nothing of it to go on with.
func (r *recovery) store(ctx context.Context, id string) (*meta.Recovered, error) {
	log := tlog.Reader{Objects: r.Objects, StoreID: id}
	h, err := readHistory(ctx, log, r.key.Public())
	if err != nil {
		return nil, fmt.Errorf("its transparency log: %w", err)
	}
	known, inCopy := r.stores[id]
	copySize, err := r.db.LogSize(ctx, id)
	if err != nil {
		return nil, err
	}
	if h.size < copySize {
		return nil, fmt.Errorf("its transparency log has %d leaves, and had %d when the metadata was copied: it was set back (loch verify tells more)", h.size, copySize)
	}
	r.applied = max(r.applied, h.sequence)
	if h.gone {
		r.report.Gone++
		known.ID = id // the copy need not know it
		return &meta.Recovered{Store: known, Gone: true, LogSize: h.size}, nil
	}
	if h.metadata == "" || len(h.stores) == 0 {
		return r.unlogged(ctx, id, inCopy, known, h.size)
	}
	if err := prune(ctx, log, h.size); err != nil {
		return nil, err
	}
	out := meta.Recovered{Store: known, LogSize: h.size}
	if !inCopy {
		out.Store = rebuilt(id, h)
		r.report.Rebuilt = append(r.report.Rebuilt, id)
	}
	if !inCopy || h.told >= copySize {
		if err := settle(&out.Store, h); err != nil {
			return nil, err
		}
		if out.Store.Name == "" { // its log is of before leaves told names
			out.Store.Name = "recovered-" + id[:8]
			r.note("store %s is called %s now: neither its log nor a copy of the metadata tells its name (update-event-data-store --name)", id, out.Store.Name)
		}
	}
	r.report.Stores++
	for _, hold := range h.holds {
		hold.Scope, hold.StoreID = out.Store.Scope, id
		out.Holds = append(out.Holds, hold)
	}
	a := &adopter{objects: r.Objects, id: id, kind: event.Kind(out.Store.Kind), h: h, temp: r.Dir, due: func(days []int32, at time.Time) (due time.Time) {
		for _, d := range days {
			if t, ok := registry.RetentionDue(&out.Store, d); ok && t.After(due) {
				due = t
			}
		}
		if due.IsZero() || due.After(at) {
			return at
		}
		return due
	}}
	now, err := a.newest(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range now.notes {
		r.note("store %s: %s", id, n)
	}
	r.report.Unlogged += now.events
	r.applied = max(r.applied, now.sequence)
	if len(h.erased) > 0 || now.erased {
		r.erased = append(r.erased, id)
	}
	out.Leaves = now.leaves
	out.Table = meta.Table{StoreID: id, Location: r.Objects.URI("tables/" + id + "/" + now.metadata)}
	if now.removed != nil {
		h.removals = append(h.removals, now.removed)
	}
	return &out, removals(&out, h, copySize)
}

// unlogged is a store of which the log tells nothing that could be gone on with. That it has leaves the metadata must know all the same, or it would be older than the log.
func (r *recovery) unlogged(ctx context.Context, id string, inCopy bool, known meta.EventDataStore, leaves int64) (*meta.Recovered, error) {
	if inCopy && known.Status != registry.Created {
		return nil, errors.New("the metadata knows it, and its transparency log does not tell of it: the log is lost")
	}
	files, err := lake.MetadataFiles(ctx, r.Objects, id)
	if err == nil && len(files) > 0 {
		r.note("store %s was not made to the end when the disk was lost: what lies of it below tables/%s/ is left alone", id, id)
	}
	if err != nil || leaves == 0 {
		return nil, err
	}
	known.ID = id
	return &meta.Recovered{Store: known, Gone: true, LogSize: leaves}, nil
}

// rebuilt is a store that was made after the metadata was copied.
func rebuilt(id string, h *history) meta.EventDataStore {
	s := meta.EventDataStore{ID: id, BillingMode: registry.Extendable, FederationStatus: registry.FederationDisabled}
	s.Created, _ = instant(h.stores[0].At) // settle reads the same form, and tells what is wrong with it
	s.Internal = id == registry.HistoryID(h.stores[0].Settings.Account)
	return s
}

// settle gives a store the settings that its log tells of.
func settle(s *meta.EventDataStore, h *history) (err error) {
	last := h.stores[len(h.stores)-1]
	is := last.Settings
	kind := slices.IndexFunc(event.Kinds(), func(k event.Kind) bool { return k.String() == is.Kind })
	if kind < 0 {
		return fmt.Errorf("its log tells of events of the kind %q, which this program does not know", is.Kind)
	}
	if is.Name != "" {
		s.Name = is.Name
	}
	s.Account, s.Region, s.Kind, s.Status = is.Account, is.Region, uint8(event.Kinds()[kind]), is.Status
	s.MultiRegion, s.Organization, s.RetentionDays, s.TerminationProtection = is.MultiRegion, is.Organization, is.RetentionDays, is.Protected
	s.Selectors = []byte(is.Selectors)
	s.StatusBefore = ""
	if s.Status == registry.PendingDeletion {
		for _, was := range h.stores {
			if was.Settings.Status != registry.PendingDeletion {
				s.StatusBefore = was.Settings.Status
			}
		}
	}
	for _, at := range []struct {
		text string
		to   *time.Time
	}{{is.DeleteAfter, &s.DeleteAfter}, {is.RemoveAfter, &s.RemoveAfter}, {last.At, &s.Updated}} {
		if *at.to, err = instant(at.text); err != nil {
			return err
		}
	}
	return nil
}

// removals notes what went by retention since the metadata was copied: the days, and the files that wait to be deleted.
func removals(out *meta.Recovered, h *history, copySize int64) error {
	out.Days = map[int32]int64{}
	for _, r := range h.removals {
		if r.index < copySize {
			continue
		}
		at, err := instant(r.At)
		if err != nil {
			return err
		}
		for _, d := range r.Days {
			day, err := dayNumber(d)
			if err != nil {
				return err
			}
			out.Days[day] = r.index
		}
		for _, f := range r.files {
			day, err := dayNumber(dayOf(f.Path))
			if err != nil {
				return err
			}
			out.Files = append(out.Files, meta.RemovedFile{StoreID: out.Store.ID, Key: "tables/" + out.Store.ID + "/" + f.Path, Day: day, Rows: f.Rows, Bytes: f.Size, Removed: at})
		}
	}
	return nil
}
