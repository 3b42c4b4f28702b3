package verify

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

// Random tampering: a kind of change times a state of the lake. Each attempt must be found, and what was changed must be named: the object, the row of the metadata, the event, the batch or the
// leaf. The test command makes a fixed share; "make tamper" makes 1,000 from a seed that it tells. The seed says which kinds and states; what they hit hangs on the objects' names, too, which are new
// each time.

// state is a lake that is whole, and what is known of it.
type state struct {
	*bed
	name     string
	seen     Seen
	now      map[string][]byte   // every object
	old      []map[string][]byte // those of earlier times
	leaves   [][]byte            // that are published
	history  *history
	required []string // objects without which the lake is not whole
	covered  []string // these, and others that must be as they were if they are there
	holds    []meta.Hold
	erasable bool // an event of what is committed later is erased too
}

var tamperDays = []string{"2024-05-01", "2024-05-02"}

// states builds each state of a lake in which tampering is tried.
func states(t *testing.T) []*state {
	t.Helper()
	fresh := &state{bed: newBed(t), name: "fresh"}
	fresh.commit(4, 10)
	fresh.keep()
	fresh.commit(3, 8)
	fresh.large()

	compacted := &state{bed: newBed(t), name: "compacted"}
	compacted.commit(12, 10)
	compacted.keep()
	compacted.compact()
	compacted.keep()
	compacted.commit(2, 8)

	retained := &state{bed: newBed(t), name: "retained"}
	retained.commit(4, 10)
	retained.keep()
	retained.retain()
	retained.keep()
	retained.commit(2, 8)

	held := &state{bed: newBed(t), name: "held"}
	held.commit(3, 10)
	held.keep()
	held.holds = held.held()
	held.commit(2, 8)

	erased := &state{bed: newBed(t), name: "erased"}
	erased.commit(3, 10)
	erased.plant(secretID)
	erased.keep()
	erased.erase(secretID)
	erased.erase("00000002-0000-0000-0000-000000000003")
	erased.commit(2, 8)

	all := []*state{fresh, compacted, retained, held, erased}
	for _, s := range all {
		s.settle()
	}
	return all
}

// large commits so much text that it lies in several pages, of which the file has an index.
func (b *bed) large() {
	b.t.Helper()
	rows := slices.DeleteFunc(b.rows(30), func(r lake.Row) bool { return dayName(&r) != tamperDays[0] })
	for i := range rows {
		text := bytes.Replace(rows[i].Event.Text, []byte(`"bucketName":"`), append([]byte(`"bucketName":"`), bytes.Repeat([]byte("b"), 220_000)...), 1)
		r, err := event.NewDecoder().Decode(text)
		b.ok(err)
		rows[i].Event = &r
	}
	files, err := b.lake.Write(b.t.Context(), b.store, rows)
	b.ok(err)
	b.ok(b.lake.Commit(b.t.Context(), b.store, files, b.seq))
}

// retain removes the first day by the store's retention.
func (b *bed) retain() {
	b.t.Helper()
	days, at := []int32{day(tamperDays[0])}, time.Now()
	_, err := b.lake.RemoveDays(b.t.Context(), b.store, days, at, proof.Removal{Rule: "retention", Due: proof.Time(at)},
		func(s meta.EventDataStore, holds []meta.Hold) error { return registry.MayRemove(&s, holds, days, at) })
	b.ok(err)
}

func day(name string) int32 {
	at, err := time.Parse(time.DateOnly, name)
	if err != nil {
		panic(err)
	}
	return int32(at.Unix() / 86400)
}

// keep notes what there is now, for what is put back later.
func (s *state) keep() {
	s.t.Helper()
	s.flush()
	s.old = append(s.old, s.snapshot())
}

// settle publishes everything and looks at what there is.
func (s *state) settle() {
	s.t.Helper()
	s.flush()
	s.ok(s.logs.Close(s.t.Context()))
	s.seen = Seen{}
	s.clean(true, s.seen)
	s.now = s.snapshot()
	s.leaves = s.published()
	h, _, err := (&run{Options: Options{Objects: s.objects, Meta: s.db, Key: key.Public()}}).log(s.t.Context(), s.store)
	s.ok(err)
	s.history = h

	log := tlog.Reader{Objects: s.objects, StoreID: s.store}
	need := map[string]bool{log.Key(proof.CheckpointPath): true}
	for level, n := 0, len(s.leaves); n > 0; level, n = level+1, n/proof.TileWidth {
		for i := 0; i*proof.TileWidth < n; i++ {
			w := min(n-i*proof.TileWidth, proof.TileWidth)
			need[log.Key(proof.TilePath(level, uint64(i), w))] = true
			if level == 0 {
				need[log.Key(proof.EntriesPath(uint64(i), w))] = true
			}
		}
	}
	row, err := s.db.Table(s.t.Context(), s.store)
	s.ok(err)
	folder := "tables/" + s.store + "/"
	_, _, err = lake.Inspect(s.t.Context(), s.objects, row.Location, lake.Inspection{
		Object: func(path string, _ proof.Hash) { need[folder+path] = true },
		File:   func(path string, _ *proof.Stats) { need[folder+path] = true },
	})
	s.ok(err)
	s.required = slices.Sorted(maps.Keys(need))
	for name := range s.now {
		if _, told := h.objects[strings.TrimPrefix(name, folder)]; need[name] || told || strings.HasPrefix(name, tlog.Prefix) {
			s.covered = append(s.covered, name)
		}
	}
	slices.Sort(s.covered)
	for _, name := range s.required {
		if s.now[name] == nil {
			s.t.Fatalf("%s: %s is not there", s.name, name)
		}
	}
}

// attempt is one change, and what must be found of it.
type attempt struct {
	*state
	rng  *rand.Rand
	opt  Options
	did  string            // in words
	want [][]Finding       // of each, one is enough
	was  map[string][]byte // content of the objects that were changed; nil: there was none
	redo bool              // all objects are put back
}

func (a *attempt) put(name string, content []byte) {
	a.t.Helper()
	if _, known := a.was[name]; !known {
		a.was[name] = a.now[name]
	}
	path := a.objects.LocalPath(name)
	if a.now[name] == nil {
		a.ok(os.MkdirAll(filepath.Dir(path), 0o700))
		a.ok(os.WriteFile(path, content, 0o600))
		return
	}
	a.ok(tamper(path, content))
}

func (a *attempt) remove(name string) {
	a.t.Helper()
	a.was[name] = a.now[name]
	a.ok(os.Remove(a.objects.LocalPath(name)))
}

func (a *attempt) undo() {
	a.t.Helper()
	if a.redo {
		a.restore(a.now, "")
		return
	}
	for name, content := range a.was {
		path := a.objects.LocalPath(name)
		a.ok(os.RemoveAll(path))
		if content != nil {
			a.ok(os.WriteFile(path, content, 0o600))
		}
	}
}

// named says that something must be found: of that object, with that in its problem.
func (a *attempt) named(object, problem string) {
	a.want = append(a.want, []Finding{{Object: object, Problem: problem}})
}

// either says that one of the objects must be named: where the first that is wrong ends the reading of a log.
func (a *attempt) either(objects ...string) {
	var some []Finding
	for _, o := range objects {
		some = append(some, Finding{Object: o})
	}
	a.want = append(a.want, some)
}

func (a *attempt) does(format string, args ...any) { a.did = fmt.Sprintf(format, args...) }

// pick gives one of a list.
func pick[T any](a *attempt, list []T) T { return list[a.rng.IntN(len(list))] }

// logs name what is changed in the log: its objects, of which a checkpoint speaks for all.
func (a *attempt) logObject(path string) string { return tlog.Prefix + a.store + "/" + path }

// kind is a kind of change. do makes one, or says that the state has nothing for it.
type kind struct {
	name string
	do   func(a *attempt) bool
}

func kinds() []kind {
	all := slices.Concat(objectKinds, logKinds, leafKinds, rowKinds())
	rows := kind{"row of the metadata", metadataRow}
	return append(all, rows, rows, objectKinds[0], objectKinds[0], objectKinds[0]) // of these there are the most
}

