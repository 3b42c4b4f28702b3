package engine

import (
	"context"
	"errors"
	"github.com/lochlake/loch/engine/worker"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
)

func TestRelation(t *testing.T) {
	dir := t.TempDir()
	d := newEngine(t, nil)
	files := []File{testFile(t, dir, "a.parquet", 0, 100), testFile(t, dir, "b.parquet", 100, 100)}
	schema := testSchema()
	rel := func(cols ...string) []Relation {
		return []Relation{{Name: "store_0", Schema: schema, Columns: cols, Files: files}}
	}
	tests := []struct {
		name  string
		sql   string
		rels  []Relation
		types []string
		want  [][]string
	}{
		{"columns", "SELECT eventid, eventtime, readonly, params, who FROM store_0 ORDER BY eventtime LIMIT 2", rel("eventid", "eventtime", "readonly", "params", "who"),
			[]string{"varchar", "timestamp(3)", "boolean", "map(varchar, varchar)", "row(arn varchar)"},
			[][]string{{"id-0", "2026-01-01 00:00:00.000", "true", "{n=0, empty=null}", "{arn=arn:aws:iam::1:user/0}"},
				{"id-1", "2026-01-01 01:00:00.000", "false", "{n=1, empty=null}", "{arn=arn:aws:iam::1:user/1}"}}},
		{"no columns", "SELECT count(*) FROM store_0", rel(), []string{"bigint"}, [][]string{{"200"}}},
		{"WITH", "WITH w AS (SELECT eventid FROM store_0) SELECT count(*) FROM w ORDER BY 1", rel("eventid"), []string{"bigint"}, [][]string{{"200"}}},
		{"WITH RECURSIVE", "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT max(i), (SELECT count(eventid) FROM store_0) FROM n", rel("eventid"), []string{"integer", "bigint"}, [][]string{{"3", "200"}}},
		{"checksum", "SELECT eventjsonchecksum = to_base64(unhex(sha256(eventjson))), length(eventjsonchecksum) FROM store_0 LIMIT 1", rel("eventjsonchecksum", "eventjson"),
			[]string{"boolean", "bigint"}, [][]string{{"true", "44"}}},
		{"no files", "SELECT eventid, params FROM store_0", []Relation{{Name: "store_0", Schema: schema, Columns: []string{"eventid", "params"}}},
			[]string{"varchar", "map(varchar, varchar)"}, nil},
		{"retention", "SELECT count(*) FROM store_0", []Relation{{Name: "store_0", Schema: schema, Files: files,
			NotBefore: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixMicro()}}, []string{"bigint"}, [][]string{{"104"}}},
		{"two relations", "SELECT count(*) FROM store_0 a JOIN store_1 b USING (eventid)", []Relation{{Name: "store_0", Schema: schema, Columns: []string{"eventid"}, Files: files},
			{Name: "store_1", Schema: schema, Columns: []string{"eventid"}, Files: files[:1]}}, []string{"bigint"}, [][]string{{"100"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := Job{SQL: tt.sql, Relations: tt.rels}
			for _, ty := range tt.types {
				job.Columns = append(job.Columns, Column{Type: ty})
			}
			rows, stats, err := answer(t, d, job)
			if err != nil {
				t.Fatal(err, errors.Unwrap(err))
			}
			if !slices.EqualFunc(rows, tt.want, slices.Equal) {
				t.Errorf("got %q, want %q", rows, tt.want)
			}
			t.Logf("%+v", stats)
		})
	}
}

// A column added to the schema later answers for old events too, from their text.
func TestColumnAddedLater(t *testing.T) {
	dir := t.TempDir()
	d := newEngine(t, nil)
	str := func(id int, name, json string) event.Column {
		return event.Column{ID: id, Name: name, JSON: json, Type: event.String, Since: 2}
	}
	schema := testSchema(str(20, "added", "added"),
		event.Column{ID: 21, Name: "flag", JSON: "flag", Type: event.Boolean, Since: 2},
		event.Column{ID: 22, Name: "when", JSON: "when", Type: event.Timestamp, Since: 2},
		event.Column{ID: 23, Name: "more", JSON: "more", Type: event.Map, Since: 2, Fields: []event.Column{str(24, "key", ""), str(25, "value", "")}},
		event.Column{ID: 26, Name: "list", JSON: "list", Type: event.List, Since: 2, Fields: []event.Column{{ID: 27, Name: "element", Type: event.Struct, Since: 2,
			Fields: []event.Column{str(28, "type", "type"), str(29, "arn", "arn")}}}})
	for i := range schema.Columns {
		if c := &schema.Columns[i]; c.Name == "who" {
			c.Fields = append(slices.Clone(c.Fields), str(30, "role", "role"))
		}
	}
	old := testFile(t, dir, "old.parquet", 0, 2)
	duck(t, `COPY (SELECT 'id-new' AS eventid, TIMESTAMP '2026-06-01' AS eventtime, 'given' AS added, true AS flag, TIMESTAMP '2026-06-02' AS "when",
		MAP {'k': 'v'} AS more, [{'type': 'new', 'arn': 'n'}] AS list, {'arn': 'me', 'role': 'newrole'} AS who, '{}' AS eventjson, 2 AS _decoder)
		TO `+worker.Quote(dir+"/new.parquet")+` (FORMAT parquet, FIELD_IDS {eventid: 1, eventtime: 2, added: 20, flag: 21, "when": 22, more: {__duckdb_field_id: 23, key: 24, value: 25},
		list: {__duckdb_field_id: 26, element: {__duckdb_field_id: 27, type: 28, arn: 29}}, who: {__duckdb_field_id: 7, arn: 8, role: 30}, eventjson: 10, _decoder: 1001})`)
	files := []File{old, {Key: "new", Rows: 1, Local: dir + "/new.parquet", Decoder: 2}}
	job := Job{SQL: `SELECT eventid, added, flag, "when", more, list, who FROM s ORDER BY eventid`,
		Relations: []Relation{{Name: "s", Schema: schema, Columns: []string{"eventid", "added", "flag", "when", "more", "list", "who"}, Files: files}},
		Columns: []Column{{Type: "varchar"}, {Type: "varchar"}, {Type: "boolean"}, {Type: "timestamp(3)"}, {Type: "map(varchar, varchar)"},
			{Type: "array(row(type varchar, arn varchar))"}, {Type: "row(arn varchar, role varchar)"}}}
	rows, _, err := answer(t, d, job)
	if err != nil {
		t.Fatal(err, errors.Unwrap(err))
	}
	text := `{x=1, deep={"y":[1,2]}, no=null, q"k=v.w}`
	want := [][]string{
		{"id-0", "a0", "true", "2026-02-03 04:05:06.000", text, "[{type=t, arn=null}, {type=null, arn=z}]", "{arn=arn:aws:iam::1:user/0, role=r0}"},
		{"id-1", "a1", "false", "2026-02-03 04:05:06.000", text, "[{type=t, arn=null}, {type=null, arn=z}]", "{arn=arn:aws:iam::1:user/1, role=r1}"},
		{"id-new", "given", "true", "2026-06-02 00:00:00.000", "{k=v}", "[{type=new, arn=n}]", "{arn=me, role=newrole}"},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("got  %q\nwant %q", rows, want)
	}
}

func TestCancelFreesEverything(t *testing.T) {
	d := newEngine(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	job := Job{SQL: "SELECT range FROM range(100000000000)", Columns: []Column{{Type: "bigint"}}}
	rows := 0
	_, err := d.Run(ctx, job, func([]Value) error { // by itself it would end in hours
		if rows++; rows == 10_000 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := onlySpares(d); err != nil {
		t.Error(err)
	}
}

// onlySpares tells whether no directory of a finished query is left.
func onlySpares(d *DuckDB) error {
	for range 100 { // a spare may be starting
		entries, err := os.ReadDir(d.cfg.TempDir)
		if err != nil || len(entries) <= d.cfg.Spare+1 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("directories are left")
}

func TestTimeLimit(t *testing.T) {
	d := newEngine(t, nil)
	_, err := d.Run(context.Background(), Job{SQL: "SELECT count(*) FROM range(10000000000) a, range(1000000000) b", Columns: []Column{{Type: "bigint"}},
		Limits: Limits{Time: 50 * time.Millisecond}}, func([]Value) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestSinkErrorEndsTheRun(t *testing.T) {
	d := newEngine(t, nil)
	stop := errors.New("enough")
	_, err := d.Run(context.Background(), Job{SQL: "SELECT * FROM range(100000000)", Columns: []Column{{Type: "bigint"}}}, func([]Value) error { return stop })
	if err != stop {
		t.Fatalf("got %v", err)
	}
}

func TestKilledChildIsOneFailedQuery(t *testing.T) {
	d := newEngine(t, nil)
	r := run{d: d, job: Job{SQL: "SELECT * FROM range(100000000)", Columns: []Column{{Type: "bigint"}}}}
	r.job.Limits = Limits{Memory: defaultMemory, Threads: 1, Temp: defaultTemp}
	killed := false
	r.sink = func([]Value) error {
		if !killed {
			killed = true
			return syscall.Kill(r.child.pid(), syscall.SIGKILL)
		}
		return nil
	}
	_, err := r.run(context.Background())
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Crashed {
		t.Fatalf("got %v", err)
	}
	if rows, err := ask(t, d, "SELECT 1", "integer"); err != nil || rows[0][0] != "1" {
		t.Fatal(rows, err)
	}
}

func TestDeadSpareIsPassedOver(t *testing.T) {
	d := newEngine(t, nil)
	d.stop() // no other takes its place
	d.wg.Wait()
	for len(d.spares) > 0 {
		(<-d.spares).end()
	}
	c, err := d.start()
	if err != nil {
		t.Fatal(err)
	}
	c.kill()
	for c.alive() {
		time.Sleep(time.Millisecond)
	}
	d.spares <- c
	got, err := d.take()
	if err != nil {
		t.Fatal(err)
	}
	if got == c {
		t.Error("a dead spare was taken")
	}
	got.end()
}

func TestMemoryLimit(t *testing.T) {
	d := newEngine(t, nil)
	for _, tt := range []struct {
		sql    string
		limits Limits
	}{
		{"SELECT length(string_agg(repeat('x', 1000), '')) FROM range(1000000)", Limits{Memory: 64 << 20, Temp: 1 << 30}},
		{"SELECT count(*) FROM (SELECT DISTINCT md5(range::VARCHAR) FROM range(20000000))", Limits{Memory: 64 << 20, Temp: 10 << 20, Threads: 2}},
	} {
		_, _, err := answer(t, d, Job{SQL: tt.sql, Columns: []Column{{Type: "bigint"}}, Limits: tt.limits})
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Resources {
			t.Errorf("%s: got %v, %v", tt.sql, err, errors.Unwrap(err))
		} else {
			t.Log(err, "|", e.Err)
		}
	}
}

func TestErrorsTellWhatIsTheCallers(t *testing.T) {
	d := newEngine(t, nil)
	for _, tt := range []struct{ sql, want string }{
		{"SELECT error('Division by zero')", "Division by zero."},
		{"SELECT 'abc'::INTEGER", "Could not convert string 'abc' to integer."},
		{"SELECT i::INTEGER FROM (SELECT 'x' || range AS i FROM range(5))", "Could not convert string 'x0' to integer."},
		{"SELECT 9223372036854775807 + range::BIGINT FROM range(2)", "Overflow in addition of bigint (9223372036854775807 + 1)!"},
		{"SELECT nothing FROM nowhere", "The query engine could not run the statement."},
		{"SELECT 1 2", "The query engine could not run the statement."},
		{"SELECT 300::BIGINT", "A value of the answer is out of the range of its type."},
		{"SELECT 'a'", "The query engine could not run the statement."},
	} {
		_, err := ask(t, d, tt.sql, "tinyint")
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v (%v), want %s", tt.sql, err, errors.Unwrap(err), tt.want)
		}
	}
}

func TestBackPressure(t *testing.T) {
	d := newEngine(t, nil)
	var pid, peak int
	n := 0
	r := run{d: d, job: Job{SQL: "SELECT repeat('x', 1000) || range FROM range(300000)", Columns: []Column{{Type: "varchar"}},
		Limits: Limits{Memory: defaultMemory, Threads: 2, Temp: defaultTemp}}}
	r.sink = func(v []Value) error {
		pid = r.child.pid()
		if n++; n%10_000 == 1 { // not at the last, when the child may have ended
			peak = max(peak, resident(t, pid))
		}
		return nil
	}
	if _, err := r.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n != 300_000 {
		t.Errorf("%d rows", n)
	}
	if peak > 250<<20 { // the answer is 300 MB
		t.Errorf("the child took %d MB", peak>>20)
	}
	t.Logf("peak %d MB", peak>>20)
}

// resident is a process's memory in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	pages := 0
	for _, c := range strings.Fields(string(b))[1] {
		pages = pages*10 + int(c-'0')
	}
	return pages * os.Getpagesize()
}
