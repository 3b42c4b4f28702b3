package functions

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// open is a DuckDB with some threads, and what answers its calls.
func open(t testing.TB) duckdb.Connection {
	var db duckdb.Database
	var conn duckdb.Connection
	var config duckdb.Config
	var problem string
	duckdb.CreateConfig(&config)
	duckdb.SetConfig(config, "threads", "3")
	if duckdb.OpenExt(":memory:", &db, config, &problem) == duckdb.StateError || duckdb.Connect(db, &conn) == duckdb.StateError {
		t.Fatal("open DuckDB", problem)
	}
	stop := Serve(3)
	t.Cleanup(func() {
		duckdb.Disconnect(&conn)
		duckdb.Close(&db)
		duckdb.DestroyConfig(&config)
		stop()
	})
	return conn
}

// ask gives the first row's only value, where it is a varchar, or the error's first line.
func ask(t testing.TB, conn duckdb.Connection, sql string) string {
	t.Helper()
	if err := Register(conn, sql); err != nil {
		t.Fatal(err)
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.Query(conn, sql, &res) == duckdb.StateError {
		line, _, _ := strings.Cut(duckdb.ResultError(&res), "\n")
		return line
	}
	if duckdb.ColumnType(&res, 0) != duckdb.TypeVarchar {
		return ""
	}
	chunk := duckdb.FetchChunk(res)
	defer duckdb.DestroyDataChunk(&chunk)
	v := duckdb.DataChunkGetVector(chunk, 0)
	x := Value{&vector{typ: &typ{kind: varchar}, data: duckdb.VectorGetData(v), valid: duckdb.VectorGetValidity(v)}, 0}
	if x.Null() {
		return "NULL"
	}
	return string(append([]byte(nil), x.Bytes()...))
}

func init() { families = append(families, tests) }

// tests are functions that only the tests have.
func tests(d definer) {
	d.failing("loch_test_length(varchar) bigint", func(a Row, r *Result) error {
		if a.At(0).Text() == "bad" {
			return errors.New("bad value")
		}
		r.Int(int64(len(a.At(0).Bytes())))
		return nil
	})
	var calls atomic.Int64
	d.define("loch_test_count(bigint) bigint", func(_ Row, r *Result) { r.Int(calls.Add(1)) }).volatile = true
	d.define("loch_test_null(bigint) boolean", func(a Row, r *Result) { r.Bool(a.At(0).Null()) }).nulls = true
	for name := range kinds {
		if name != "array" && name != "map" {
			d.define("loch_test_"+name+"("+name+") "+name, func(a Row, r *Result) { echo(a.At(0), r) })
		}
	}
	d.define("loch_test_array(array(varchar)) array(varchar)", func(a Row, r *Result) { echo(a.At(0), r) })
	d.define("loch_test_map(map(varchar, double)) map(varchar, double)", func(a Row, r *Result) { echo(a.At(0), r) })
	d.define("loch_test_multimap(map(varchar, array(bigint))) map(varchar, array(bigint))", func(a Row, r *Result) { echo(a.At(0), r) })
	d.failing("loch_test_failing_array(array(array(bigint))) array(array(bigint))", func(a Row, r *Result) error {
		if a.At(0).Len() == 0 {
			return errors.New("it's empty")
		}
		echo(a.At(0), r)
		return nil
	})
}

// echo makes a result of a value.
func echo(x Value, r *Result) {
	if x.Null() {
		r.Null()
		return
	}
	switch x.v.typ.kind {
	case boolean:
		r.Bool(x.Bool())
	case real, double:
		r.Double(x.Double())
	case varchar, varbinary:
		r.Bytes(x.Bytes())
	case array:
		r.Begin()
		for i := range x.Len() {
			echo(x.Elem(i), r.Elem())
		}
		r.End()
	case mapping:
		r.Begin()
		for i := range x.Len() {
			k, v := x.Entry(i)
			toK, toV := r.Entry()
			echo(k, toK)
			echo(v, toV)
		}
		r.End()
	default:
		r.Int(x.Int())
	}
}

// value writes a failing function's call as the dialect does.
func value(call, typ string) string {
	return "struct_extract(CAST(" + call + " AS STRUCT(v " + typ + ", e INTEGER)), 'v')"
}

func TestValues(t *testing.T) {
	conn := open(t)
	for typ, values := range map[string][]string{
		"boolean": {"true", "false"}, "tinyint": {"(-128)::TINYINT", "127::TINYINT"}, "smallint": {"(-32768)::SMALLINT"}, "integer": {"(-2147483648)::INTEGER"},
		"bigint": {"9223372036854775807"}, "real": {"1.5::FLOAT", "'NaN'::FLOAT"}, "double": {"1e300", "'-Infinity'::DOUBLE"}, "varchar": {"''", "'twelve bytes'", "'thirteen byte'", "'日本' || chr(0)"},
		"varbinary": {"''::BLOB", "'\\xFF\\x00'::BLOB", "'\\x00longer than twelve\\xFF'::BLOB"}, "date": {"DATE '1900-02-28'"}, "timestamp": {"TIMESTAMP '2026-01-01 00:00:00.123456'"},
		"array":         {"[]::VARCHAR[]", "['a', NULL, 'a text that is longer']", "list_transform(range(500), lambda i: CASE WHEN i % 3 > 0 THEN i::VARCHAR END)"},
		"map":           {"map([], [])::MAP(VARCHAR, DOUBLE)", "map(['a', 'b'], [1.5::DOUBLE, NULL])"},
		"multimap":      {"map(['a', 'b', 'c'], [[1], [], NULL])::MAP(VARCHAR, BIGINT[])", "map(list_transform(range(100), lambda i: i::VARCHAR), list_transform(range(100), lambda i: range(i)))"},
		"failing_array": {"[[1], NULL, [2, NULL, 3]]::BIGINT[][]", "list_transform(range(70), lambda i: range(i))"},
	} {
		for _, v := range append(values, "NULL") {
			call := "loch_test_" + typ + "(x)"
			if typ == "failing_array" {
				call = value(call, "BIGINT[][]")
			}
			// the value alone, and in every second row of more than a chunk
			for _, from := range []string{"(SELECT " + v + " AS x)", "(SELECT CASE WHEN i % 2 = 0 THEN " + v + " END AS x FROM range(3000) t(i))"} {
				sql := "SELECT (count(*) FILTER (WHERE " + call + " IS DISTINCT FROM x))::VARCHAR || ' ' || (count(" + call + ") = count(x))::VARCHAR FROM " + from
				if got := ask(t, conn, sql); got != "0 true" {
					t.Errorf("%s: %s", sql, got)
				}
			}
		}
	}
	if got := ask(t, conn, "SELECT loch_test_null(NULL)::VARCHAR || loch_test_null(1)::VARCHAR"); got != "truefalse" {
		t.Error("NULLs:", got)
	}
	if got := ask(t, conn, "SELECT (max(n) - min(n))::VARCHAR FROM (SELECT loch_test_count(1) AS n FROM range(5000))"); got != "4999" {
		t.Error("a volatile function over a constant:", got)
	}
}

// A row that no one asks for never fails a statement, though DuckDB computes whole dictionaries and both sides of a CASE.
func TestErrorsOfWantedRowsOnly(t *testing.T) {
	conn := open(t)
	file := filepath.Join(t.TempDir(), "a.parquet")
	for _, s := range []string{"CREATE TABLE t AS SELECT CASE WHEN i % 5 = 0 THEN 'bad' ELSE 'good' || (i % 7) END AS s, i FROM range(10000) t(i)", "COPY t TO '" + file + "' (FORMAT parquet)"} {
		if got := ask(t, conn, s); got != "" {
			t.Fatal(got)
		}
	}
	length := value("loch_test_length(s)", "BIGINT")
	const failure = "Conversion Error: Could not convert string 'loch: bad value' to INT32"
	for _, table := range []string{"t", "'" + file + "'"} {
		for sql, want := range map[string]string{
			"SELECT sum(" + length + ")::VARCHAR FROM " + table:                                                                                  failure,
			"SELECT sum(" + length + ")::VARCHAR FROM " + table + " WHERE s <> 'bad'":                                                            "40000",
			"SELECT sum(" + length + ")::VARCHAR FROM " + table + " WHERE s <> 'bad' AND " + length + " > 4":                                     "40000",
			"SELECT count(*)::VARCHAR FROM " + table + " WHERE s <> 'bad' AND " + length + " > 4 AND s LIKE 'g%'":                                "8000",
			"SELECT sum(TRY(" + length + "))::VARCHAR FROM " + table:                                                                             "40000",
			"SELECT count(*)::VARCHAR FROM " + table + " WHERE TRY(" + length + ") IS NULL":                                                      "2000",
			"SELECT sum(CASE WHEN s = 'bad' THEN 0 ELSE " + length + " END)::VARCHAR FROM " + table:                                              "40000",
			"SELECT sum(CASE WHEN s <> 'bad' THEN " + length + " END)::VARCHAR FROM " + table + " WHERE i < 1000":                                "4000",
			"SELECT sum(CASE WHEN i < 0 THEN " + value("loch_test_length('bad')", "BIGINT") + " ELSE 1 END)::VARCHAR FROM " + table:              "10000",
			"SELECT sum(list_sum(list_transform(CASE WHEN s = 'bad' THEN [] ELSE [s, s] END, lambda s: " + length + ")))::VARCHAR FROM " + table: "80000",
		} {
			if got := ask(t, conn, sql); got != want {
				t.Errorf("%s: %s", sql, got)
			}
		}
	}
	for sql, want := range map[string]string{
		"SELECT " + value("loch_test_length('bad')", "BIGINT") + "::VARCHAR":                                            failure,
		"SELECT TRY(" + value("loch_test_length('bad')", "BIGINT") + ")::VARCHAR":                                       "NULL",
		"SELECT coalesce(1, " + value("loch_test_length('bad')", "BIGINT") + ")::VARCHAR":                               "1",
		"SELECT " + value("loch_test_failing_array([]::BIGINT[][])", "BIGINT[][]") + "::VARCHAR":                        "Conversion Error: Could not convert string 'loch: it's empty' to INT32",
		"SELECT (" + value("loch_test_failing_array([[1, NULL], NULL]::BIGINT[][])", "BIGINT[][]") + "[1][1])::VARCHAR": "1",
	} {
		if got := ask(t, conn, sql); got != want {
			t.Errorf("%s: %s", sql, got)
		}
	}
}

// Only what a statement names is registered, and only names that this package knows.
func TestNamed(t *testing.T) {
	var names []string
	for _, f := range named("SELECT loch_crc32(x), loch_crc32(y), 'loch_', loch_sha512(loch_nothing(z)), LOCH_CRC32(x)") {
		names = append(names, f.name)
	}
	if got := strings.Join(names, " "); got != "loch_crc32 loch_sha512" {
		t.Error(got)
	}
}

// What one chunk after another costs.
func BenchmarkCalls(b *testing.B) {
	conn := open(b)
	for b.Loop() {
		ask(b, conn, "SELECT sum(loch_crc32(i::VARCHAR::BLOB))::VARCHAR FROM range(1000000) t(i)")
	}
}

// What registering a function costs a statement that names it.
func BenchmarkRegister(b *testing.B) {
	conn := open(b)
	for b.Loop() {
		if err := Register(conn, "loch_crc32"); err != nil {
			b.Fatal(err)
		}
	}
}