// attempts is how many changes are tried, from which seed: a fixed share, or as many as the environment says.
func attempts(t *testing.T) (n int, seed uint64) {
	number := func(name string, otherwise uint64) uint64 {
		s := os.Getenv(name)
		if s == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	if n = int(number("LOCH_TAMPER_ATTEMPTS", 0)); n == 0 {
		return 60, number("LOCH_TAMPER_SEED", 7)
	}
	return n, number("LOCH_TAMPER_SEED", rand.Uint64())
}

// Every random change is found, and what was changed is named.
func TestTampering(t *testing.T) {
	n, seed := attempts(t)
	t.Logf("%d attempts, LOCH_TAMPER_SEED=%d", n, seed)
	all, of := states(t), kinds()
	tried := map[string]int{}
	for i := range n {
		k, rng := of[i%len(of)], rand.New(rand.NewPCG(seed, uint64(i)))
		first := rng.IntN(len(all))
		var a *attempt
		for j := range all {
			s := all[(first+j)%len(all)]
			a = &attempt{state: s, rng: rng, was: map[string][]byte{}, opt: Options{Objects: s.objects, Meta: s.db, Key: key.Public(), Seen: maps.Clone(s.seen)}}
			if k.do(a) {
				break
			}
			if a = nil; len(all) == j+1 {
				t.Fatalf("there is nothing to change for %q", k.name)
			}
		}
		tried[k.name+", "+a.name]++
		r, err := Run(t.Context(), a.opt)
		if err != nil {
			t.Errorf("attempt %d, %s in a %s lake: %s: %v", i, k.name, a.name, a.did, err)
		}
		for _, some := range a.want {
			if !slices.ContainsFunc(some, func(w Finding) bool { return says(r, w.Object, w.Problem) }) {
				t.Errorf("attempt %d, %s in a %s lake: %s: not found: %v", i, k.name, a.name, a.did, some)
				for _, f := range r.Findings[:min(len(r.Findings), 10)] {
					t.Logf("found: %s: %s", f.Object, f.Problem)
				}
			}
		}
		if len(a.want) == 0 {
			t.Fatalf("%s asks for nothing", k.name)
		}
		a.undo()
	}
	for _, s := range all {
		s.clean(true, maps.Clone(s.seen)) // all of it was undone
	}
	for _, name := range slices.Sorted(maps.Keys(tried)) {
		t.Logf("%s: %d", name, tried[name])
	}
}

// metadataRow changes something in meta.db, as who has a database tool can.
func metadataRow(a *attempt) bool {
	const store, table = "metadata: store", "metadata: table"
	type change struct{ statement, object string }
	n := 1 + a.rng.IntN(1000)
	changes := []change{
		{fmt.Sprintf("UPDATE stores SET retention_days = retention_days + %d", n), store},
		{"UPDATE stores SET status = 'STOPPED_INGESTION'", store},
		{fmt.Sprintf("UPDATE stores SET name = 'x%d'", n), store},
		{fmt.Sprintf("UPDATE stores SET selectors = CAST('[%d]' AS BLOB)", n), store},
		{"UPDATE stores SET multi_region = 1 - multi_region", store},
		{"UPDATE stores SET termination_protection = 1 - termination_protection", store},
		{fmt.Sprintf("UPDATE stores SET delete_after = %d", n), store},
		{fmt.Sprintf("UPDATE stores SET remove_after = %d", n), store},
		{"DELETE FROM stores", store},
		{"DELETE FROM tables", table},
		{fmt.Sprintf("UPDATE tables SET location = replace(location, '.metadata', '%d.metadata')", n), table},
		{"UPDATE tables SET location = previous WHERE previous <> ''", table},
		{fmt.Sprintf("UPDATE tables SET applied = applied - %d", n), table},
		{fmt.Sprintf("UPDATE logs SET next = next + %d", n), tlog.Prefix + a.store},
		{"DELETE FROM logs", tlog.Prefix + a.store},
		{fmt.Sprintf("INSERT INTO holds VALUES ('h%d', '111122223333', 'us-east-1', '%s', NULL, NULL, 'x', 1, 'me', NULL, '', '')", n, a.store), fmt.Sprintf("metadata: hold h%d", n)},
	}
	for _, h := range a.holds {
		at := " WHERE id = '" + h.ID + "'"
		for _, s := range []string{"DELETE FROM holds" + at, fmt.Sprintf("UPDATE holds SET from_time = from_time + %d", n) + at, fmt.Sprintf("UPDATE holds SET to_time = %d", n) + at,
			fmt.Sprintf("UPDATE holds SET lifted = iif(lifted IS NULL, %d, NULL)", n) + at, fmt.Sprintf("UPDATE holds SET reason = 'x%d'", n) + at} {
			changes = append(changes, change{s, "metadata: hold " + h.ID})
		}
	}
	c := pick(a, changes)
	a.does("%s", c.statement)
	a.opt.Meta = a.edited(c.statement)
	a.named(c.object, "")
	return true
}

// another is some other content than this: a byte changed, or some at its end more or fewer.
func (a *attempt) another(content []byte) []byte {
	now := bytes.Clone(content)
	switch a.rng.IntN(6) {
	case 0:
		now = now[:a.rng.IntN(len(now))]
		a.did = "cut"
	case 1:
		now = append(now, byte(a.rng.IntN(256)))
		a.did = "a byte more"
	default:
		at := a.rng.IntN(len(now))
		now[at] ^= byte(1 + a.rng.IntN(255))
		a.does("byte %d changed", at)
	}
	return now
}
