package engine

import (
	"context"
	"github.com/lochlake/loch/engine/worker"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"github.com/lochlake/loch/event"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == parentArgument {
		beParent()
	}
	os.Exit(m.Run())
}

// newEngine starts an engine that ends with the test.
func newEngine(t testing.TB, f Fetcher) *DuckDB {
	t.Helper()
	d, err := NewDuckDB(Config{TempDir: filepath.Join(t.TempDir(), "engine"), Spare: 1, Fetcher: f, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// answer runs a statement and gives its rows, NULL as "<null>".
func answer(t testing.TB, d *DuckDB, job Job) ([][]string, Stats, error) {
	t.Helper()
	var rows [][]string
	stats, err := d.Run(context.Background(), job, func(vals []Value) error {
		row := make([]string, len(vals))
		for i, v := range vals {
			row[i] = string(v.Text)
			if v.Null {
				row[i] = "<null>"
			}
		}
		rows = append(rows, row)
		return nil
	})
	return rows, stats, err
}

// ask is answer for a statement without relations.
func ask(t testing.TB, d *DuckDB, sql string, types ...string) ([][]string, error) {
	t.Helper()
	job := Job{SQL: sql}
	for _, ty := range types {
		job.Columns = append(job.Columns, Column{Type: ty})
	}
	rows, _, err := answer(t, d, job)
	return rows, err
}

// duck runs statements in a DuckDB of the test's own, to make files.
func duck(t testing.TB, stmts ...string) {
	t.Helper()
	var db duckdb.Database
	var conn duckdb.Connection
	if duckdb.Open(":memory:", &db) == duckdb.StateError || duckdb.Connect(db, &conn) == duckdb.StateError {
		t.Fatal("DuckDB did not open")
	}
	defer duckdb.Close(&db)
	defer duckdb.Disconnect(&conn)
	for _, s := range stmts {
		var res duckdb.Result
		if duckdb.Query(conn, s, &res) == duckdb.StateError {
			t.Fatalf("%s: %s", s, duckdb.ResultError(&res))
		}
		duckdb.DestroyResult(&res)
	}
}

// testSchema is a small schema: with extra columns that a later decoder added.
func testSchema(extra ...event.Column) *event.TableSchema {
	s := &event.TableSchema{Kind: event.CloudTrail, Columns: []event.Column{
		{ID: 1, Name: "eventid", JSON: "eventID", Type: event.String, Since: 1},
		{ID: 2, Name: "eventtime", JSON: "eventTime", Type: event.Timestamp, Since: 1},
		{ID: 3, Name: "readonly", JSON: "readOnly", Type: event.Boolean, Since: 1},
		{ID: 4, Name: "params", JSON: "params", Type: event.Map, Since: 1, Fields: []event.Column{{ID: 5, Name: "key", Type: event.String, Since: 1}, {ID: 6, Name: "value", Type: event.String, Since: 1}}},
		{ID: 7, Name: "who", JSON: "who", Type: event.Struct, Since: 1, Fields: []event.Column{{ID: 8, Name: "arn", JSON: "arn", Type: event.String, Since: 1}}},
		{ID: 10, Name: "eventjson", Type: event.String, Since: 1},
		{Name: "eventjsonchecksum", Type: event.String, Computed: true},
	}}
	s.Columns = append(s.Columns, extra...)
	s.Columns = append(s.Columns, event.Column{ID: 1001, Name: "_decoder", Type: event.Int, Hidden: true, Since: 1})
	for i := range s.Columns {
		if c := &s.Columns[i]; !c.Computed {
			if c.Name == "eventjson" {
				s.Text = event.Node(len(s.Nodes))
			}
			s.Nodes = append(s.Nodes, event.NodeInfo{Column: c, Path: c.Name})
		}
	}
	return s
}

// testFile writes n events, one an hour from 2026-01-01, ids beginning at from.
func testFile(t testing.TB, dir, name string, from, n int) File {
	t.Helper()
	path := filepath.Join(dir, name)
	duck(t, `COPY (SELECT 'id-' || i AS eventid, TIMESTAMP '2026-01-01' + to_hours(i) AS eventtime, i % 2 = 0 AS readonly,
		MAP {'n': i::VARCHAR, 'empty': NULL} AS params, {'arn': 'arn:aws:iam::1:user/' || i} AS who,
		'{"eventID":"id-' || i || '","added":"a' || i || '","flag":' || (i % 2 = 0) || ',"when":"2026-02-03T04:05:06Z","more":{"x":"1","deep":{"y":[1,2]},"no":null,"q\"k":"v.w"},"who":{"arn":"arn:aws:iam::1:user/' || i || '","role":"r' || i || '"},"list":[{"type":"t"},{"arn":"z"}]}' AS eventjson,
		1 AS _decoder FROM range(`+strconv.Itoa(from)+`, `+strconv.Itoa(from+n)+`) t(i)) TO `+worker.Quote(path)+` (FORMAT parquet, FIELD_IDS {eventid: 1, eventtime: 2, readonly: 3,
		params: {__duckdb_field_id: 4, key: 5, value: 6}, who: {__duckdb_field_id: 7, arn: 8}, eventjson: 10, _decoder: 1001})`)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return File{Key: name, Size: st.Size(), Rows: int64(n), Local: path, Decoder: 1}
}
