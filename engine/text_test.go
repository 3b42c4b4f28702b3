package engine

import (
	"errors"
	"fmt"
	"testing"
)

// The forms are those of Trino 476's command line and of Java's toString.
func TestTextForms(t *testing.T) {
	d := newEngine(t, nil)
	tests := []struct{ sql, typ, want string }{
		{"'plain'", "varchar", "plain"}, {"''", "varchar", ""}, {"'é🙂, {}='", "varchar(20)", "é🙂, {}="}, {"NULL::VARCHAR", "varchar", "<null>"},
		{"NULL", "unknown", "<null>"}, {"'a longer text than twelve bytes'", "varchar", "a longer text than twelve bytes"},
		{"true", "boolean", "true"}, {"false", "boolean", "false"},
		{"127::TINYINT", "tinyint", "127"}, {"(-5)::SMALLINT", "smallint", "-5"}, {"42::INTEGER", "integer", "42"},
		{"(-9223372036854775808)::BIGINT", "bigint", "-9223372036854775808"}, {"sum(7)::HUGEINT", "bigint", "7"}, {"(-7)::HUGEINT", "bigint", "-7"},
		{"1.0::DOUBLE", "double", "1.0"}, {"1e10::DOUBLE", "double", "1.0E10"}, {"1234567.0::DOUBLE", "double", "1234567.0"}, {"12345678.9::DOUBLE", "double", "1.23456789E7"},
		{"0.001::DOUBLE", "double", "0.001"}, {"0.00012::DOUBLE", "double", "1.2E-4"}, {"'nan'::DOUBLE", "double", "NaN"}, {"'-inf'::DOUBLE", "double", "-Infinity"},
		{"'inf'::DOUBLE", "double", "Infinity"}, {"0.1::DOUBLE + 0.2::DOUBLE", "double", "0.30000000000000004"}, {"0.1::FLOAT", "real", "0.1"}, {"-0.0::DOUBLE", "double", "-0.0"},
		{"1.50::DECIMAL(4,2)", "decimal(4,2)", "1.50"}, {"-0.05::DECIMAL(4,2)", "decimal(4,2)", "-0.05"}, {"12345678901234567890.12::DECIMAL(38,2)", "decimal(38,2)", "12345678901234567890.12"},
		{"-1::DECIMAL(38,0)", "decimal(38,0)", "-1"}, {"7::DECIMAL(12,3)", "decimal(12,3)", "7.000"}, {"(-3.25)::DECIMAL(38,2)", "decimal(38,2)", "-3.25"},
		{"DATE '2026-11-22'", "date", "2026-11-22"}, {"DATE '1969-12-31'", "date", "1969-12-31"}, {"DATE '0001-01-01'", "date", "0001-01-01"},
		{"TIMESTAMP '2026-11-22 10:00:00'", "timestamp(3)", "2026-11-22 10:00:00.000"}, {"TIMESTAMP '2026-11-22 10:00:00.123456'", "timestamp(6)", "2026-11-22 10:00:00.123456"},
		{"TIMESTAMP '2026-12-31 23:59:59.9996'", "timestamp(3)", "2027-01-01 00:00:00.000"}, {"TIMESTAMP '1960-01-01 00:00:00.5'", "timestamp(0)", "1960-01-01 00:00:01"},
		{"TIMESTAMP '2026-11-22 10:00:00.5'", "timestamp(9)", "2026-11-22 10:00:00.500000000"}, {"TIMESTAMP '2026-11-22 10:00:00.5'", "timestamp(12)", "2026-11-22 10:00:00.500000000000"},
		{"TIMESTAMPTZ '2026-11-22 10:00:00+02'", "timestamp(3) with time zone", "2026-11-22 08:00:00.000 UTC"},
		{"TIME '10:11:12.5'", "time(3)", "10:11:12.500"},
		{"to_days(2) + to_milliseconds(11045678)", "interval day to second", "2 03:04:05.678"}, {"to_seconds(-1)", "interval day to second", "-0 00:00:01.000"},
		{"to_months(14)", "interval year to month", "1-2"}, {"to_months(-14)", "interval year to month", "-1-2"},
		{"MAP {'a': 'b', 'c': NULL}", "map(varchar, varchar)", "{a=b, c=null}"}, {"MAP {}::MAP(VARCHAR, VARCHAR)", "map(varchar, varchar)", "{}"},
		{"[1, NULL, 3]", "array(integer)", "[1, null, 3]"}, {"[]::INTEGER[]", "array(integer)", "[]"}, {"[['a'], NULL, []]", "array(array(varchar))", "[[a], null, []]"},
		{"{'name': 'x', 'n': 1.5::DOUBLE}", "row(name varchar, n double)", "{name=x, n=1.5}"}, {"row('x', 2)", "row(varchar, integer)", "{field0=x, field1=2}"},
		{"{'a b': NULL::INTEGER, 'm': MAP {'k': [1]}}", `row("a b" integer, m map(varchar, array(integer)))`, "{a b=null, m={k=[1]}}"},
		{"[TIMESTAMP '2026-01-01']", "array(timestamp(3))", "[2026-01-01 00:00:00.000]"},
		{"'Hi\\x00'::BLOB", "varbinary", "48 69 00"}, {"'123e4567-e89b-12d3-a456-426614174000'::UUID", "uuid", "123e4567-e89b-12d3-a456-426614174000"},
		{"'{\"a\":1}'::JSON", "json", `{"a":1}`}, {"'x'::ENUM('w', 'x')", "varchar", "x"},
	}
	for _, tt := range tests {
		rows, err := ask(t, d, "SELECT "+tt.sql, tt.typ)
		if err != nil {
			t.Errorf("%s as %s: %v: %v", tt.sql, tt.typ, err, errors.Unwrap(err))
			continue
		}
		if rows[0][0] != tt.want {
			t.Errorf("%s as %s: got %q, want %q", tt.sql, tt.typ, rows[0][0], tt.want)
		}
	}
	rows, _, err := answer(t, d, Job{SQL: "SELECT TIMESTAMPTZ '2026-07-01 10:00:00+00', TIMESTAMPTZ '2026-01-01 10:00:00+00'", Columns: []Column{
		{Type: "timestamp(3) with time zone", Zone: "Europe/Berlin"}, {Type: "timestamp(0) with time zone", Zone: "-05:30"}}})
	if err != nil || rows[0][0] != "2026-07-01 12:00:00.000 Europe/Berlin" || rows[0][1] != "2026-01-01 04:30:00 -05:30" {
		t.Error(rows, err)
	}
}

