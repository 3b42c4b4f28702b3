package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/objstore"
)

// holes is a Near whose files have rubbish wherever nothing was asked for.
type holes struct {
	bed     *bed
	dir     string
	fetched int64
	fail    error
	harm    func(b []byte, off int64) // damages what is fetched
}

func (h *holes) Fetch(ctx context.Context, key string, size int64, want []objstore.Range) (string, func(), error) {
	if h.fail != nil {
		return "", func() {}, h.fail
	}
	b := slices.Repeat([]byte{0xa5}, int(size))
	for _, r := range want {
		got, err := h.bed.read(ctx, key, r.Off, r.Len)
		if err != nil {
			return "", func() {}, err
		}
		if h.harm != nil {
			h.harm(got, r.Off)
		}
		h.fetched += r.Len
		copy(b[r.Off:], got)
	}
	f, err := os.CreateTemp(h.dir, "near-")
	if err != nil {
		return "", func() {}, err
	}
	_, err = f.Write(b)
	return f.Name(), func() { os.Remove(f.Name()) }, errors.Join(err, f.Close())
}

// sifted sifts and reads the file that comes of it.
func (b *bed) sifted(t *testing.T, kind event.Kind, h *holes, files []File, columns []string, path string, values ...string) (rows []map[string]any, found Sifted, ok bool) {
	t.Helper()
	h.bed, h.dir = b, t.TempDir()
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Key, b.Key) })
	to := filepath.Join(t.TempDir(), "sifted.parquet")
	found, ok, err := b.Sift(t.Context(), event.Schema(kind), files, columns, []Sought{{"nothing", []string{"x"}}, {path, values}}, h, to)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(h.dir); err != nil || len(left) > 0 {
		t.Fatalf("%d files were not let go of (%v)", len(left), err)
	}
	if !ok {
		if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("a file was left (%v)", err)
		}
		return nil, found, false
	}
	if rows = stored(t, to); int64(len(rows)) != found.Rows {
		t.Fatalf("%d rows are told and %d written", found.Rows, len(rows))
	}
	return rows, found, true
}

// smallPages makes the pages of exact texts small, so that few rows make several.
func smallPages(t *testing.T, kind event.Kind) {
	lay, err := layoutOf(event.Schema(kind))
	if err != nil {
		t.Fatal(err)
	}
	lf := &lay.leaves[lay.hidden.text]
	was := lf.page
	lf.page = 700
	t.Cleanup(func() { lf.page = was })
}

