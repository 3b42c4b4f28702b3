package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

const day0 = int64(20_000) * 86_400_000_000 // 2024-10-04

type bed struct {
	*Lake
	db      meta.DB
	objects objstore.Store
	dir     string
}

func openBed(t testing.TB) *bed {
	t.Helper()
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	objects, err := objstore.OpenLocal(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{db: db, objects: lax{objects}, dir: dir}
	b.reopen(t)
	return b
}

// lax is a local store that does not sync: what tests wait for most.
type lax struct {
	*objstore.Local
}

func (l lax) Put(_ context.Context, key string, r io.Reader, _ int64, _ bool) error {
	path := l.LocalPath(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// reopen opens the lake anew over the same metadata and objects, as a restart does.
func (b *bed) reopen(t testing.TB) {
	t.Helper()
	l, err := Open(t.Context(), Config{Objects: b.objects, Meta: b.db})
	if err != nil {
		t.Fatal(err)
	}
	l.expireEvery, l.grace = 8, 0
	b.Lake = l
}

func (b *bed) store(t testing.TB, kind event.Kind) string {
	t.Helper()
	id := uuid.NewString()
	err := b.db.CreateStore(t.Context(), meta.EventDataStore{Scope: meta.Scope{Account: "111122223333", Region: "us-east-1"}, ID: id, Name: id, Kind: uint8(kind), Status: "ENABLED", Created: time.Now(), Updated: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.CreateTable(t.Context(), id, kind); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bed) mustCommit(t testing.TB, store string, rows []Row, applied int64) {
	t.Helper()
	f, err := b.Write(t.Context(), store, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(t.Context(), store, f, applied); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) mustPlan(t testing.TB, store string, preds ...Predicate) *Plan {
	t.Helper()
	p, err := b.Plan(t.Context(), store, preds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Release)
	return p
}

// randomRecord makes a record with random fields of every shape that the schema has.
func randomRecord(rng *rand.Rand, kind event.Kind, at int64) *event.Record {
	ts := event.Schema(kind)
	r := &event.Record{Kind: kind, Time: at, Text: fmt.Appendf(nil, `{"eventID":"%d","é":"%x"}`, rng.Uint64(), rng.Uint64())}
	var scalar func(n event.Node, elem uint16)
	word := func() []byte {
		switch rng.IntN(6) {
		case 0:
			return []byte{}
		case 1:
			return bytes.Repeat([]byte("long-ÿ-"), 1+rng.IntN(40))
		}
		return fmt.Appendf(nil, "v%d", rng.IntN(50))
	}
	scalar = func(n event.Node, elem uint16) {
		if rng.IntN(3) == 0 && ts.Nodes[n].Path != "eventtime" {
			return
		}
		var num int64
		var val []byte
		switch ts.Nodes[n].Column.Type {
		case event.String:
			val = word()
		case event.Boolean:
			num = int64(rng.IntN(2))
		case event.Double:
			num = int64(math.Float64bits(rng.NormFloat64()))
		case event.Int:
			num = int64(int32(rng.Uint32()))
		case event.Timestamp:
			num = at
		default:
			num = int64(rng.Uint64())
		}
		r.Add(n, elem, num, nil, val)
	}
	var walk func(n event.Node, elem uint16)
	walk = func(n event.Node, elem uint16) {
		c := ts.Nodes[n].Column
		if c.Hidden || n == ts.Text {
			return
		}
		switch c.Type {
		case event.Struct:
			if rng.IntN(4) == 0 {
				return
			}
			r.Add(n, elem, 0, nil, nil)
			for m := ts.Nodes[n].FirstID; m < ts.Nodes[n].End; m = ts.Nodes[m].End {
				walk(m, elem)
			}
		case event.List:
			if rng.IntN(3) == 0 {
				return
			}
			r.Add(n, 0, 0, nil, nil)
			for i := range uint16(rng.IntN(4)) {
				walk(ts.Nodes[n].FirstID, i) // an element that is left out is null
			}
		case event.Map:
			if rng.IntN(3) == 0 {
				return
			}
			r.Add(n, 0, 0, nil, nil)
			for i := range rng.IntN(4) {
				v := word()
				if rng.IntN(5) == 0 {
					v = nil
				}
				r.Add(ts.Nodes[n].FirstID+1, 0, 0, fmt.Appendf(nil, "k%d", i), v)
			}
		default:
			scalar(n, elem)
		}
	}
	for n := event.Node(0); int(n) < len(ts.Nodes); n = ts.Nodes[n].End {
		walk(n, 0)
	}
	return r
}

type entry struct{ Key, Value any }

// expected is a row as a reader should give it, taken from the record without the lake's own code.
func expected(row *Row) map[string]any {
	ts := event.Schema(row.Event.Kind)
	var build func(n event.Node, in []event.Field) any
	scalar := func(n event.Node, f event.Field) any {
		switch ts.Nodes[n].Column.Type {
		case event.String:
			return string(row.Event.Val(&f))
		case event.Boolean:
			return f.Num == 1
		case event.Double:
			return math.Float64frombits(uint64(f.Num))
		case event.Int:
			return int32(f.Num)
		}
		return f.Num
	}
	build = func(n event.Node, in []event.Field) any {
		c := ts.Nodes[n].Column
		var own []event.Field
		there := false
		for _, f := range in {
			if f.Node >= n && f.Node < ts.Nodes[n].End {
				own = append(own, f)
				there = there || f.Node == n
			}
		}
		if !there {
			return nil
		}
		switch c.Type {
		case event.Struct:
			m := map[string]any{}
			for k := ts.Nodes[n].FirstID; k < ts.Nodes[n].End; k = ts.Nodes[k].End {
				m[ts.Nodes[k].Column.Name] = build(k, own)
			}
			return m
		case event.Map:
			list := []entry{}
			for _, f := range own[1:] {
				e := entry{Key: string(row.Event.Key(&f))}
				if row.Event.Val(&f) != nil {
					e.Value = string(row.Event.Val(&f))
				}
				list = append(list, e)
			}
			return list
		case event.List:
			list := []any{}
			el := ts.Nodes[n].FirstID
			for _, f := range own[1:] {
				if f.Node != el {
					continue
				}
				for len(list) < int(f.Elem) {
					list = append(list, nil)
				}
				var part []event.Field
				for _, g := range own[1:] {
					if g.Elem == f.Elem {
						part = append(part, g)
					}
				}
				list = append(list, build(el, part))
			}
			return list
		}
		return scalar(n, own[0])
	}
	out := map[string]any{}
	for n := event.Node(0); int(n) < len(ts.Nodes); n = ts.Nodes[n].End {
		out[ts.Nodes[n].Column.Name] = build(n, row.Event.Fields)
	}
	out["eventtime"] = row.Event.Time
	out[ts.Nodes[ts.Text].Path] = string(row.Event.Text)
	out["_writer"], out["_epoch"], out["_sequence"], out["_position"] = row.Writer, row.Epoch, row.Sequence, row.Position
	out["_accepted"], out["_provenance"], out["_decoder"], out["_conflict"] = row.Accepted, row.Provenance, int32(event.DecoderVersion), row.Conflict
	return out
}

// stored reads a planned file with the library's own reader.
func stored(t testing.TB, path string) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return rowsOf(t, b)
}

// rowsOf reads a file that lies in memory.
func rowsOf(t testing.TB, b []byte) []map[string]any {
	t.Helper()
	pr, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	ar, err := pqarrow.NewFileReader(pr, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := ar.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Release()
	var rows []map[string]any
	tr := array.NewTableReader(tbl, 1<<20)
	defer tr.Release()
	for tr.Next() {
		rec := tr.RecordBatch()
		for i := range int(rec.NumRows()) {
			row := map[string]any{}
			for c, fd := range rec.Schema().Fields() {
				row[fd.Name] = arrowValue(t, rec.Column(c), i)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func arrowValue(t testing.TB, a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.String:
		return string([]byte(a.Value(i)))
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Map:
		from, to := a.ValueOffsets(i)
		list := []entry{}
		for j := from; j < to; j++ {
			list = append(list, entry{arrowValue(t, a.Keys(), int(j)), arrowValue(t, a.Items(), int(j))})
		}
		return list
	case *array.List:
		from, to := a.ValueOffsets(i)
		list := []any{}
		for j := from; j < to; j++ {
			list = append(list, arrowValue(t, a.ListValues(), int(j)))
		}
		return list
	case *array.Struct:
		m := map[string]any{}
		for f := range a.NumField() {
			m[a.DataType().(*arrow.StructType).Field(f).Name] = arrowValue(t, a.Field(f), i)
		}
		return m
	}
	t.Fatalf("unexpected column type %s", a.DataType())
	return nil
}

func randomRows(rng *rand.Rand, kind event.Kind, n, days int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		at := day0 + int64(rng.IntN(days))*86_400_000_000 + rng.Int64N(86_400_000_000)
		rows[i] = Row{Event: randomRecord(rng, kind, at), Envelope: Envelope{
			Writer: "w1", Epoch: 3, Sequence: int64(i / 10), Position: int32(i % 10), Accepted: at + 5, Provenance: "s3://logs/" + fmt.Sprint(i%7), Conflict: i%11 == 0,
		}}
	}
	return rows
}

// sparseRow is an event with an id, a key and an address; n tells one from another.
func sparseRow(n int, at int64) Row {
	ts := event.Schema(event.CloudTrail)
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n*7919)
	r := &event.Record{Kind: event.CloudTrail, Time: at, ID: id, Text: fmt.Appendf(nil, `{"eventID":%q}`, id)}
	r.Add(ts.Must("useridentity"), 0, 0, nil, nil)
	for _, f := range [][2]string{
		{"useridentity.arn", fmt.Sprintf("arn:aws:iam::111122223333:user/person-%d", n)},
		{"useridentity.accesskeyid", "AKIA" + hex.EncodeToString(fmt.Appendf(nil, "%06d", n))},
		{"sourceipaddress", fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)},
		{"eventid", id},
	} {
		r.Add(ts.Must(f[0]), 0, 0, nil, []byte(f[1]))
	}
	return Row{
		Event:    r,
		Envelope: Envelope{Writer: "w", Epoch: 1, Sequence: int64(n), Provenance: "test"},
	}
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }
