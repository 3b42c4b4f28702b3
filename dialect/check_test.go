package dialect

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT evntName FROM trail", "line 1:8: Column 'evntName' cannot be resolved; did you mean 'eventname'?"},
		{"SELECT\n  1,\n  nothing FROM trail", "line 3:3: Column 'nothing' cannot be resolved"},
		{"SELECT t.evntName FROM trail t", "line 1:8: Column 't.evntName' cannot be resolved; did you mean 'eventname'?"},
		{"SELECT userIdentity.arm FROM trail", "line 1:21: Column 'arm' cannot be resolved; did you mean 'arn'?"},
		{"SELECT eventName.x FROM trail", "line 1:18: Expression of type varchar is not a row and has no member 'x'"},
		{"SELECT requestParameters.bucketName FROM trail", "line 1:26: Expression of type map(varchar, varchar) is not a row and has no member 'bucketName'"},
		{"SELECT a.eventname FROM trail a, trail b WHERE eventid = '1'", "line 1:48: Column 'eventid' is ambiguous"},
		{"SELECT eventname FROM nosuch", "line 1:23: Table 'nosuch' does not exist"},
		{`SELECT eventname FROM trail WHERE eventname = "GetObject"`, "line 1:47: Column 'GetObject' cannot be resolved; a string stands between single quotes"},
		{"SELECT count(*) FROM trail WHERE eventName = 1", "line 1:34: Cannot apply operator: varchar = integer"},
		{"SELECT count(*) FROM trail WHERE eventTime > 5", "line 1:34: Cannot apply operator: timestamp(3) > integer"},
		{"SELECT count(*) FROM trail WHERE eventTime > 'yesterday'",
			"line 1:34: 'yesterday' is not a timestamp; write '2026-01-31', '2026-01-31 10:00:00' or '2026-01-31T10:00:00Z'"},
		{"SELECT eventName FROM trail WHERE eventName", "line 1:35: WHERE clause must evaluate to a boolean: actual type varchar"},
		{"SELECT eventName, eventTime FROM trail GROUP BY eventName", "line 1:19: 'eventTime' must be an aggregate expression or appear in GROUP BY clause"},
		{"SELECT eventName, userIdentity.arn FROM trail GROUP BY eventName",
			"line 1:19: 'userIdentity.arn' must be an aggregate expression or appear in GROUP BY clause"},
		{"SELECT eventName, count(*) FROM trail", "line 1:8: 'eventName' must be an aggregate expression or appear in GROUP BY clause"},
		{"SELECT count(*) FROM trail GROUP BY eventname ORDER BY eventtime", "line 1:56: 'eventtime' must be an aggregate expression or appear in GROUP BY clause"},
		{"SELECT 1 FROM trail WHERE count(*) > 1", "line 1:27: WHERE clause cannot contain aggregations, window functions or grouping operations: [count(*)]"},
		{"SELECT sum(count(*)) FROM trail", "line 1:12: Cannot nest aggregations inside aggregation 'sum': count(*)"},
		{"SELECT 1 FROM trail WHERE rank() OVER () > 1", "line 1:27: WHERE clause cannot contain aggregations, window functions or grouping operations: [rank() OVER ()]"},
		{"SELECT rank() FROM trail", "line 1:8: Window function rank requires an OVER clause"},
		{"SELECT foo(1)", "line 1:8: Function 'foo' not registered"},
		{"SELECT lenght('a')", "line 1:8: Function 'lenght' not registered; did you mean 'length'?"},
		{"SELECT read_parquet('x')", "line 1:8: Function 'read_parquet' not registered"},
		{"SELECT system.runtime.kill('x')", "line 1:8: Function 'system.runtime.kill' not registered"},
		{"SELECT length(1)", "line 1:8: Unexpected parameters (integer) for function length. Expected: length(varchar), length(varbinary), length(char)"},
		{"SELECT sum(eventname) FROM trail", "line 1:8: Unexpected parameters (varchar) for function sum. Expected: sum(tinyint), sum(smallint), sum(integer), sum(bigint), sum(real), sum(double), sum(decimal), sum(interval day to second), sum(interval year to month)"},
		{"SELECT 1 + 'a'", "line 1:10: Cannot apply operator: integer + varchar(1)"},
		{"SELECT 'a' || 1", "line 1:12: Cannot apply operator: varchar(1) || integer"},
		{"SELECT NOT 1", "line 1:12: NOT must evaluate to a boolean (actual: integer)"},
		{"SELECT CASE WHEN 1 THEN 2 END", "line 1:18: CASE WHEN clause must evaluate to a boolean (actual: integer)"},
		{"SELECT CASE WHEN true THEN 1 ELSE 'a' END", "line 1:35: All CASE results must be the same type or coercible to a common type: integer vs varchar(1)"},
		{"SELECT 1 IN ('a')", "line 1:14: IN value and list items must be the same type: integer vs varchar(1)"},
		{"SELECT 1 IN (SELECT 1, 2)", "line 1:8: Value expression and result of subquery must be of the same type: row(integer) vs row(integer, integer)"},
		{"SELECT 1 UNION SELECT 'a'", "line 1:10: column 1 in UNION query has incompatible types: integer, varchar(1)"},
		{"SELECT 1 UNION SELECT 1, 2", "line 1:10: UNION query has different number of fields: 1, 2"},
		{"SELECT * FROM trail ORDER BY 99", "line 1:30: ORDER BY position 99 is not in select list"},
		{"SELECT eventname FROM trail GROUP BY 2", "line 1:38: GROUP BY position 2 is not in select list"},
		{"SELECT eventname FROM trail ORDER BY requestparameters", "line 1:38: Type map(varchar, varchar) is not orderable, and therefore cannot be used in ORDER BY: requestparameters"},
		{"SELECT 1 FROM trail GROUP BY CUBE (lower(eventname))", "line 1:36: GROUP BY expression must be a column reference: lower(eventname)"},
		{"SELECT 1 FROM trail GROUP BY ROLLUP (useridentity.arn)", "line 1:38: GROUP BY expression must be a column reference: useridentity.arn"},
		{"SELECT DISTINCT eventname FROM trail ORDER BY eventid", "line 1:47: For SELECT DISTINCT, ORDER BY expressions must appear in select list"},
		{"SELECT *", "line 1:8: SELECT * not allowed in queries without FROM clause"},
		{"SELECT x.* FROM trail", "line 1:8: Table 'x' not found"},
		{"WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1", "line 1:23: WITH query name 'a' specified more than once"},
		{"SELECT * FROM trail t (a, b)", "line 1:21: Column alias list has 2 entries but 't' has 14 columns available"},
		{"SELECT * FROM trail NATURAL JOIN activity", "line 1:21: Natural join not supported"},
		{"SELECT CAST(1 AS nosuchtype)", "line 1:18: Unknown type: nosuchtype"},
		{"SELECT CAST(ARRAY[1] AS integer)", "line 1:8: Cannot cast array(integer) to integer"},
		{"SELECT 99999999999999999999", "line 1:8: Invalid numeric literal: 99999999999999999999"},
		{"SELECT DATE '2026-02-30'", "line 1:8: '2026-02-30' is not a valid date literal"},
		{"SELECT ?", "line 1:8: Query takes no parameters"},
		{"SELECT x -> x", "line 1:8: Lambda expression should always be used inside a function"},
		{"SELECT transform(ARRAY[1], x -> (SELECT 1))", "line 1:33: Lambda expression cannot contain subqueries"},
		{"SELECT * FROM UNNEST(1)", "line 1:22: Cannot unnest type: integer"},
		{"SELECT * FROM trail MATCH_RECOGNIZE (ORDER BY eventtime PATTERN (a) DEFINE a AS true)", "line 1:15: MATCH_RECOGNIZE is answered by a Trino engine only"},
		{"SELECT m OVER w FROM trail WINDOW w AS (ORDER BY eventtime MEASURES a.eventid AS m ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING PATTERN (a) DEFINE a AS true)",
			"line 1:8: a measure of a row pattern over a window is answered by a Trino engine only"},
		{"SELECT count(*) OVER (ORDER BY eventtime ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING PATTERN (a) DEFINE a AS true) FROM trail",
			"line 1:42: a window over a row pattern is answered by a Trino engine only"},
		{"WITH FUNCTION f(x integer) RETURNS integer RETURN x SELECT f(1)", "line 1:6: functions of a statement's own (WITH FUNCTION) are not supported yet"},
		{"WITH RECURSIVE t AS (SELECT 1) SELECT * FROM t", "line 1:16: missing column aliases in recursive WITH query"},
		{"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT a.n FROM t a, t) SELECT * FROM t", "line 1:65: multiple recursive references in the step relation of recursion"},
		{"WITH RECURSIVE t(n) AS (SELECT 1 INTERSECT SELECT n FROM t) SELECT * FROM t", "line 1:58: recursive reference not allowed in this context"},
		{"SELECT * FROM trail TABLESAMPLE BERNOULLI (101)", "line 1:44: Sample percentage must be less than or equal to 100"},
		{"SELECT * FROM TABLE(sequence(foo => 1))", "line 1:30: Unexpected argument name: FOO"},
		{"SELECT * FROM TABLE(read_csv('x'))", "line 1:21: Table function 'read_csv' not registered"},
		{"SELECT * FROM TABLE(exclude_columns(TABLE(trail), DESCRIPTOR(nothing)))", "line 1:62: Excluded columns: [nothing] not present in the table"},
		{"SELECT JSON_VALUE('{}', '$.a')", "line 1:25: invalid JSON path, at character 1: '$' in a JSON path where 'lax' or 'strict' is expected"},
		{"SELECT inverse_beta_cdf(1, 1, 0)", "line 1:8: Function 'inverse_beta_cdf' is not supported yet"},
	} {
		_, err := check(c.sql)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n\tgot  %v\n\twant %s", c.sql, err, c.want)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT eventName, EVENTTIME AS \"When\", userIdentity.ARN, count(*) FROM trail GROUP BY 1, 2, 3", "eventName varchar, When timestamp(3), ARN varchar, _col3 bigint"},
		{"SELECT 1, 1 + 1, 'abc' x, 1.5, NULL, ''", "_col0 integer, _col1 integer, x varchar(3), _col3 decimal(2,1), _col4 unknown, _col5 varchar(0)"},
		{"SELECT eventid, eventid FROM trail", "eventid varchar, eventid varchar"},
		{"SELECT * FROM activity", "eventtime timestamp(3), eventid varchar, eventdata row(eventsource varchar, eventname varchar, " +
			"useridentity row(type varchar, principalid varchar, details map(varchar, varchar)), requestparameters map(varchar, varchar))"},
		{"SELECT useridentity.* FROM activity", "type varchar, principalid varchar, details map(varchar, varchar)"},
		{"SELECT _sequence, _position FROM trail", "_sequence bigint, _position integer"},
		{"SELECT * FROM (VALUES (1, 'a')) AS t (X, y)", "X integer, y varchar(1)"},
		{"SELECT now(), current_date, eventtime AT TIME ZONE 'Asia/Tokyo', interval '1' day FROM trail",
			"_col0 timestamp(3) with time zone, _col1 date, _col2 timestamp(3) with time zone, _col3 interval day to second"},
		{"SELECT ARRAY[1, 2], MAP(ARRAY['a'], ARRAY[1e0]), ROW(1, 'x'), CAST(ROW(1) AS ROW(\"a b\" bigint))",
			"_col0 array(integer), _col1 map(varchar(1), double), _col2 row(integer, varchar(1)), _col3 row(\"a b\" bigint)"},
		{"SELECT sum(_sequence), avg(_sequence), max(eventtime), array_agg(eventname), count(*) FROM trail",
			"_col0 bigint, _col1 double, _col2 timestamp(3), _col3 array(varchar), _col4 bigint"},
	} {
		s, err := check(c.sql)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		var parts []string
		for _, col := range s.Columns {
			parts = append(parts, col.Name+" "+col.Type.String())
		}
		if got := strings.Join(parts, ", "); got != c.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", c.sql, got, c.want)
		}
	}
}

func TestPredicates(t *testing.T) {
	us := func(n int64) []Value { return []Value{{Num: n}} }
	str := func(list ...string) []Value {
		var v []Value
		for _, s := range list {
			v = append(v, Value{Text: s})
		}
		return v
	}
	const jan1 = 1767225600000000
	start := testStart.UnixMicro() / 1000 * 1000
	for _, c := range []struct {
		sql  string
		want []Predicate
	}{
		{"SELECT 1 FROM trail WHERE eventtime > '2026-01-01' AND eventname = 'a'", []Predicate{{"eventtime", Greater, us(jan1)}, {"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM trail WHERE timestamp '2026-01-01 00:00:00' <= eventtime", []Predicate{{"eventtime", GreaterEqual, us(jan1)}}},
		{"SELECT 1 FROM trail WHERE eventtime >= date '2026-01-01'", []Predicate{{"eventtime", GreaterEqual, us(jan1)}}},
		{"SELECT 1 FROM trail WHERE eventtime > now() - interval '1' hour", []Predicate{{"eventtime", Greater, us(start - 3600_000_000)}}},
		{"SELECT 1 FROM trail WHERE eventtime > date_add('hour', -1, now())", []Predicate{{"eventtime", Greater, us(start - 3600_000_000)}}},
		{"SELECT 1 FROM trail WHERE eventtime BETWEEN '2026-01-01' AND '2026-01-01T00:00:01Z'",
			[]Predicate{{"eventtime", GreaterEqual, us(jan1)}, {"eventtime", LessEqual, us(jan1 + 1000000)}}},
		{"SELECT 1 FROM trail WHERE eventtime < from_iso8601_timestamp('2026-01-01T01:00:00+01:00')", []Predicate{{"eventtime", Less, us(jan1)}}},
		{"SELECT 1 FROM trail WHERE useridentity.arn IN ('a', 'b', NULL)", []Predicate{{"useridentity.arn", Equal, str("a", "b")}}},
		{"SELECT 1 FROM trail WHERE eventname = 'a' OR eventname IN ('b')", []Predicate{{"eventname", Equal, str("a", "b")}}},
		{"SELECT 1 FROM trail WHERE eventname = 'a' OR eventid = 'b'", nil},
		{"SELECT 1 FROM trail WHERE NOT eventname = 'a'", nil},
		{"SELECT 1 FROM trail WHERE eventname <> 'a' AND eventname NOT IN ('b') AND eventname NOT LIKE 'c%'", nil},
		{"SELECT 1 FROM trail WHERE eventname LIKE 'Get%' AND eventname LIKE 'GetObject' AND eventname LIKE '%x'",
			[]Predicate{{"eventname", StartsWith, str("Get")}, {"eventname", Equal, str("GetObject")}}},
		{"SELECT 1 FROM trail WHERE errorcode IS NOT NULL AND eventid IS NULL", []Predicate{{"errorcode", NotNull, nil}}},
		{"SELECT 1 FROM trail WHERE readonly = true AND _sequence = 5", []Predicate{{"readonly", Equal, us(1)}, {"_sequence", Equal, us(5)}}},
		{"SELECT 1 FROM trail WHERE lower(eventname) = 'a' AND eventname = eventid", nil},
		{"SELECT 1 FROM activity WHERE eventname = 'a'", []Predicate{{"eventdata.eventname", Equal, str("a")}}},
		{"SELECT 1 FROM activity WHERE useridentity.arn = 'a'", nil},
		{"SELECT count(*) FROM trail HAVING count(*) > 1", nil},
		{"SELECT eventname FROM trail GROUP BY eventname HAVING eventname = 'a'", nil},
		{"SELECT 1 FROM (SELECT eventname AS n FROM trail) WHERE n = 'a'", []Predicate{{"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM (SELECT eventname AS n FROM trail LIMIT 5) WHERE n = 'a'", nil},
		{"SELECT 1 FROM (SELECT DISTINCT eventname AS n FROM trail) WHERE n = 'a'", nil},
		{"SELECT 1 FROM (SELECT eventname AS n, row_number() OVER (ORDER BY eventtime) FROM trail) WHERE n = 'a'", nil},
		{"SELECT 1 FROM (SELECT eventname AS n, count(*) FROM trail GROUP BY eventname) WHERE n = 'a'", nil},
		{"SELECT 1 FROM (SELECT eventname AS n FROM trail UNION ALL SELECT 'x') WHERE n = 'a'", nil},
		{"SELECT 1 FROM (VALUES 1) v(x) LEFT JOIN trail ON eventname = 'a'", []Predicate{{"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM trail LEFT JOIN (VALUES 1) v(x) ON eventname = 'a'", nil},
		{"SELECT 1 FROM trail RIGHT JOIN (VALUES 1) v(x) ON eventname = 'a'", []Predicate{{"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM trail FULL JOIN (VALUES 1) v(x) ON eventname = 'a'", nil},
		{"SELECT 1 FROM trail JOIN (VALUES 1) v(x) ON eventname = 'a'", []Predicate{{"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM (VALUES 1) v(x) LEFT JOIN trail ON true WHERE eventname = 'a'", []Predicate{{"eventname", Equal, str("a")}}},
		{"SELECT 1 FROM (VALUES 1) v(x) LEFT JOIN trail ON true WHERE eventname IS NULL", nil},
		{"SELECT (SELECT 1 FROM (VALUES 1) WHERE t.eventname = 'a') FROM trail t", nil},
		{"SELECT 1 WHERE EXISTS (SELECT 1 FROM trail WHERE eventname = 'a')", []Predicate{{"eventname", Equal, str("a")}}},
		{"WITH x AS (SELECT * FROM trail) SELECT 1 FROM x a, x b WHERE a.eventname = 'a'", nil},
		{"SELECT 1 FROM trail WHERE if(eventname = 'a', true, false)", nil},
	} {
		s, err := check(c.sql)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if got := s.Uses[0].Predicates; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n\tgot  %v\n\twant %v", c.sql, got, c.want)
		}
	}
}

func TestUses(t *testing.T) {
	s, err := check("SELECT a.eventname, b.useridentity.arn FROM arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/" + testID +
		" a JOIN activity b ON a.eventid = b.eventid WHERE a.userIdentity.sessionContext.attributes.mfaAuthenticated = 'true'")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Uses) != 2 || s.Uses[0].Table.ID != "trail" || s.Uses[0].Relation != "store_0" || s.Uses[1].Table.ID != "activity" || s.Uses[1].Relation != "store_1" {
		t.Fatalf("%+v", s.Uses)
	}
	if want := []string{"eventid", "eventname", "useridentity"}; !reflect.DeepEqual(s.Uses[0].Columns, want) {
		t.Errorf("columns %v, not %v", s.Uses[0].Columns, want)
	}
	if want := []string{"eventdata", "eventid"}; !reflect.DeepEqual(s.Uses[1].Columns, want) {
		t.Errorf("columns %v, not %v", s.Uses[1].Columns, want)
	}
}

func TestWritten(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT eventName FROM trail WHERE eventTime > '2026-01-01T00:00:00Z' ORDER BY eventTime DESC LIMIT 10",
			`SELECT r1."eventname" AS c0 FROM "store_0" AS r1 WHERE (r1."eventtime" > TIMESTAMP '2026-01-01 00:00:00.000000') ORDER BY r1."eventtime" DESC NULLS LAST LIMIT 10`},
		{"SELECT count(*) c FROM trail GROUP BY userIdentity.arn ORDER BY c",
			`SELECT r2.a0 AS c0 FROM (SELECT struct_extract(r1."useridentity", 'arn') AS g0, count(*) AS a0 FROM "store_0" AS r1 GROUP BY 1) AS r2 ORDER BY 1 ASC NULLS LAST`},
		{"SELECT element_at(requestParameters, 'it''s') FROM trail", `SELECT r1."requestparameters"['it''s'] AS c0 FROM "store_0" AS r1`},
		{`SELECT "x""; DROP TABLE y; --" FROM (SELECT 1 AS "x""; DROP TABLE y; --") "a'b"`, `SELECT r1.c0 AS c0 FROM (SELECT CAST(1 AS INTEGER) AS c0) AS r1`},
		{"SELECT '\\', '--', '/*', '$1', ';'", `SELECT '\' AS c0, '--' AS c1, '/*' AS c2, '$1' AS c3, ';' AS c4`},
	} {
		s, err := check(c.sql)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
		} else if s.DuckDB() != c.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", c.sql, s.DuckDB(), c.want)
		}
	}
}

type failing struct{ err error }

func (f failing) Resolve(context.Context, TableName) (*Table, error) { return nil, f.err }

func TestCatalogErrorsComeOut(t *testing.T) {
	q, err := Parse("SELECT 1 FROM\n  x")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the catalog is away")
	_, err = Check(t.Context(), q, failing{broken}, Session{})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "line 2:3: ") {
		t.Errorf("%v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range accepted {
		f.Add(strings.ReplaceAll(s, " t ", " trail "))
	}
	for _, s := range worst() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	f.Add(typical)
	f.Fuzz(func(t *testing.T, sql string) {
		s, err := check(sql)
		if (s == nil) == (err == nil) {
			t.Fatalf("statement %v with error %v", s, err)
		}
		if err == nil && (len(s.DuckDB()) == 0 || len(s.DuckDB()) > maxWritten || strings.ContainsRune(s.DuckDB(), 0)) {
			t.Fatalf("%d bytes written", len(s.DuckDB()))
		}
	})
}

func TestEngineMessage(t *testing.T) {
	for _, c := range []struct{ engine, want string }{
		{"Conversion Error: Could not convert string 'loch: Division by zero' to INT32\n\nLINE 1: ...", "Division by zero"},
		{"Could not convert string 'loch: Cannot cast 'a' to BIGINT' to integer.", "Cannot cast 'a' to BIGINT"},
		{"Out of Range Error: Overflow in addition of INT32 (2147483647 + 1)!", "Overflow in addition of INT32 (2147483647 + 1)!"},
		{"Invalid Input Error: More than one row returned by a subquery used as an expression - scalar", "Scalar sub-query has returned multiple rows"},
	} {
		if got := EngineMessage(c.engine); got != c.want {
			t.Errorf("%q: %q, not %q", c.engine, got, c.want)
		}
	}
}

func TestOldestFirst(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT eventname FROM trail ORDER BY eventTime LIMIT 5":                     true,
		"SELECT eventname, t.eventtime FROM trail t ORDER BY 2, 1":                   true,
		"SELECT eventname FROM trail t ORDER BY t.eventtime ASC NULLS FIRST":         true,
		"SELECT eventname FROM trail ORDER BY eventtime DESC LIMIT 5":                false,
		"SELECT eventname, eventtime FROM trail ORDER BY 1, 2":                       false,
		"SELECT eventname FROM trail ORDER BY eventname, eventtime":                  false,
		"SELECT eventname FROM trail":                                                false,
		"SELECT * FROM trail ORDER BY 1":                                             false,
		"SELECT eventname FROM trail UNION SELECT eventname FROM trail ORDER BY 1":   false,
		"SELECT date(eventtime), count(*) FROM trail GROUP BY 1 ORDER BY 1 LIMIT 10": false,
	} {
		s, err := check(sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		if s.OldestFirst != want {
			t.Errorf("%s: %v", sql, s.OldestFirst)
		}
	}
}