// A type that is not the promised one is refused, not printed.
func TestTypesMustAgree(t *testing.T) {
	d := newEngine(t, nil)
	for _, tt := range []struct{ sql, typ string }{
		{"1", "varchar"}, {"'1'", "bigint"}, {"1.5", "double"}, {"1.5", "decimal(3,2)"}, {"1.5::DOUBLE", "real"}, {"[1]", "map(varchar, varchar)"},
		{"{'a': 1}", "row(a integer, b integer)"}, {"TIMESTAMP '2026-01-01'", "date"}, {"TIMESTAMPTZ '2026-01-01'", "timestamp(3)"}, {"1", "nosuchtype"}, {"1", "array("},
		{"TIMESTAMP 'infinity'", "timestamp(3)"}, {"1000::BIGINT", "tinyint"}, {"170141183460469231731687303715884105727::HUGEINT", "bigint"}, {"18446744073709551615::UBIGINT", "bigint"},
		{"1 AS a, 2 AS b", "integer"},
	} {
		if rows, err := ask(t, d, "SELECT "+tt.sql, tt.typ); err == nil {
			t.Errorf("%s as %s: %q", tt.sql, tt.typ, rows)
		}
	}
}

func TestStreamedNestedChunks(t *testing.T) {
	d := newEngine(t, nil)
	rows, err := ask(t, d, "SELECT {'a': 1, 'b': i, 'l': [i, 7]}, MAP {'k': i}, [x FOR x IN [i, NULL]] FROM range(5000) t(i)", "row(a integer, b bigint, l array(bigint))", "map(varchar, bigint)", "array(bigint)")
	if err != nil {
		t.Fatal(err, errors.Unwrap(err))
	}
	for i, r := range rows {
		if want := fmt.Sprintf("{a=1, b=%d, l=[%d, 7]} {k=%d} [%d, null]", i, i, i, i); r[0]+" "+r[1]+" "+r[2] != want {
			t.Fatalf("row %d: %q, want %q", i, r, want)
		}
	}
	if len(rows) != 5000 {
		t.Error(len(rows))
	}
}
