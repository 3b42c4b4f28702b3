package dialect

import (
	"strings"
	"testing"
)

// What Trino's grammar has, Parse reads.
var accepted = []string{
	"SELECT 1",
	"select 1;",
	" -- a\n SELECT /* b */ 1 -- c",
	"SELECT eventName, count(*) AS n FROM 0233062b-51c6-4d18-8dec-a8c90da840d9 WHERE eventTime > '2026-01-01 00:00:00' GROUP BY eventName ORDER BY n DESC LIMIT 10",
	"SELECT * FROM 5e100000-51c6-4d18-8dec-a8c90da840d9, 3e4f0000-51c6-4d18-8dec-a8c90da840d9 b",
	"SELECT * FROM e3a00000-51c6-4d18-8dec-a8c90da840d9 AS a JOIN 00000000-0000-0000-0000-000000000001 AS b ON a.x = b.x",
	`SELECT * FROM "0233062b-51c6-4d18-8dec-a8c90da840d9"`,
	"SELECT * FROM arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/0233062b-51c6-4d18-8dec-a8c90da840d9 WHERE x = 1",
	`SELECT * FROM "arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/0233062b-51c6-4d18-8dec-a8c90da840d9"`,
	"TABLE 0233062b-51c6-4d18-8dec-a8c90da840d9",
	"SELECT a.b.c, a['x'], a[1].b, element_at(a, 'x') FROM t",
	"SELECT t.*, u.* AS (p, q) FROM t, u",
	"SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 2 END FROM t",
	"SELECT CAST(a AS varchar(10)), TRY_CAST(a AS decimal(10, 2)), CAST(a AS timestamp(3) with time zone), CAST(a AS row(x bigint, y array(varchar)))",
	"SELECT CAST(a AS bigint array), CAST(a AS array<map<varchar, double precision>>), CAST(a AS interval day to second), CAST(a AS row(bigint, timestamp with time zone))",
	"SELECT a FROM t WHERE a LIKE 'x%' ESCAPE '!' AND NOT b NOT LIKE '_' OR c IN (1, 2) AND d NOT IN (SELECT 1) AND e BETWEEN 1 AND 2",
	"SELECT a IS NULL, a IS NOT NULL, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b, NOT a",
	"SELECT a > ALL (SELECT 1), a = ANY (VALUES 1, 2), a <> SOME (SELECT 1)",
	"SELECT EXISTS (SELECT 1), (SELECT 1), ((SELECT 1)), ((SELECT 1) + 1), (((SELECT 1)) + 1)",
	"SELECT * FROM ((SELECT 1) UNION SELECT 2)",
	"((SELECT 1) UNION (SELECT 2)) ORDER BY 1",
	"SELECT * FROM ((a JOIN b ON x) CROSS JOIN c)",
	"SELECT * FROM a JOIN b JOIN c ON y ON x",
	"SELECT * FROM a LEFT OUTER JOIN b USING (x, y) RIGHT JOIN c ON TRUE FULL JOIN d ON 1 = 1",
	"SELECT * FROM a NATURAL JOIN b",
	"SELECT * FROM t CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)",
	"SELECT * FROM t, LATERAL (SELECT t.x + 1) u (y), UNNEST(ARRAY[1, 2])",
	"SELECT * FROM t TABLESAMPLE BERNOULLI (10)",
	"SELECT * FROM t FOR VERSION AS OF 12",
	"SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4",
	"WITH a AS (SELECT 1), b (x, y) AS (SELECT 1, 2) SELECT * FROM a, b",
	"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t",
	"VALUES 1, 2",
	"VALUES (1, 'a'), (2, 'b') ORDER BY 1",
	"SELECT a FROM t GROUP BY ()",
	"SELECT a FROM t GROUP BY 1, a + 1, (a, b), (a)",
	"SELECT a FROM t GROUP BY GROUPING SETS ((a, b), a, ()), CUBE (a, b), ROLLUP (a, (b, c))",
	"SELECT a FROM t GROUP BY DISTINCT a, b HAVING count(*) > 1",
	"SELECT a FROM t GROUP BY (a) + 1",
	"SELECT a, count(*) FROM t GROUP BY AUTO ORDER BY a",
	"SELECT GROUPING(a, t.b) FROM t GROUP BY CUBE (a, b)",
	"SELECT a FROM t ORDER BY a DESC NULLS FIRST, b ASC, c NULLS LAST OFFSET 5 ROWS FETCH FIRST 10 ROWS WITH TIES",
	"SELECT a FROM t OFFSET 5 LIMIT ALL",
	"SELECT a FROM t FETCH NEXT ROW ONLY",
	"SELECT count(*), count(DISTINCT a), array_agg(a ORDER BY b DESC), sum(a) FILTER (WHERE b > 1) FROM t",
	"SELECT rank() OVER (PARTITION BY a ORDER BY b), sum(a) OVER w, lag(a, 1) IGNORE NULLS OVER (w ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING) FROM t WINDOW w AS (PARTITION BY a)",
	"SELECT sum(a) OVER (ORDER BY b RANGE INTERVAL '1' DAY PRECEDING), sum(a) OVER (ORDER BY b GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING) FROM t",
	"SELECT transform(a, x -> x + 1), reduce(a, 0, (s, x) -> s + x, s -> s), f(() -> 1)",
	"SELECT INTERVAL '1' DAY, INTERVAL - '1-2' YEAR TO MONTH, INTERVAL '2 10:00:00' DAY TO SECOND",
	"SELECT a AT TIME ZONE 'UTC', a AT TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
	"SELECT EXTRACT(YEAR FROM a), extract(day_of_week from a)",
	"SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00 UTC', TIME '01:02:03', JSON '{}', IPADDRESS '10.0.0.1', UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', DECIMAL '1.5', DOUBLE PRECISION '1.5'",
	"SELECT U&'Hello \\0041', U&'d!0061t!+000061' UESCAPE '!', X'65 68', 'it''s', \"a\"\"b\"",
	"SELECT 1_000, 0xff, 0o17, 0b101, 1.5, .5, 5., 1e5, 1.5E-3, -1, - 1, +1, -a, - - 1",
	"SELECT ROW(1, 'a'), (1, 2), ARRAY[1, 2], ARRAY[], MAP(ARRAY[1], ARRAY[2]), MAP()",
	"SELECT TRIM(a), TRIM(BOTH FROM a), TRIM(LEADING 'x' FROM a), TRIM('x' FROM a), TRIM(a, 'x'), TRIM(TRAILING FROM a)",
	"SELECT SUBSTRING(a FROM 1 FOR 2), SUBSTRING(a, 1), POSITION('a' IN b), NORMALIZE(a, NFKC), NORMALIZE(a)",
	"SELECT CURRENT_DATE, CURRENT_TIMESTAMP(6), LOCALTIME, LOCALTIMESTAMP, CURRENT_TIME, CURRENT_USER, now()",
	"SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY a), LISTAGG(DISTINCT a ON OVERFLOW TRUNCATE '...' WITH COUNT) WITHIN GROUP (ORDER BY b DESC) FILTER (WHERE a > '')",
	"SELECT JSON_EXISTS(a, 'lax $.b' TRUE ON ERROR), JSON_VALUE(a, '$.x' RETURNING bigint DEFAULT 1 ON EMPTY ERROR ON ERROR), JSON_QUERY(a FORMAT JSON, '$' PASSING 1 AS n WITH CONDITIONAL ARRAY WRAPPER OMIT QUOTES EMPTY ARRAY ON EMPTY)",
	"SELECT JSON_OBJECT('a' VALUE 1, KEY 'b' VALUE 2, 'c' : 3 ABSENT ON NULL WITH UNIQUE KEYS), JSON_ARRAY(1, 2 NULL ON NULL RETURNING varchar), JSON_OBJECT()",
	"SELECT * FROM JSON_TABLE('[]', 'lax $[*]' AS p COLUMNS (n FOR ORDINALITY, a bigint PATH '$.a' DEFAULT 1 ON EMPTY, b varchar FORMAT JSON WITH WRAPPER, NESTED PATH '$.c[*]' COLUMNS (d varchar)) ERROR ON ERROR)",
	"SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b MEASURES FINAL LAST(x.c) AS m, CLASSIFIER() AS k ALL ROWS PER MATCH WITH UNMATCHED ROWS AFTER MATCH SKIP TO NEXT ROW PATTERN (x+? (y | z){2,3} ^ $ PERMUTE(p, q) {- r -}) SUBSET s = (x, y) DEFINE x AS c > PREV(c)) AS m (a, b)",
	"SELECT a limit, b offset, c window FROM t limit LIMIT 1",
	"SELECT all, any, row, array, date, year, map, if(a, b), try(1), nullif(a, b) FROM t",
	"SELECT count, filter FROM t filter",
	"SELECT a \"A b\", t.\"B\" FROM t \"T\"",
}

