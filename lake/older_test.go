package lake

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
)

// later is a column that comes with the second version of the decoder.
func later(id int, name string, typ event.Type, fields ...event.Column) event.Column {
	return event.Column{ID: id, Name: name, JSON: name, Type: typ, Fields: fields, Since: 2}
}

// grown is the schema of CloudTrail events with other columns.
func grown(t testing.TB, change func([]event.Column) []event.Column) *layout {
	t.Helper()
	was := event.Schema(event.CloudTrail)
	ts := &event.TableSchema{Kind: was.Kind, Columns: change(slices.Clone(was.Columns))}
	var walk func(c *event.Column, prefix string, parent event.Node, inList bool)
	walk = func(c *event.Column, prefix string, parent event.Node, inList bool) {
		n := event.Node(len(ts.Nodes))
		info := event.NodeInfo{Column: c, Parent: parent, Path: prefix + c.Name, InList: inList, Top: n}
		if prefix == "" {
			info.Parent = n
		} else {
			info.Top = ts.Nodes[parent].Top
		}
		if len(c.Fields) > 0 {
			info.FirstID = n + 1
		}
		ts.Nodes = append(ts.Nodes, info)
		for i := range c.Fields {
			walk(&c.Fields[i], info.Path+".", n, inList || c.Type == event.List)
		}
		ts.Nodes[n].End = event.Node(len(ts.Nodes))
		if info.Path == was.Nodes[was.Text].Path {
			ts.Text = n
		}
	}
	for i := range ts.Columns {
		if c := &ts.Columns[i]; !c.Computed {
			walk(c, "", 0, false)
		}
	}
	lay, err := newLayout(ts)
	if err != nil {
		t.Fatal(err)
	}
	return lay
}

// grownAtTheEnd has columns of every shape behind all others, so that events are decoded as they were.
func grownAtTheEnd(t testing.TB) *layout {
	str := func(id int, name string) event.Column { return later(id, name, event.String) }
	return grown(t, func(columns []event.Column) []event.Column {
		return append(columns, str(900, "added"), later(901, "addedgroup", event.Struct, str(902, "one"), later(903, "two", event.Map, str(904, "key"), str(905, "value"))),
			later(906, "addedlist", event.List, later(907, "element", event.Struct, str(908, "three"))))
	})
}

// plainly writes a row without what came later, which must be NULL.
func plainly(t testing.TB, row any) any {
	t.Helper()
	switch row := row.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range row {
			if !strings.HasPrefix(k, "added") {
				out[k] = plainly(t, v)
			} else if v != nil {
				t.Errorf("%s of an old row is %v", k, v)
			}
		}
		return out
	case []any:
		out := make([]any, len(row))
		for i := range row {
			out[i] = plainly(t, row[i])
		}
		return out
	}
	return row
}

func plainRows(t testing.TB, files ...string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, f := range files {
		for _, row := range stored(t, f) {
			out[fmt.Sprint(plainly(t, row))]++
		}
	}
	return out
}

// Files from before a column was added are checked, planned for, merged and redacted: the column is NULL in their rows.
func TestFilesFromBeforeAColumn(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	rows := dayOfRows(t, 400)
	for n := range 3 {
		b.mustCommit(t, store, rows[100*n:100*(n+1)], int64(n+1))
	}
	lay, was := grownAtTheEnd(t), cloudTrail(t)
	layouts.Store(event.CloudTrail, lay)
	t.Cleanup(func() { layouts.Store(event.CloudTrail, was) })
	b.reopen(t)
	b.compacting(t)
	local := func() (paths []string) {
		p := b.mustPlan(t, store, Predicate{Path: "added", Op: Equal, Values: []Value{{Text: "x"}}}) // the rows' texts may say so
		defer p.Release()
		for _, f := range p.Files {
			paths = append(paths, f.Local)
			c := newChecker(lay, event.CloudTrail, func(*Kept) error { return nil })
			c.version = 2
			if problems, err := c.file(t.Context(), f.Local, f.Rows, nil); err != nil || len(problems) > 0 {
				t.Errorf("%s: %q, %v", f.Key, problems, err)
			}
		}
		if len(p.Files) != p.TableFiles {
			t.Errorf("%d of %d files may hold a value that the rows' texts may tell of", len(p.Files), p.TableFiles)
		}
		return paths
	}
	before := plainRows(t, local()...)
	b.mustCommit(t, store, rows[300:], 4)
	maps.Copy(before, plainRows(t, local()...))
	if n := b.compactFully(t, store); n == 0 {
		t.Fatal("nothing is merged")
	}
	after := local()
	if len(after) != 1 || !maps.Equal(plainRows(t, after...), before) {
		t.Errorf("%d files, whose rows are not those of before", len(after))
	}
	id := rows[7].Event.ID
	erased, err := b.Erase(t.Context(), store, Erasure{EventID: id, Reason: "r", By: "me", At: time.Now(), Dir: t.TempDir()})
	if err != nil || len(erased) != 1 {
		t.Fatal(erased, err)
	}
	if left := plainRows(t, local()...); len(left) != len(before) || maps.Equal(left, before) {
		t.Errorf("%d rows are left of %d", len(left), len(before))
	}
}

