package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the dialect never lets through is refused by the engine alone as well, and touches nothing.
func TestHostileSQL(t *testing.T) {
	dir := t.TempDir()
	d := newEngine(t, nil)
	file := testFile(t, dir, "a.parquet", 0, 3)
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,topsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file.Local)
	if err != nil {
		t.Fatal(err)
	}
	hostile := []string{
		"COPY (SELECT 1) TO '" + file.Local + "' (FORMAT parquet)",
		"COPY (SELECT 1) TO '" + filepath.Join(dir, "out.csv") + "'",
		"COPY (SELECT 1) TO '/dev/stdout' (FORMAT csv)",
		"COPY s FROM '" + secret + "'",
		"SELECT * FROM read_csv('/etc/passwd')",
		"SELECT * FROM read_csv('" + secret + "')",
		"SELECT * FROM '" + secret + "'",
		"SELECT * FROM read_text('" + secret + "')",
		"SELECT * FROM read_blob('" + secret + "')",
		"SELECT * FROM read_json('" + secret + "')",
		"SELECT * FROM read_parquet('" + dir + "/*.parquet')",
		"SELECT * FROM read_csv('" + file.Local + "/../secret.csv')",
		"SELECT * FROM sniff_csv('" + secret + "')",
		"SELECT * FROM glob('/etc/*')",
		"SELECT * FROM glob('" + dir + "/*')",
		"SELECT * FROM parquet_metadata('/etc/passwd')",
		"SELECT * FROM read_parquet('https://example.com/x.parquet')",
		"SELECT * FROM 's3://bucket/x.parquet'",
		"SELECT * FROM read_csv('http://169.254.169.254/latest/meta-data/')",
		"ATTACH '" + filepath.Join(dir, "x.db") + "'",
		"ATTACH ':memory:' AS other",
		"ATTACH 'host=127.0.0.1' AS pg (TYPE postgres)",
		"DETACH memory",
		"INSTALL httpfs", "LOAD httpfs", "LOAD '/tmp/x.duckdb_extension'", "FORCE INSTALL json FROM 'https://example.com'",
		"UPDATE EXTENSIONS",
		"SET memory_limit = '100GB'", "SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration",
		"SET allowed_paths = ['" + secret + "']", "SET threads = 64", "SET GLOBAL temp_directory = '/tmp'", "RESET ALL",
		"SET VARIABLE x = 1",
		"PRAGMA enable_profiling = 'json'", "PRAGMA database_list", "PRAGMA memory_limit = '9GB'", "PRAGMA disable_checkpoint_on_shutdown",
		"CALL enable_logging()", "CALL pragma_version()", "CALL read_csv('/etc/passwd')",
		"CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')", "CREATE PERSISTENT SECRET p (TYPE s3, KEY_ID 'a', SECRET 'b')",
		"CREATE TABLE t AS SELECT 1", "CREATE VIEW v AS SELECT 1", "CREATE OR REPLACE TEMP VIEW s AS SELECT 1", "CREATE MACRO f(a) AS a", "DROP VIEW s",
		"CREATE TYPE x AS ENUM ('a')", "CREATE SCHEMA x", "CREATE SEQUENCE q",
		"INSERT INTO s VALUES (1)", "DELETE FROM s", "UPDATE s SET eventid = 'x'", "TRUNCATE s", "MERGE INTO s USING s b ON false WHEN MATCHED THEN DELETE",
		"EXPORT DATABASE '" + dir + "'", "IMPORT DATABASE '" + dir + "'", "COPY FROM DATABASE memory TO other",
		"BEGIN", "COMMIT", "CHECKPOINT", "VACUUM", "ANALYZE", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1",
		"PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p", "USE memory", "COMMENT ON TABLE s IS 'x'",
		"SELECT 1; COPY (SELECT 1) TO '" + filepath.Join(dir, "out.csv") + "'",
		"SELECT 1; SELECT 2",
		"SELECT * FROM query('COPY (SELECT 1) TO ''" + filepath.Join(dir, "out.csv") + "''')",
		"SELECT * FROM query_table('" + secret + "')",
		"SELECT getenv('HOME')",
		"SELECT * FROM query('SELECT * FROM read_csv(''" + secret + "'')')",
		"",
	}
	for _, sql := range hostile {
		rows, _, err := answer(t, d, Job{SQL: sql, Columns: []Column{{Type: "varchar"}},
			Relations: []Relation{{Name: "s", Schema: testSchema(), Columns: []string{"eventid"}, Files: []File{file}}}})
		if err == nil {
			t.Errorf("%s: answered %q", sql, rows)
		} else if strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error tells a path: %v", sql, err)
		}
	}
	after, err := os.ReadFile(file.Local)
	if err != nil || string(after) != string(before) {
		t.Error("a planned file was changed", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 3 { // the file, the secret, the engine's directory may lie elsewhere
		t.Error("something was written:", entries, err)
	}
}