func TestParseAccepts(t *testing.T) {
	for _, sql := range accepted {
		if _, err := Parse(sql); err != nil {
			t.Errorf("%s\n\t%v", sql, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"", "line 1:1: the statement is empty"},
		{" -- nothing\n", "line 2:1: the statement is empty"},
		{"INSERT INTO t VALUES 1", "line 1:1: only SELECT statements are supported, not INSERT"},
		{"\n  explain select 1", "line 2:3: only SELECT statements are supported, not EXPLAIN"},
		{"PRAGMA version", "line 1:1: only SELECT statements are supported, not PRAGMA"},
		{"FROM t", "line 1:1: only SELECT statements are supported, not FROM"},
		{"SELECT 1; SELECT 2", "line 1:11: only one statement is allowed"},
		{"SELECT 1;;", "line 1:10: only one statement is allowed"},
		{"SELECT 1 SELECT 2", "line 1:10: mismatched input 'SELECT'. Expecting: <EOF>"},
		{"SELECT", "line 1:7: mismatched input '<EOF>'. Expecting: <expression>"},
		{"SELECT FROM t", "line 1:8: mismatched input 'FROM'. Expecting: <expression>"},
		{"SELECT a,\n  FROM t", "line 2:3: mismatched input 'FROM'. Expecting: <expression>"},
		{"SELECT a FROM", "line 1:14: mismatched input '<EOF>'. Expecting: <identifier>"},
		{"SELECT a FROM t WHERE", "line 1:22: mismatched input '<EOF>'. Expecting: <expression>"},
		{"SELECT 'abc", "line 1:8: the quote that begins here does not end"},
		{"SELECT /* abc", "line 1:8: the comment that begins here does not end"},
		{`SELECT "" FROM t`, "line 1:8: Zero-length delimited identifier not allowed"},
		{"SELECT `a` FROM t", "line 1:8: backquoted identifiers are not supported; use double quotes to quote identifiers"},
		{"SELECT 1abc", "line 1:8: identifiers must not start with a digit; surround the identifier with double quotes"},
		{"SELECT a = b = c", "line 1:14: mismatched input '='. Expecting: <EOF>"},
		{"SELECT é", "line 1:8: unexpected character 'é'"},
		{"SELECT 'é', #", "line 1:13: unexpected character '#'"},
		{"SELECT a FROM t LIMIT -1", "line 1:23: mismatched input '-'. Expecting: <EOF>"},
		{"SELECT a FROM t LIMIT 1 OFFSET 2", "line 1:25: mismatched input 'OFFSET'. Expecting: <EOF>"},
		{"SELECT * FROM a JOIN b", "line 1:23: mismatched input '<EOF>'. Expecting: 'ON', 'USING'"},
		{"SELECT X'abc'", "line 1:8: Binary literal must contain an even number of hexadecimal digits"},
		{"SELECT U&'\\00'", "line 1:8: Incomplete escape sequence"},
		{"SELECT a\x00", "line 1:9: the statement has a NUL character"},
		{"SELECT '\xff'", "line 1:9: the statement is not UTF-8"},
		{"SELECT '" + strings.Repeat("x", MaxLength) + "'", "line 1:1: the statement is longer than 10000 characters"},
		{"SELECT " + strings.Repeat("(", 200) + "1", "line 1:157: the statement is nested more than 150 levels deep"},
		{"SELECT * FROM read_csv('x')", "line 1:23: mismatched input '('. Expecting: <EOF>"},
		{"SELECT * FROM 'file.parquet'", "line 1:15: mismatched input ''file.parquet''. Expecting: <identifier>"},
		{"SELECT a::varchar", "line 1:9: mismatched input ':'. Expecting: <EOF>"},
		{"SELECT DISTINCT ON (a) b", "line 1:17: mismatched input 'ON'. Expecting: <expression>"},
		{"SELECT a QUALIFY b FROM t", "line 1:18: mismatched input 'b'. Expecting: <EOF>"},
		{"SELECT * EXCLUDE (a) FROM t", "line 1:10: mismatched input 'EXCLUDE'. Expecting: <EOF>"},
	} {
		_, err := Parse(c.sql)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.80q\n\tgot  %v\n\twant %s", c.sql, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range accepted {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		q, err := Parse(sql)
		if (q == nil) == (err == nil) {
			t.Fatalf("query %v with error %v", q, err)
		}
		if e, ok := err.(*Error); err != nil && (!ok || e.Line < 1 || e.Column < 1 || e.Message == "") {
			t.Fatalf("error without place or words: %#v", err)
		}
	})
}
