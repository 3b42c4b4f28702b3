package lake

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lochlake/loch/event"
)

const hour = int64(3_600_000_000)

// tenFiles commits ten files of 100 rows, an hour apart, in ten commits.
func tenFiles(t *testing.T) (*bed, string) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	for f := range 10 {
		var rows []Row
		for i := range 100 {
			rows = append(rows, sparseRow(f*100+i, day0+int64(f)*hour+int64(i)))
		}
		b.mustCommit(t, store, rows, int64(f+1))
	}
	return b, store
}

func TestPlanPrunes(t *testing.T) {
	b, store := tenFiles(t)
	text := func(s ...string) (v []Value) {
		for _, x := range s {
			v = append(v, Value{Text: x})
		}
		return v
	}
	num := func(n int64) []Value { return []Value{{Num: n}} }
	at := func(file, i int) int64 { return day0 + int64(file)*hour + int64(i) }
	id := func(n int) string { return sparseRow(n, 0).Event.ID }
	arn := func(n int) string { return fmt.Sprintf("arn:aws:iam::111122223333:user/person-%d", n) }
	for _, c := range []struct {
		name  string
		preds []Predicate
		files int
	}{
		{"nothing asked", nil, 10},
		{"time equal", []Predicate{{"eventtime", Equal, num(at(3, 50))}}, 1},
		{"time equal, between files", []Predicate{{"eventtime", Equal, num(at(3, 5000))}}, 0},
		{"time from", []Predicate{{"eventTime", GreaterEqual, num(at(7, 0))}}, 3},
		{"time after the last of a file", []Predicate{{"eventtime", Greater, num(at(7, 100))}}, 2},
		{"time below", []Predicate{{"eventtime", Less, num(at(2, 0))}, {"eventtime", GreaterEqual, num(at(1, 0))}}, 1},
		{"time between", []Predicate{{"eventtime", LessEqual, num(at(5, 99))}, {"eventtime", GreaterEqual, num(at(4, 0))}}, 2},
		{"another day", []Predicate{{"eventtime", GreaterEqual, num(day0 + 24*hour)}}, 0},
		{"id by bloom filter", []Predicate{{"eventid", Equal, text(id(423))}}, 1},
		{"two ids", []Predicate{{"eventid", Equal, text(id(1), id(999))}}, 2},
		{"no such id", []Predicate{{"eventid", Equal, text("nothing")}}, 0},
		{"nested", []Predicate{{"useridentity.arn", Equal, text(arn(555))}}, 1},
		{"nested, case of the path", []Predicate{{"userIdentity.ARN", Equal, text(arn(555))}}, 1},
		{"starts with", []Predicate{{"eventid", StartsWith, text("000001a7")}}, 1},
		{"starts with what none does", []Predicate{{"eventid", StartsWith, text("x")}}, 0},
		{"starts with less than a bound has", []Predicate{{"useridentity.arn", StartsWith, text("arn:")}}, 10},
		{"column that is NULL everywhere", []Predicate{{"errorcode", Equal, text("AccessDenied")}}, 0},
		{"not null", []Predicate{{"errorcode", NotNull, nil}}, 0},
		{"not null, but there", []Predicate{{"eventid", NotNull, nil}}, 10},
		{"unknown column", []Predicate{{"nosuch.column", Equal, text("x")}}, 10},
		{"a map's value has no bounds", []Predicate{{"requestparameters.value", Equal, text("x")}}, 10},
		{"no value equals", []Predicate{{"eventid", Equal, nil}}, 0},
		{"hidden column", []Predicate{{"_sequence", Greater, num(899)}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := b.mustPlan(t, store, c.preds...)
			if len(p.Files) != c.files || p.TableFiles != 10 || p.TableRows != 1000 || p.Rows != int64(100*c.files) {
				t.Errorf("planned %d files of %d rows, of %d files and %d rows in all; want %d files", len(p.Files), p.Rows, p.TableFiles, p.TableRows, c.files)
			}
		})
	}
}

