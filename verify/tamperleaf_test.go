package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// decoded are the published leaves.
func (s *state) decoded() (leaves []proof.Leaf) {
	s.t.Helper()
	for _, b := range s.leaves {
		l, err := proof.DecodeLeaf(b)
		s.ok(err)
		leaves = append(leaves, l)
	}
	return leaves
}

// resign writes the log anew, signed by the lake's own key, with some leaves changed: those of snapshots, unless others are named.
func (a *attempt) resign(change func(i int, l *proof.Leaf), only ...int) {
	a.t.Helper()
	leaves := slices.Clone(a.leaves)
	for i, l := range a.decoded() {
		if slices.Contains(only, i) || only == nil && l.Snapshot != nil {
			change(i, &l)
			b, err := l.Encode()
			a.ok(err)
			leaves[i] = b
		}
	}
	a.redo = true
	a.forge(key, leaves)
}

// rewritten is a leaf that says something else, of the same form.
func (a *attempt) rewritten(i int) []byte {
	a.t.Helper()
	l := a.decoded()[i]
	switch {
	case l.Batch != nil:
		switch a.rng.IntN(3) {
		case 0:
			l.Batch.Root[a.rng.IntN(32)] ^= 1
		case 1:
			l.Batch.Sequence += 7
		default:
			l.Batch.Writer += "x"
		}
	case l.Snapshot != nil:
		l.Snapshot.Metadata.SHA256[a.rng.IntN(32)] ^= 1
	case l.Removal != nil:
		l.Removal.At = proof.Time(time.Now().Add(-time.Hour))
	case l.Store != nil:
		l.Store.Settings.RetentionDays++
	case l.Hold != nil:
		l.Hold.Reason += "x"
	case l.Erasure != nil:
		l.Erasure.By += "x"
	}
	b, err := l.Encode()
	a.ok(err)
	if bytes.Equal(b, a.leaves[i]) {
		a.t.Fatalf("leaf %d was not changed", i)
	}
	a.does("leaf %d: %.200s", i, b)
	return b
}

// What can be done to a log as a whole.
var logKinds = []kind{
	{"leaf rewritten", func(a *attempt) bool {
		i := a.rng.IntN(len(a.leaves))
		leaves := slices.Clone(a.leaves)
		leaves[i] = a.rewritten(i)
		n := i / proof.TileWidth
		part := leaves[n*proof.TileWidth : min(len(leaves), (n+1)*proof.TileWidth)]
		var bundle []byte
		for _, l := range part {
			var err error
			bundle, err = proof.AppendEntry(bundle, l)
			a.ok(err)
		}
		name := a.logObject(proof.EntriesPath(uint64(n), len(part)))
		a.put(name, bundle)
		a.named(name, "an entry is not the one that the tile has the hash of")
		return true
	}},
	{"leaf rewritten, and the tiles", func(a *attempt) bool {
		i := a.rng.IntN(len(a.leaves))
		leaves := slices.Clone(a.leaves)
		leaves[i] = a.rewritten(i)
		a.redo = true
		a.forge(key, leaves)
		a.ok(tamper(a.objects.LocalPath(a.logObject(proof.CheckpointPath)), a.now[a.logObject(proof.CheckpointPath)]))
		a.named(a.logObject(proof.CheckpointPath), "neither the entries nor the tiles")
		return true
	}},
	{"leaf rewritten, tiles and checkpoint by another key", func(a *attempt) bool {
		i := a.rng.IntN(len(a.leaves))
		leaves := slices.Clone(a.leaves)
		leaves[i] = a.rewritten(i)
		a.redo = true
		other := proof.NewKey(bytes.Repeat([]byte{byte(4 + a.rng.IntN(200))}, proof.SeedSize))
		a.forge(other, leaves)
		if a.rng.IntN(2) == 0 { // and the verifier is given that key
			a.opt.Key = other.Public()
			a.named(a.logObject(proof.CheckpointPath), "another key")
			return true
		}
		a.named(a.logObject(proof.CheckpointPath), "signature")
		return true
	}},
	{"leaf rewritten, tiles and checkpoint by the lake's key", func(a *attempt) bool {
		i := a.rng.IntN(len(a.leaves))
		leaves := slices.Clone(a.leaves)
		leaves[i] = a.rewritten(i)
		a.redo = true
		a.forge(key, leaves)
		a.named(a.logObject(proof.CheckpointPath), "rewritten")
		return true
	}},
	{"leaf left out, added, or in another's place, by the lake's key", func(a *attempt) bool {
		leaves := slices.Clone(a.leaves)
		i := a.rng.IntN(len(leaves) - 1)
		problem := "rewritten"
		switch a.rng.IntN(3) {
		case 0:
			a.does("leaf %d left out", i)
			leaves = slices.Delete(leaves, i, i+1)
			problem = "set back"
		case 1:
			a.does("leaf %d twice", i)
			leaves = slices.Insert(leaves, i, leaves[i])
			a.named(tlog.Prefix+a.store, "set back")
		default:
			a.does("leaves %d and %d exchanged", i, i+1)
			leaves[i], leaves[i+1] = leaves[i+1], leaves[i]
		}
		a.redo = true
		a.forge(key, leaves)
		a.named(a.logObject(proof.CheckpointPath), problem)
		return true
	}},
}

// told gives the indexes of leaves of which something is so.
func (a *attempt) told(is func(l *proof.Leaf) bool) (at []int) {
	for i, l := range a.decoded() {
		if is(&l) {
			at = append(at, i)
		}
	}
	return at
}

// rewrite changes one of the leaves, signs the log anew by the lake's key, and has the verifier remember nothing: what the leaf says must not fit the rest.
func (a *attempt) rewrite(at []int, change func(i int, l *proof.Leaf)) bool {
	if len(at) == 0 {
		return false
	}
	a.opt.Seen, a.opt.Full = nil, true
	a.resign(change, pick(a, at))
	return true
}

// What the holder of the key can do, before whom nobody has kept a checkpoint.
var leafKinds = []kind{
	{"leaf of a batch", func(a *attempt) bool {
		at := a.told(func(l *proof.Leaf) bool {
			return l.Batch != nil && len(a.history.batches[record{l.Batch.Writer, l.Batch.Epoch, l.Batch.Sequence, l.Batch.Day}]) > 0
		})
		return a.rewrite(at, func(i int, l *proof.Leaf) {
			b := l.Batch
			where, name := a.dayFolder(b.Day), batchName(b)
			switch a.rng.IntN(5) {
			case 0:
				b.Root[a.rng.IntN(32)] ^= 1
				a.named(where, name+": an event in it is not the one that was accepted")
			case 1:
				b.Count--
				a.named(where, name+" has ")
			case 2:
				b.Sequence += 100
				a.named(where, batchName(b)+" has 0 events")
			case 3:
				b.Writer += "x"
				a.named(where, name+" has 0 events")
			default:
				b.Day = "2024-05-03"
				a.named(a.dayFolder(b.Day), name+" has 0 events")
			}
			a.does("leaf %d: %+v", i, *b)
		})
	}},
	{"leaf of a snapshot, of a file", func(a *attempt) bool {
		live := func(f proof.DataFile) bool { _, is := a.history.files[f.Path]; return is }
		at := a.told(func(l *proof.Leaf) bool { return l.Snapshot != nil && slices.ContainsFunc(l.Snapshot.Added, live) })
		return a.rewrite(at, func(i int, l *proof.Leaf) {
			f := &l.Snapshot.Added[slices.IndexFunc(l.Snapshot.Added, live)]
			problem := "statistics were changed"
			name := "tables/" + a.store + "/" + f.Path
			switch a.rng.IntN(5) {
			case 0:
				f.SHA256[a.rng.IntN(32)] ^= 1
				problem = "changed: "
			case 1:
				f.Stats[a.rng.IntN(32)] ^= 1
			case 2:
				f.Size++
			case 3:
				f.Rows++
			default:
				f.Path = strings.Replace(f.Path, ".parquet", "x.parquet", 1)
				problem = "the log does not tell of it"
			}
			a.does("leaf %d: %s, %s", i, name, problem)
			a.named(name, problem)
		})
	}},
	{"leaf of a snapshot, of its metadata", func(a *attempt) bool {
		here := func(o *proof.Object) bool { return o != nil && a.now["tables/"+a.store+"/"+o.Path] != nil }
		objects := func(s *proof.Snapshot) (all []*proof.Object) {
			for _, o := range append([]*proof.Object{s.Metadata, s.List}, pointers(s.Manifests)...) {
				if here(o) {
					all = append(all, o)
				}
			}
			return all
		}
		at := a.told(func(l *proof.Leaf) bool { return l.Snapshot != nil && len(objects(l.Snapshot)) > 0 })
		return a.rewrite(at, func(i int, l *proof.Leaf) {
			o := pick(a, objects(l.Snapshot))
			o.SHA256[a.rng.IntN(32)] ^= 1
			a.does("leaf %d: %s", i, o.Path)
			a.named("tables/"+a.store+"/"+o.Path, "changed: its SHA-256")
		})
	}},
	{"leaf of the settings", func(a *attempt) bool {
		at := a.told(func(l *proof.Leaf) bool { return l.Store != nil })
		if len(at) > 0 {
			at = at[len(at)-1:]
		}
		return a.rewrite(at, func(i int, l *proof.Leaf) {
			s := &l.Store.Settings
			switch a.rng.IntN(4) {
			case 0:
				s.RetentionDays -= 1 + a.rng.IntN(100)
			case 1:
				s.Selectors = []byte("[]")
			case 2:
				s.Status = "STOPPED_INGESTION"
			default:
				s.RemoveAfter = "2024-01-01T00:00:00Z"
			}
			a.does("leaf %d: %+v", i, *s)
			a.named("metadata: store", "the store's settings are not those of its log")
		})
	}},
	{"leaf of a hold", func(a *attempt) bool {
		return a.rewrite(a.told(func(l *proof.Leaf) bool { return l.Hold != nil }), func(i int, l *proof.Leaf) {
			h := l.Hold
			a.named("metadata: hold "+h.ID, "")
			switch n := a.rng.IntN(5); {
			case n == 0:
				h.Reason += "x"
			case n == 1:
				h.By += "x"
			case n == 2:
				h.At = "2024-01-01T00:00:00Z"
			case n == 3 && h.Change == "placed":
				h.From = "2024-01-01T00:00:00Z"
			default:
				h.ID += "x"
			}
			a.does("leaf %d: %+v", i, *h)
		})
	}},
	{"leaf of an erasure", func(a *attempt) bool {
		return a.rewrite(a.told(func(l *proof.Leaf) bool { return l.Erasure != nil }), func(i int, l *proof.Leaf) {
			e := l.Erasure
			where, event := a.dayFolder(e.Day), fmt.Sprintf("event %d of sequence %d", e.Position, e.Sequence)
			switch a.rng.IntN(4) {
			case 0:
				e.Entry[a.rng.IntN(32)] ^= 1
				a.named(where, event+" was another by the leaf")
			case 1:
				e.Time = e.Day + "T23:59:59Z"
				a.named(where, event+" has another time")
			case 2:
				e.Position = 0
				a.named(where, event+" is a tombstone, and the log does not tell")
			default:
				e.Reason = ""
				a.named("leaf "+itoa(uint64(i)), "without a time, a reason or a name")
			}
			a.does("leaf %d: %+v", i, *e)
		})
	}},
	{"leaf of a removal", func(a *attempt) bool {
		return a.rewrite(a.told(func(l *proof.Leaf) bool { return l.Removal != nil }), func(i int, l *proof.Leaf) {
			switch a.rng.IntN(3) {
			case 0:
				l.Removal.At = "2024-05-02T00:00:00Z"
			case 1:
				l.Removal.At = proof.Time(time.Now().AddDate(1, 0, 0))
			default:
				l.Removal.Rule = "deletion"
			}
			a.does("leaf %d: %+v", i, *l.Removal)
			a.named("leaf "+itoa(uint64(i)), "")
		})
	}},
}

func pointers(list []proof.Object) (out []*proof.Object) {
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}

// dayFolder is what findings of a day's events name.
func (a *attempt) dayFolder(day string) string {
	return "tables/" + a.store + "/data/eventtime_day=" + day
}

func batchName(b *proof.Batch) string {
	return fmt.Sprintf("batch of sequence %d, positions %d to %d", b.Sequence, b.First, b.Last)
}
