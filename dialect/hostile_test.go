package dialect

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// The engine's own syntax, functions and types, deep nesting, and texts that would break out of quotes. Much of it does no harm, and is no SQL of Trino's.
var hostile = []string{
	"COPY trail TO '/tmp/x'", "COPY (SELECT 1) TO '/tmp/x'", "ATTACH '/tmp/x' AS y", "INSTALL httpfs", "LOAD httpfs", "PRAGMA database_list", "SET memory_limit = '1TB'", "RESET ALL",
	"CALL pragma_version()", "CREATE TABLE x (a int)", "DROP TABLE trail", "DELETE FROM trail", "UPDATE trail SET a = 1", "EXPORT DATABASE '/tmp'", "CHECKPOINT", "VACUUM",
	"EXPLAIN SELECT 1", "DESCRIBE trail", "SUMMARIZE trail", "SHOW TABLES", "USE memory", "FROM trail", "FROM trail SELECT 1", "PIVOT trail ON a", "BEGIN", "PREPARE x AS SELECT 1",
	"SELECT 1; DROP TABLE trail", "SELECT 1 ; ATTACH 'x'", "SELECT 1;--\nSELECT 2", "SELECT 1; /* */ SELECT 2", "WITH x AS (DELETE FROM trail) SELECT 1", "SELECT 1 INTO OUTFILE '/tmp/x'",
	"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_parquet('*')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM glob('/*')", "SELECT * FROM '/etc/passwd'",
	"SELECT * FROM \"/etc/passwd\"", "SELECT * FROM \"file.parquet\"", "SELECT * FROM 'https://example.org/x.parquet'", "SELECT * FROM \"s3://b/k\"", "TABLE \"/etc/passwd\"",
	"SELECT * FROM TABLE(read_csv('/etc/passwd'))", "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_secrets()", "SELECT * FROM sqlite_master", "SELECT * FROM information_schema.tables",
	"SELECT * FROM pg_catalog.pg_tables", "SELECT * FROM system.runtime.queries", "SELECT * FROM store_0", "SELECT * FROM r1", "SELECT r1.eventname FROM trail", "SELECT * FROM answer",
	"SELECT getenv('HOME')", "SELECT current_setting('threads')", "SELECT read_text('/etc/passwd')", "SELECT read_blob('/etc/passwd')", "SELECT query('SELECT 1')", "SELECT query_table('trail')",
	"SELECT pragma_database_list()", "SELECT getvariable('x')", "SELECT nextval('x')", "SELECT version()", "SELECT txid_current()", "SELECT current_database()", "SELECT error('x')",
	"SELECT struct_extract(useridentity, 'arn') FROM trail", "SELECT list_transform(ARRAY[1], x -> x)", "SELECT eval('1')", "SELECT write_log('x')", "SELECT sql_auto_complete('x')",
	"SELECT main.lower('A')", "SELECT \"lower\".\"x\"('A')", "SELECT pg_catalog.version()", "SELECT system.main.getenv('HOME')", "SELECT \"read_text\"('/etc/passwd')", "SELECT LOWER ('A')::blob",
	"SELECT 1::integer", "SELECT '1'::date", "SELECT {'a': 1}", "SELECT [1, 2]", "SELECT MAP {'a': 1}", "SELECT x'0g'", "SELECT $1", "SELECT $$abc$$", "SELECT E'\\n'''", "SELECT #1",
	"SELECT COLUMNS('.*') FROM trail", "SELECT * REPLACE (1 AS a) FROM trail", "SELECT * EXCLUDE eventid FROM trail", "SELECT * LIKE 'e%' FROM trail", "SELECT eventid FROM trail USING SAMPLE 1",
	"SELECT eventid FROM trail POSITIONAL JOIN activity",
	"SELECT eventid FROM trail ORDER BY ALL", "SELECT eventid FROM trail GROUP BY ALL", "SELECT DISTINCT ON (eventid) eventid FROM trail", "SELECT eventid FROM trail QUALIFY 1 = 1",
	"SELECT eventid FROM trail LIMIT 10%", "SELECT eventid FROM trail LIMIT (SELECT 1)", "SELECT eventid ilike 'x' FROM trail", "SELECT eventid GLOB 'x' FROM trail", "SELECT eventid ~ 'x' FROM trail",
	"SELECT eventid SIMILAR TO 'x' FROM trail", "SELECT 1 ** 2", "SELECT 1 // 2", "SELECT 1 ^ 2", "SELECT 1 & 2", "SELECT 1 << 2", "SELECT @1", "SELECT 5!", "SELECT NOT NULL IS NULL IS TRUE",
	"SELECT \u201cx\u201d", "SELECT \u2018x\u2019", "SELECT\u00a01", "\ufeffSELECT 1", "SELECT 'a' \u037e SELECT 2", "SELECT a\u0000", "SELECT \"a\x00b\" FROM trail", "SELECT ＇x＇", "SELECT 1 \u2014 comment",
	"SELECT 'abc", "SELECT \"abc", "SELECT /* abc", "SELECT U&'\\0000'", "SELECT U&'\\D800'", "SELECT U&'\\00zz'", "SELECT 1 UESCAPE '!'", "SELECT `eventid` FROM trail",
	"SELECT * FROM trail WHERE eventid = \"x\"", "SELECT eventid FROM trail AS (a)", "SELECT eventid FROM trail AS OF TIMESTAMP now()", "SELECT eventid FROM trail FOR VERSION AS OF 1",
	"SELECT CAST(1 AS \"INTEGER); DROP TABLE x; --\")", "SELECT CAST(1 AS STRUCT(a INTEGER))", "SELECT CAST(1 AS HUGEINT)", "SELECT CAST('x' AS BLOB)", "SELECT CAST('a' AS ENUM('a'))", "SELECT CAST(1 AS INTEGER[])",
	"SELECT TIMESTAMPTZ '2026-01-01'", "SELECT STRUCT 'x'", "SELECT DATE '2026-01-01''; DROP TABLE x'", "SELECT INTERVAL 1 DAY", "SELECT INTERVAL '1; DROP' DAY", "SELECT now() AT TIME ZONE 'UTC''; DROP'",
	"SELECT date_trunc('day''', now())", "SELECT date_diff('day''; --', now(), now())", "SELECT json_extract(eventjson, '$.a''') FROM trail", "SELECT json_extract(eventjson, '$[\"a\\b\"]') FROM trail",
	"SELECT regexp_like(eventid, '(') FROM trail", strings.Repeat("(", 5000), "SELECT " + strings.Repeat("[", 5000),
	"SELECT " + strings.Repeat("CASE WHEN ", 1000), "SELECT " + strings.Repeat("NOT ", 2000) + "true", "SELECT " + strings.Repeat("-", 1) + strings.Repeat(" -", 3000) + " 1", "SELECT 1" + strings.Repeat(" + 1", 2000),
	"SELECT loch_crc32(X'00')", "SELECT LOCH_CRC32(X'00')", "SELECT \"loch_crc32\"(X'00')", "SELECT main.loch_crc32(X'00')", "SELECT * FROM loch_crc32(X'00')", "SELECT transform(ARRAY[X'00'], loch_crc32)",
	"SELECT loch_levenshtein_distance('a', 'b')", "SELECT * FROM TABLE(loch_sha512(X'00'))",
	strings.Repeat("SELECT ", 1000), "WITH " + strings.Repeat("a AS (", 1000), "SELECT " + strings.Repeat("f(", 3000), "SELECT 1 FROM " + strings.Repeat("(", 4000) + "trail", "SELECT a" + strings.Repeat(".a", 4000) + " FROM trail",
}

// attempts reads testdata/hostile.txt, the list that the engine's test reads as well.
func attempts(t *testing.T) []string {
	text, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, `"`) {
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, strings.NewReplacer("{secret}", "/tmp/secret.csv", "{file}", "/tmp/a.parquet", "{dir}", "/tmp", "{out}", "/tmp/out.csv", "{table}", "trail").Replace(line))
	}
	if len(list) < 150 {
		t.Errorf("%d attempts", len(list))
	}
	return list
}

func TestHostileIsRefused(t *testing.T) {
	for _, sql := range append(attempts(t), hostile...) {
		s, err := check(sql)
		if err == nil {
			t.Errorf("%.100q became %.200s", sql, s.DuckDB())
			continue
		}
		if e, ok := err.(*Error); !ok || e.Line < 1 || e.Column < 1 || e.Message == "" {
			t.Errorf("%.100q: refused without a place: %v", sql, err)
		}
	}
}