// What came later within a column that was there is NULL, and the rest of the column as it was.
func TestMergesFilesFromBeforeAColumn(t *testing.T) {
	lay := grown(t, func(columns []event.Column) []event.Column {
		within := func(c *event.Column, add ...event.Column) {
			c.Fields = append(slices.Clone(c.Fields), add...)
		}
		str := func(id int, name string) event.Column { return later(id, name, event.String) }
		for i := range columns {
			switch c := &columns[i]; c.Name {
			case "useridentity":
				c.Fields = slices.Clone(c.Fields)
				for k := range c.Fields {
					if c.Fields[k].Name == "sessioncontext" {
						within(&c.Fields[k], later(900, "addedmap", event.Map, str(901, "key"), str(902, "value")), later(903, "addedgroup", event.Struct, later(904, "n", event.Long)))
					}
				}
				within(c, str(905, "added"))
			case "resources":
				c.Fields = slices.Clone(c.Fields)
				within(&c.Fields[0], str(906, "added"), later(907, "addedgroup", event.Struct, str(908, "s")))
			}
		}
		return columns
	})
	rng := rand.New(rand.NewPCG(8, 1))
	var files []string
	for range 3 {
		path, _ := encoded(t, cloudTrail(t), randomRows(rng, event.CloudTrail, 80, 1))
		files = append(files, path)
	}
	merged, _ := rewritten(t, lay, 50, files...)
	if !maps.Equal(plainRows(t, merged), plainRows(t, files...)) {
		t.Error("the rows are not those of before")
	}
	// Every column within another tells the same of whether that is there.
	w := newReader(lay)
	s, err := w.openSource(merged, 240)
	if err != nil {
		t.Fatal(err)
	}
	levels := func(path string, level uint8) (out [][]uint8) {
		leaf := slices.IndexFunc(lay.leaves, func(l leaf) bool { return l.path == path })
		err := w.read(t.Context(), s, leaf, everyGroup, func(_ int64, c *cell) error {
			row := slices.Clone(c.defs)
			for i := range row {
				row[i] = min(row[i], level)
			}
			out = append(out, row)
			return nil
		})
		if err != nil {
			t.Fatal(path, err)
		}
		return out
	}
	for path, other := range map[string]string{"useridentity.added": "useridentity.type", "resources.element.added": "resources.element.type", "resources.element.addedgroup.s": "resources.element.arn",
		"useridentity.sessioncontext.addedmap.key": "useridentity.sessioncontext.sourceidentity", "useridentity.sessioncontext.addedgroup.n": "useridentity.sessioncontext.sourceidentity"} {
		level := lay.leaves[slices.IndexFunc(lay.leaves, func(l leaf) bool { return l.path == other })].maxDef - 1
		if got, want := levels(path, level), levels(other, level); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s and %s tell otherwise of what they lie in", path, other)
		}
	}
	// The other way round nothing is known of the columns.
	if _, err := newReader(cloudTrail(t)).openSource(merged, 240); err == nil || !strings.Contains(err.Error(), "none of this version's") {
		t.Error(err)
	}
}

// A row's columns are held against its text as its decoder made them; a version that there is not is told.
func TestDecoderOfRows(t *testing.T) {
	now, next := cloudTrail(t), grownAtTheEnd(t)
	rows := dayOfRows(t, 40)
	untrue := func(lay *layout, sh *shredder) {
		sh.cols[lay.byPath["_conflict"]].nums[3] ^= 1
		sh.cols[lay.byPath["eventtime"]].nums[3]++
	}
	fill := func(lay *layout, sh *shredder) {
		c := &sh.cols[lay.byPath["added"]]
		c.defs[3] = 1
		c.text([]byte("x"))
	}
	group := func(lay *layout, sh *shredder) { sh.cols[lay.byPath["addedgroup.one"]].defs[3] = 1 }
	for name, c := range map[string]struct {
		lay     *layout
		version int64
		decoder int64
		change  func(*layout, *shredder)
		want    string // "": nothing is told
	}{
		"as it is":                     {now, 1, 1, nil, ""},
		"none":                         {now, 1, 0, nil, "row 0: no decoder has version 0"},
		"one to come":                  {now, 1, 2, nil, "row 0: no decoder has version 2"},
		"one to come, and untrue":      {now, 1, 2, untrue, "row 0: no decoder has version 2"},
		"untrue":                       {now, 1, 1, untrue, "row 3 "},
		"an older one":                 {next, 2, 1, nil, ""},
		"an older one, and untrue":     {next, 2, 1, untrue, "row 3 "},
		"an older one, of a column":    {next, 2, 1, fill, "row 3: decoder version 1 filled it, and column added"},
		"an older one, of a group":     {next, 2, 1, group, "row 3: decoder version 1 filled it, and column addedgroup.one"},
		"the newest, without a column": {next, 2, 2, nil, ""},
		"the newest, of a column":      {next, 2, 2, fill, "column added says other than the text"},
	} {
		t.Run(name, func(t *testing.T) {
			index := make([]int32, len(rows))
			for i := range index {
				index[i] = int32(i)
			}
			enc, out := newEncoder(c.lay), new(output)
			enc.take(true)
			if err := enc.sh.shred(rows, index); err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				enc.sh.cols[c.lay.hidden.decoder].nums[i] = c.decoder
			}
			if c.change != nil {
				c.change(c.lay, enc.sh)
			}
			f := enc.begin(out)
			if err := f.group(len(rows), func(i int) (*column, error) { return &enc.sh.cols[i], nil }); err != nil {
				t.Fatal(err)
			}
			if err := f.finish(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "x.parquet")
			if err := os.WriteFile(path, out.buf, 0o600); err != nil {
				t.Fatal(err)
			}
			ch := newChecker(c.lay, event.CloudTrail, func(*Kept) error { return nil })
			ch.version = c.version
			problems, err := ch.file(t.Context(), path, int64(len(rows)), nil)
			if err != nil || c.want == "" && len(problems) > 0 || c.want != "" && !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("want %q, got %q, %v", c.want, problems, err)
			}
		})
	}
}