// valueAt follows a dotted path through a row.
func valueAt(row map[string]any, path string) any {
	var v any = row
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// What is sifted is what reading everything finds: the same rows, in the files as they were written and as compaction leaves them, with pages and row groups so
// small that there are many, and nothing is read that was not fetched.
func TestSiftFinds(t *testing.T) {
	b := openBed(t)
	for _, kind := range event.Kinds() {
		smallPages(t, kind)
		schema := event.Schema(kind)
		rng := rand.New(rand.NewPCG(uint64(kind), 7))
		b.compacting(t)
		store := b.store(t, kind)
		for n := range 3 {
			b.mustCommit(t, store, randomRows(rng, kind, 90, 2), int64(n+1))
		}
		for _, state := range []string{"as written", "merged"} {
			if state == "merged" {
				b.compactFully(t, store)
			}
			p := b.mustPlan(t, store)
			var all []map[string]any
			files := slices.SortedFunc(slices.Values(p.Files), func(a, b File) int { return strings.Compare(a.Key, b.Key) })
			for _, f := range files {
				all = append(all, stored(t, f.Local)...)
			}
			for path := range bloomed {
				if _, ok := schema.Node(path); !ok {
					continue
				}
				top, _, _ := strings.Cut(path, ".")
				values := map[string]bool{}
				for _, row := range all {
					if v, ok := valueAt(row, path).(string); ok {
						values[v] = true
					}
				}
				for _, v := range append(slices.Sorted(maps.Keys(values)), "not there") {
					columns := []string{schema.Nodes[schema.Text].Path}
					for _, c := range schema.Columns {
						if !c.Computed && rng.IntN(3) == 0 {
							columns = append(columns, c.Name)
						}
					}
					var want []map[string]any
					for _, row := range all {
						if valueAt(row, path) != v {
							continue
						}
						w := maps.Clone(row)
						for name := range w {
							if !slices.Contains(columns, name) && (name != top || top == path) {
								w[name] = nil
							}
						}
						want = append(want, w)
					}
					got, found, ok := b.sifted(t, kind, &holes{}, files, columns, path, v)
					if !ok {
						t.Fatalf("%s %s: %s = %q is not sifted", kind, state, path, v)
					}
					for i := range got {
						if !slices.Contains(columns, top) { // the key itself comes along, with as much of its struct
							delete(got[i], top)
						}
					}
					for i := range want {
						if !slices.Contains(columns, top) {
							delete(want[i], top)
						}
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Fatalf("%s %s: %s = %q: got %d rows %.600v, want %d %.600v", kind, state, path, v, len(got), got, len(want), want)
					}
					if found.Rows == 0 && len(want) > 0 {
						t.Fatalf("%d rows are told", found.Rows)
					}
				}
			}
		}
	}
}

// Of the texts, the pages alone are fetched that a row lies in, and of the row groups those alone that may have it.
func TestSiftFetchesPages(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	b.group.rows = 4000
	smallPages(t, event.CloudTrail)
	store := b.store(t, event.CloudTrail)
	var rows []Row
	for i := range 8000 {
		r := sparseRow(i, day0+int64(i))
		r.Event.Text = fmt.Appendf(nil, `{"eventID":%q,"more":%q}`, r.Event.ID, strings.Repeat(fmt.Sprint(rand.Uint64()), 5))
		rows = append(rows, r)
	}
	b.mustCommit(t, store, rows[:4000], 1)
	b.mustCommit(t, store, rows[4000:], 2)
	b.compactFully(t, store)
	p := b.mustPlan(t, store)
	if len(p.Files) != 1 {
		t.Fatalf("%d files", len(p.Files))
	}
	h := &holes{}
	got, found, ok := b.sifted(t, event.CloudTrail, h, p.Files, []string{"eventjson"}, "sourceipaddress", "10.0.10.20")
	if !ok || len(got) != 1 || got[0]["eventjson"] != string(rows[10<<8|20].Event.Text) {
		t.Fatalf("got %v", got)
	}
	ft, _, err := b.footer(t.Context(), p.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	for _, c := range ft.columns {
		switch {
		case c.group == 0 && c.path == "sourceipaddress":
			most += c.chunk.Len
		case c.group == 0 && c.path == "eventjson":
			pages := ft.pages[c.chunk.Off]
			if len(pages) < 100 {
				t.Fatalf("%d pages", len(pages))
			}
			most += pages[0].Len * 2
		}
	}
	if h.fetched > most || found.Bytes != h.fetched {
		t.Errorf("%d bytes of %d were fetched, more than %d, and %d told", h.fetched, p.Files[0].Size, most, found.Bytes)
	}
}

// What is not for a sift is left to others: many rows, many bytes, many files, a column without filters, a file of another schema.
func TestSiftLeaves(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	var rows []Row
	ts := event.Schema(event.CloudTrail)
	address, id := ts.Must("sourceipaddress"), ts.Must("eventid")
	for i := range 2 * siftRows {
		r := sparseRow(i, day0+int64(i))
		r.Event.Fields = r.Event.Fields[:3]
		r.Event.Add(address, 0, 0, nil, fmt.Appendf(nil, "address-%d", i/(siftRows+1))) // of 257 rows, and of 255
		r.Event.Add(id, 0, 0, nil, []byte(r.Event.ID))
		rows = append(rows, r)
	}
	rows[siftRows+1].Event.Text = []byte(`{"eventID":"` + strings.Repeat("long ", siftBytes/5) + `"}`)
	b.mustCommit(t, store, rows, 1)
	files := b.mustPlan(t, store).Files
	sift := func(files []File, path string, values ...string) bool {
		_, _, ok := b.sifted(t, event.CloudTrail, &holes{}, files, []string{"eventid", "eventjson"}, path, values...)
		return ok
	}
	key := func(n int) string { return string(rows[n].Event.Val(&rows[n].Event.Fields[2])) }
	if !sift(files, "userIdentity.accessKeyId", key(1), key(2), key(500)) {
		t.Error("few rows are not sifted")
	}
	for name, ok := range map[string]bool{
		"many rows":        sift(files, "sourceipaddress", "address-0"),
		"many bytes":       sift(files, "sourceipaddress", "address-1"),
		"many files":       sift(slices.Repeat(files, siftFiles+1), "useridentity.accesskeyid", key(1)),
		"a plain column":   sift(files, "eventname", "x"),
		"no value":         sift(files, "useridentity.accesskeyid"),
		"no such column":   sift(files, "useridentity.shoesize", "x"),
		"a repeated field": sift(files, "resources.arn", "x"),
	} {
		if ok {
			t.Errorf("%s are sifted", name)
		}
	}
	ft, _, err := b.footer(t.Context(), files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*columnChunk){
		func(c *columnChunk) { c.id = -1 },
		func(c *columnChunk) { c.kind.typ = int8(parquet.Types.Int64) },
		func(c *columnChunk) { c.kind.maxDef++ },
	} {
		other := &footer{start: ft.start, groups: ft.groups, columns: slices.Clone(ft.columns)}
		for i := range other.columns {
			if other.columns[i].path == "eventid" {
				change(&other.columns[i])
			}
		}
		b.footers.put(files[0].Key, other, 1)
		if sift(files, "useridentity.accesskeyid", key(1)) {
			t.Error("a file of another schema is sifted")
		}
	}
}

// Nothing is made of what is damaged or cannot be fetched.
func TestSiftFails(t *testing.T) {
	b := openBed(t)
	smallPages(t, event.CloudTrail)
	store := b.store(t, event.CloudTrail)
	var rows []Row
	for i := range 300 {
		rows = append(rows, sparseRow(i, day0+int64(i)))
	}
	b.mustCommit(t, store, rows, 1)
	files := b.mustPlan(t, store).Files
	to := filepath.Join(t.TempDir(), "sifted.parquet")
	sift := func(h *holes) error {
		h.bed, h.dir = b, t.TempDir()
		_, ok, err := b.Sift(t.Context(), event.Schema(event.CloudTrail), files, []string{"eventjson"}, []Sought{{"eventid", []string{rows[200].Event.ID}}}, h, to)
		if ok != (err == nil) {
			t.Errorf("ok is %v with the error %v", ok, err)
		}
		if _, err := os.Stat(to); !ok && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was left (%v)", err)
		}
		return err
	}
	away := errors.New("away")
	if err := sift(&holes{fail: away}); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	ft, _, err := b.footer(t.Context(), files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ft.columns {
		if c.path != "eventid" && c.path != "eventjson" {
			continue
		}
		if err := sift(&holes{harm: func(b []byte, off int64) {
			if off >= c.chunk.Off && off < c.chunk.Off+c.chunk.Len {
				b[len(b)/2] ^= 0x10
			}
		}}); err == nil {
			t.Errorf("nobody saw that %s is damaged", c.path)
		}
	}
	// Damage of any kind makes an error, or a file that can be read: what is not compressed has no sum of its own.
	rng := rand.New(rand.NewPCG(1, 2))
	seen := 0
	for range 300 {
		err := sift(&holes{harm: func(b []byte, _ int64) {
			for range 1 + rng.IntN(3) {
				b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
			}
		}})
		if err != nil {
			seen++
		} else if n := len(stored(t, to)); n > 1 {
			t.Fatalf("%d rows were made of a damaged one", n)
		}
		if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if seen < 200 {
		t.Errorf("of 300 damages, %d were seen", seen)
	}
	// Pages that have more rows than the index says.
	other := &footer{start: ft.start, groups: ft.groups, columns: ft.columns, pages: map[int64][]pageAt{}}
	for at, pages := range ft.pages {
		pages = slices.Clone(pages)
		for n := range pages {
			pages[n].first = pages[n].first * 7 / 8
		}
		other.pages[at] = pages
	}
	if len(other.pages) == 0 {
		t.Fatal("there is no offset index")
	}
	b.footers.put(files[0].Key, other, 1)
	if err := sift(&holes{}); err == nil {
		t.Error("nobody saw that the pages have other rows")
	}
	b.footers.put(files[0].Key, ft, 1)
	if err := sift(&holes{}); err != nil {
		t.Errorf("what is whole is not sifted: %v", err)
	}
}

// An offset index that cannot be right is refused.
func TestOffsetIndex(t *testing.T) {
	c := &columnChunk{chunk: objstore.Range{Off: 100, Len: 50}}
	for name, tt := range map[string]struct {
		pages [][3]int64 // offset, length, first row
		right bool
	}{
		"right":              {[][3]int64{{100, 20, 0}, {120, 30, 7}}, true},
		"after a dictionary": {[][3]int64{{110, 10, 0}, {120, 30, 7}}, true},
		"a gap":              {[][3]int64{{100, 19, 0}, {120, 30, 7}}, false},
		"before the chunk":   {[][3]int64{{99, 21, 0}, {120, 30, 7}}, false},
		"behind the chunk":   {[][3]int64{{100, 20, 0}, {120, 31, 7}}, false},
		"short":              {[][3]int64{{100, 20, 0}}, false},
		"no first row":       {[][3]int64{{100, 20, 1}, {120, 30, 7}}, false},
		"no rows":            {[][3]int64{{100, 20, 0}, {120, 30, 0}}, false},
		"more rows":          {[][3]int64{{100, 20, 0}, {120, 30, 10}}, false},
		"no pages":           {nil, false},
	} {
		var index metadata.OffsetIndexBuilder
		for _, p := range tt.pages {
			if err := index.AddPage(p[0], p[2], int32(p[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := index.Finish(0); err != nil {
			t.Fatal(err)
		}
		var raw strings.Builder
		if _, err := index.WriteTo(&raw, nil); err != nil {
			t.Fatal(err)
		}
		pages, err := pagesOf(c, 10, []byte(raw.String()))
		if (err == nil) != tt.right || tt.right && len(pages) != len(tt.pages) {
			t.Errorf("%s: %v, %v", name, pages, err)
		}
	}
	if _, err := pagesOf(c, 10, []byte{0x19, 0xff, 0xff}); err == nil {
		t.Error("bytes that are no index are read")
	}
}
