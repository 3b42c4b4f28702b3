package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// What somebody without the key can do to objects.
var objectKinds = []kind{
	{"bytes of an object", func(a *attempt) bool {
		name := pick(a, a.covered)
		content := a.another(a.now[name])
		a.did += ": " + name
		a.put(name, content)
		a.named(name, "")
		return true
	}},
	{"object deleted", func(a *attempt) bool {
		name := pick(a, a.required)
		a.does("%s", name)
		a.remove(name)
		a.named(name, "")
		return true
	}},
	{"objects exchanged", func(a *attempt) bool {
		one := pick(a, a.required)
		others := slices.DeleteFunc(slices.Clone(a.required), func(name string) bool {
			return class(name) != class(one) || bytes.Equal(a.now[name], a.now[one])
		})
		if len(others) == 0 {
			return false
		}
		other := pick(a, others)
		a.does("%s and %s", one, other)
		a.put(one, a.now[other])
		a.put(other, a.now[one])
		if class(one) == "log" {
			a.either(one, other)
			return true
		}
		a.named(one, "")
		a.named(other, "")
		return true
	}},
	{"object put back to an older one", func(a *attempt) bool {
		name := pick(a, a.required)
		var older [][]byte
		for _, then := range a.old {
			for _, was := range sortedNames(then) {
				if alike(was, name) && !bytes.Equal(then[was], a.now[name]) {
					older = append(older, then[was])
				}
			}
		}
		if len(older) == 0 {
			return false
		}
		a.does("%s", name)
		a.put(name, pick(a, older))
		a.named(name, "")
		return true
	}},
	{"log set back", func(a *attempt) bool {
		then := pick(a, a.old)
		a.does("to %d objects", len(then))
		a.redo = true
		a.restore(then, tlog.Prefix)
		a.named(a.logObject(proof.CheckpointPath), "set back")
		a.named(tlog.Prefix+a.store, "set back")
		return true
	}},
	{"lake set back", func(a *attempt) bool {
		then := pick(a, a.old)
		a.redo = true
		a.does("all %d objects", len(then))
		a.restore(then, "")
		a.opt.Meta = nil // who sets it back, too, leaves nothing to compare with but what is remembered
		a.named(a.logObject(proof.CheckpointPath), "set back")
		return true
	}},
	{"statistics of a column", inParquet(func(a *attempt, content []byte, c *metadata.ColumnChunkMetaData) (from, n int) {
		set, err := c.StatsSet()
		a.ok(err)
		if !set {
			return 0, 0
		}
		s, err := c.Statistics()
		a.ok(err)
		least := s.EncodeMin()
		foot := len(content) - 8 - int(binary.LittleEndian.Uint32(content[len(content)-8:]))
		if at := bytes.Index(content[foot:], least); len(least) > 3 && at >= 0 {
			return foot + at, len(least)
		}
		return 0, 0
	})},
	{"page index", inParquet(func(_ *attempt, _ []byte, c *metadata.ColumnChunkMetaData) (from, n int) {
		if at := c.GetOffsetIndexLocation(); at != nil {
			return int(at.Offset), int(at.Length)
		}
		return 0, 0
	})},
	{"bloom filter", inParquet(func(_ *attempt, _ []byte, c *metadata.ColumnChunkMetaData) (from, n int) {
		if at := c.BloomFilterOffset(); at > 0 {
			return int(at), max(int(c.BloomFilterLength()), 32)
		}
		return 0, 0
	})},
	{"bounds in a manifest", func(a *attempt) bool {
		manifest, data := a.rebound()
		a.named(manifest, "changed: its SHA-256")
		a.named(data, "statistics were changed")
		return true
	}},
	{"bounds in a manifest, and its hash in the leaf", func(a *attempt) bool {
		manifest, data := a.rebound()
		path := strings.TrimPrefix(manifest, "tables/"+a.store+"/")
		sum := sha256.Sum256(a.object(manifest))
		a.resign(func(_ int, l *proof.Leaf) {
			for i := range l.Snapshot.Manifests {
				if m := &l.Snapshot.Manifests[i]; m.Path == path {
					m.SHA256 = sum
				}
			}
		})
		a.opt.Seen = nil
		a.named(data, "statistics were changed")
		return true
	}},
}

// class is what kind of object it is, of which two can stand in each other's places.
func class(name string) string {
	switch {
	case strings.Contains(name, "/data/"):
		return "data"
	case strings.HasPrefix(name, tlog.Prefix):
		return "log"
	}
	return name[strings.LastIndexByte(name, '.'):]
}

// alike tells whether an older object can stand in another's place: of logs, the same tile or bundle in another form, or the checkpoint.
func alike(was, name string) bool {
	if strings.HasPrefix(name, tlog.Prefix) {
		return bare(was) == bare(name)
	}
	return class(was) == class(name) && class(was) != "log"
}

func sortedNames(objects map[string][]byte) (names []string) {
	for name := range objects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// inParquet changes a byte of a part of a data file that is found by the metadata of one of its columns.
func inParquet(part func(a *attempt, content []byte, c *metadata.ColumnChunkMetaData) (from, n int)) func(a *attempt) bool {
	return func(a *attempt) bool {
		files := slices.DeleteFunc(slices.Clone(a.required), func(name string) bool { return class(name) != "data" })
		start := a.rng.IntN(len(files))
		for _, name := range append(files[start:], files[:start]...) {
			content := bytes.Clone(a.now[name])
			r, err := file.NewParquetReader(bytes.NewReader(content))
			a.ok(err)
			group := r.MetaData().RowGroup(a.rng.IntN(r.NumRowGroups()))
			first := a.rng.IntN(group.NumColumns())
			for i := range group.NumColumns() {
				c, err := group.ColumnChunk((first + i) % group.NumColumns())
				a.ok(err)
				if from, n := part(a, content, c); n > 0 {
					at := from + a.rng.IntN(n)
					content[at] ^= byte(1 + a.rng.IntN(255))
					a.does("column %s, byte %d of %s", c.PathInSchema(), at, name)
					a.put(name, content)
					a.named(name, "changed: ")
					return true
				}
			}
		}
		return false
	}
}

// object reads an object as it is now.
func (a *attempt) object(name string) []byte {
	b, err := (&run{Options: a.opt}).read(a.t.Context(), name)
	a.ok(err)
	return b
}

// rebound writes a manifest of the table's snapshot anew in which a bound of a data file is another, as hides the file's rows from a search; it gives both.
func (a *attempt) rebound() (manifest, data string) {
	a.t.Helper()
	folder := "tables/" + a.store + "/"
	m, err := table.ParseMetadataBytes(a.now[folder+a.history.metadata.Path])
	a.ok(err)
	manifests, err := m.CurrentSnapshot().Manifests(iceio.LocalFS{})
	a.ok(err)
	key := func(uri string) string {
		at := strings.Index(uri, folder)
		return uri[at:]
	}
	is := func(e iceberg.ManifestEntry) bool { return e.Status() != iceberg.EntryStatusDELETED }
	var of iceberg.ManifestFile
	var entries []iceberg.ManifestEntry
	for at := a.rng.IntN(len(manifests)); !slices.ContainsFunc(entries, is); at = (at + 1) % len(manifests) {
		of, entries = manifests[at], nil
		for e, err := range of.Entries(iceio.LocalFS{}, false) {
			a.ok(err)
			entries = append(entries, e)
		}
	}
	at := a.rng.IntN(len(entries))
	for !is(entries[at]) {
		at = (at + 1) % len(entries)
	}
	e := entries[at]
	f := e.DataFile()
	by, sequence := e.SnapshotID(), e.SequenceNum()
	entries[at] = iceberg.NewManifestEntry(e.Status(), &by, &sequence, e.FileSequenceNum(), a.otherwise(f, m.PartitionSpec()))
	var out bytes.Buffer
	_, err = iceberg.WriteManifest(of.FilePath(), &out, m.Version(), m.PartitionSpec(), m.CurrentSchema(), of.SnapshotID(), entries)
	a.ok(err)
	manifest, data = key(of.FilePath()), key(f.FilePath())
	a.did += " of " + data + " in " + manifest
	a.put(manifest, out.Bytes())
	return manifest, data
}

// otherwise is the file with another bound or count.
func (a *attempt) otherwise(f iceberg.DataFile, spec iceberg.PartitionSpec) iceberg.DataFile {
	a.t.Helper()
	types := map[int]string{}
	for id := range f.Partition() {
		types[id] = "date"
	}
	b, err := iceberg.NewDataFileBuilder(spec, f.ContentType(), f.FilePath(), f.FileFormat(), f.Partition(), types, nil, f.Count(), f.FileSizeBytes())
	a.ok(err)
	lower, upper, values, nulls := f.LowerBoundValues(), f.UpperBoundValues(), f.ValueCounts(), f.NullValueCounts()
	a.does("nothing")
	bound := func(of map[int][]byte, what string) {
		id := pick(a, slices.Sorted(maps.Keys(of)))
		if a.did = fmt.Sprintf("%s of field %d", what, id); len(of[id]) == 0 || a.rng.IntN(4) == 0 {
			delete(of, id)
			return
		}
		of[id][a.rng.IntN(len(of[id]))] ^= 1
	}
	switch a.rng.IntN(4) {
	case 0:
		bound(lower, "lower bound")
	case 1:
		bound(upper, "upper bound")
	case 2:
		id := pick(a, slices.Sorted(maps.Keys(values)))
		values[id]++
		a.does("values of field %d", id)
	default:
		id := pick(a, slices.Sorted(maps.Keys(nulls)))
		nulls[id]++
		a.does("nulls of field %d", id)
	}
	return b.LowerBoundValues(lower).UpperBoundValues(upper).ValueCounts(values).NullValueCounts(nulls).NaNValueCounts(f.NaNValueCounts()).Build()
}