// Whatever is asked, no file is left out that holds a row which fulfils it.
// The newest events come first, across days and within one.
func TestPlanIsNewestFirst(t *testing.T) {
	b, store := tenFiles(t)
	for f := range 5 {
		b.mustCommit(t, store, []Row{sparseRow(2000+f, day0+int64(f*7%5-2)*24*hour)}, int64(20+f))
	}
	p, err := b.Plan(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	last := int64(math.MaxInt64)
	s, err := b.table(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files {
		i := slices.IndexFunc(s.live.files, func(d *dataFile) bool { return d.Key == f.Key })
		at := s.live.files[i].oldest(s.layout)
		if at > last {
			t.Errorf("a file from %d comes after one from %d", at, last)
		}
		last = at
	}
	if len(p.Files) != 15 {
		t.Errorf("%d files", len(p.Files))
	}
}

func TestPlanKeepsMatches(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	rng := rand.New(rand.NewPCG(4, 4))
	var all []Row
	for f := range 12 {
		rows := randomRows(rng, event.CloudTrail, 1+rng.IntN(40), 2)
		all = append(all, rows...)
		b.mustCommit(t, store, rows, int64(f+1))
	}
	lay, err := layoutOf(event.Schema(event.CloudTrail))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for p, i := range lay.byPath {
		if !lay.leaves[i].col.Hidden && p != "eventtime" && p != "eventjson" {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	inFile := func(p *Plan) map[string]bool {
		texts := map[string]bool{}
		for _, f := range p.Files {
			for _, row := range cachedRows(t, f.Local) {
				texts[row] = true
			}
		}
		return texts
	}
	rapid.Check(t, func(rt *rapid.T) {
		path := rapid.SampledFrom(paths).Draw(rt, "path")
		lf := &lay.leaves[lay.byPath[path]]
		row := rapid.SampledFrom(all).Draw(rt, "row")
		f, num, ok := row.Event.Value(lf.node)
		v := Value{Text: string(f), Num: num}
		if !ok {
			return
		}
		op := rapid.SampledFrom([]Op{Equal, LessEqual, GreaterEqual, StartsWith, NotNull}).Draw(rt, "op")
		if op == StartsWith {
			v.Text = v.Text[:rapid.IntRange(0, len(v.Text)).Draw(rt, "prefix")]
		}
		plan, err := b.Plan(t.Context(), store, []Predicate{{path, op, []Value{v}}})
		if err != nil {
			rt.Fatal(err)
		}
		defer plan.Release()
		if !inFile(plan)[string(row.Event.Text)] {
			rt.Fatalf("%s op %d %q/%d: the row's file is left out", path, op, v.Text, v.Num)
		}
	})
}

var rowTexts = map[string][]string{}

func cachedRows(t *testing.T, path string) []string {
	if _, ok := rowTexts[path]; !ok {
		for _, r := range stored(t, path) {
			rowTexts[path] = append(rowTexts[path], r["eventjson"].(string))
		}
	}
	return rowTexts[path]
}

func TestBoundsHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune{'a', '\u07ff', '\ud7ff', '\ue000', '\uffff', utf8.MaxRune}), 0, 80, -1)).Draw(rt, "s")
		lo, hi := lowerBound([]byte(s)), upperBound([]byte(s))
		if lo == nil || string(lo) > s || utf8.RuneCount(lo) > boundChars || !utf8.Valid(lo) {
			rt.Fatalf("lower bound %q of %q", lo, s)
		}
		if hi != nil && (string(hi) < s || utf8.RuneCount(hi) > boundChars || !utf8.Valid(hi)) {
			rt.Fatalf("upper bound %q of %q", hi, s)
		}
		if hi == nil && strings.Trim(string(cut([]byte(s))), string(utf8.MaxRune)) != "" {
			rt.Fatalf("no upper bound of %q", s)
		}
	})
	if lowerBound([]byte{0xff}) != nil || upperBound([]byte{'a', 0xff}) != nil {
		t.Error("a text that is not UTF-8 has a bound")
	}
}

// Every value that went into a filter is found; few others are.
func TestBloom(t *testing.T) {
	b, store := tenFiles(t)
	p := b.mustPlan(t, store)
	var rows []Row
	for i := range 1000 {
		rows = append(rows, sparseRow(i, 0))
	}
	wrong := 0
	for _, f := range p.Files {
		there := map[string]bool{}
		for _, r := range stored(t, f.Local) {
			there[r["eventid"].(string)] = true
		}
		for _, path := range []string{"eventid", "sourceipaddress", "useridentity.accesskeyid", "useridentity.arn"} {
			filters, err := b.bloom(t.Context(), f, path)
			if err != nil || len(filters) != 1 {
				t.Fatalf("file %s: filter of %s: %v", f.Key, path, err)
			}
			node := event.Schema(event.CloudTrail).Must(path)
			for i := range rows {
				v, _, _ := rows[i].Event.Value(node)
				has := bloomHas(filters[0], bloomHash(string(v)))
				if there[rows[i].Event.ID] && !has {
					t.Fatalf("file %s: the filter of %s lacks %s", f.Key, path, v)
				}
				if !there[rows[i].Event.ID] && has {
					wrong++
				}
			}
		}
	}
	if wrong > 40*1000/20 {
		t.Errorf("%d of %d absent values seem to be there", wrong, 36000)
	}
	if _, err := bloomBits([]byte{0x15, 0x40}); err == nil {
		t.Error("a filter without bits passes")
	}
	if _, err := bloomBits(append([]byte{0x25, 0x40}, make([]byte, 32)...)); err == nil {
		t.Error("an unknown header passes")
	}
}

func TestRanges(t *testing.T) {
	b, store := tenFiles(t)
	f := b.mustPlan(t, store).Files[0]
	whole, err := os.ReadFile(f.Local)
	if err != nil {
		t.Fatal(err)
	}
	var every []string
	for _, c := range event.Schema(event.CloudTrail).Columns {
		every = append(every, c.Name)
	}
	for _, c := range []struct {
		columns []string
		most    int64
	}{{nil, f.Size}, {[]string{"EventID"}, f.Size}, {every, f.Size}} {
		b.footers.remove(f.Key)
		ranges, err := b.Ranges(t.Context(), f, c.columns)
		if err != nil {
			t.Fatal(err)
		}
		total, end := int64(0), int64(-1)
		for _, r := range ranges {
			if r.Off <= end || r.Len <= 0 || r.Off+r.Len > f.Size {
				t.Fatalf("ranges %v of %d bytes", ranges, f.Size)
			}
			end = r.Off + r.Len
			total += r.Len
		}
		if ranges[0].Off != 0 || end != int64(len(whole)) || total > c.most {
			t.Errorf("%v: ranges %v of %d bytes", c.columns, ranges, f.Size)
		}
	}
	if _, err := b.Ranges(t.Context(), File{Key: "nowhere", Size: 100}, nil); err == nil {
		t.Error("ranges of a file that is not there")
	}
}

func TestPlanOfNothing(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.Activity)
	p := b.mustPlan(t, store)
	if len(p.Files) != 0 || p.Snapshot != 0 || p.Schema.Kind != event.Activity {
		t.Errorf("plan of an empty table: %+v", p)
	}
	p.Release()
	p.Release()
	if _, err := b.Plan(t.Context(), "7f6d8a0e-0000-4000-8000-000000000000", nil); !errors.Is(err, ErrNoTable) {
		t.Errorf("plan of no table: %v", err)
	}
}
