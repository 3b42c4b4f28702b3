package dialect

import (
	"context"
	"strings"
	"testing"
)

func checkTemplate(sql string, values ...string) (*Statement, error) {
	q, err := ParseTemplate(sql, values)
	if err != nil {
		return nil, err
	}
	return Check(context.Background(), q, testCatalog{}, Session{})
}

// TestParameters: a template with values is the statement that has the literals in their places.
func TestParameters(t *testing.T) {
	for _, c := range []struct {
		template string
		values   []string
		same     string
	}{
		{"SELECT ?", []string{"1"}, "SELECT 1"},
		{"SELECT ?, ?", []string{"-12", "1.50"}, "SELECT -12, 1.50"},
		{"SELECT ?", []string{"007"}, "SELECT '007'"},
		{"SELECT ?", []string{"1e5"}, "SELECT '1e5'"},
		{"SELECT ?", []string{"0x1f"}, "SELECT '0x1f'"},
		{"SELECT ?", []string{"-"}, "SELECT '-'"},
		{"SELECT ?", []string{"1."}, "SELECT '1.'"},
		{"SELECT ?", []string{"NULL"}, "SELECT 'NULL'"},
		{"SELECT ? AND ?", []string{"true", "FALSE"}, "SELECT true AND false"},
		{"SELECT '?'", []string{"1"}, "SELECT '1'"},
		{"SELECT '?'", []string{"it's -- no /* comment"}, "SELECT 'it''s -- no /* comment'"},
		{"SELECT '??', '?', 'a?'", []string{"x"}, "SELECT '??', 'x', 'a?'"},
		{"SELECT TIMESTAMP '?'", []string{"2026-01-31 10:00:00"}, "SELECT TIMESTAMP '2026-01-31 10:00:00'"},
		{"SELECT eventname FROM trail WHERE eventtime > '?' AND eventtime < ?", []string{"2026-01-31", "2026-02-28T10:00:00Z"},
			"SELECT eventname FROM trail WHERE eventtime > '2026-01-31' AND eventtime < '2026-02-28T10:00:00Z'"},
		{"SELECT eventname FROM ?", []string{"trail"}, `SELECT eventname FROM "trail"`},
		{"SELECT a.eventname FROM ? a JOIN ? b ON a.eventname = b.eventname", []string{"trail", "trail"}, `SELECT a.eventname FROM "trail" a JOIN "trail" b ON a.eventname = b.eventname`},
		{"SELECT eventname FROM trail OFFSET ? LIMIT ?", []string{"2", "3"}, "SELECT eventname FROM trail OFFSET 2 LIMIT 3"},
		{"SELECT eventname FROM trail FETCH FIRST ? ROWS ONLY", []string{"3"}, "SELECT eventname FROM trail FETCH FIRST 3 ROWS ONLY"},
		{"SELECT count(*) FILTER (WHERE eventname = '?'), count(*) FILTER (WHERE eventname = '?') FROM trail", []string{"A", "B"},
			"SELECT count(*) FILTER (WHERE eventname = 'A'), count(*) FILTER (WHERE eventname = 'B') FROM trail"},
		{"SELECT eventname IN (?, ?) FROM trail", []string{"x", "y"}, "SELECT eventname IN ('x', 'y') FROM trail"},
		{"SELECT eventname LIKE '?' ESCAPE '#' FROM trail", []string{"a#_%"}, "SELECT eventname LIKE 'a#_%' ESCAPE '#' FROM trail"},
		{"SELECT -- ?\n /* '?' */ 1", []string{}, "SELECT 1"},
	} {
		got, err := checkTemplate(c.template, c.values...)
		if err != nil {
			t.Errorf("%s %q: %v", c.template, c.values, err)
			continue
		}
		want, err := check(c.same)
		if err != nil {
			t.Fatal(err)
		}
		if got.DuckDB() != want.DuckDB() {
			t.Errorf("%s %q:\n%s\nwant\n%s", c.template, c.values, got.DuckDB(), want.DuckDB())
		}
	}
}

func TestParametersRefused(t *testing.T) {
	for _, c := range []struct {
		template string
		values   []string
		want     string
	}{
		{"SELECT ?, ?", []string{"1"}, "line 1:11: Incorrect number of parameters: there is no value for this one, 1 were given"},
		{"SELECT '?'", []string{}, "line 1:8: Incorrect number of parameters: there is no value for this one, 0 were given"},
		{"SELECT ?", []string{"1", "2"}, "line 1:9: Incorrect number of parameters: the statement has 1, 2 were given"},
		{"SELECT date_diff('day', DATE '?', eventtime) FROM trail GROUP BY date_diff('day', DATE '?', eventtime)", []string{"2026-01-01", "2026-02-01"},
			"line 1:35: 'eventtime' must be an aggregate expression or appear in GROUP BY clause"},
		{"SELECT 1 FROM trail LIMIT ?", []string{"-1"}, `line 1:27: The number of rows must be an integer that is not negative, not "-1"`},
		{"SELECT 1 FROM trail LIMIT ?", []string{"1; DROP"}, `line 1:27: The number of rows must be an integer that is not negative, not "1; DROP"`},
		{"SELECT 1 FROM trail WHERE eventname = ?", []string{"12"}, "line 1:27: Cannot apply operator: varchar = integer"},
		{"SELECT 1 FROM ?", []string{"read_parquet('/etc/passwd')"}, "line 1:15: Table 'read_parquet('/etc/passwd')' does not exist"},
		{"SELECT 1 FROM ?", []string{"trail, trail"}, "line 1:15: Table 'trail, trail' does not exist"},
		{"SELECT 1 FROM ?", []string{""}, "line 1:15: Zero-length delimited identifier not allowed"},
		{"SELECT ?(1)", []string{"length"}, "line 1:9: mismatched input '('. Expecting: <EOF>"},
		{"SELECT 1 FROM trail WHERE ? = ?", []string{"1", "\x00"}, "line 1:1: the value of parameter 2 is not UTF-8, or has a NUL character"},
		{"SELECT 1 FROM trail GROUP BY CASE WHEN eventname = '?' THEN 1 END", []string{"a"}, ""},
	} {
		_, err := checkTemplate(c.template, c.values...)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.template, err)
			}
			continue
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %q: %v, want %s", c.template, c.values, err, c.want)
		}
	}
}

// TestParametersAreNoText: whatever a value is, it ends up as one literal of the statement.
func TestParametersAreNoText(t *testing.T) {
	for _, value := range []string{"'", "''", "' OR 1=1 --", "\\'", "$$", "?", "'?'", "U&'x'", "\"", "; SELECT 1", "/*", "ʼ"} {
		s, err := checkTemplate("SELECT eventname FROM trail WHERE eventname = '?'", value)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if want := "'" + strings.ReplaceAll(value, "'", "''") + "'"; !strings.HasSuffix(s.DuckDB(), want) && !strings.Contains(s.DuckDB(), want+")") {
			t.Errorf("%q is written as %s", value, s.DuckDB())
		}
	}
}

// FuzzParameters: whatever a value is, the statement is the one with that value as a literal.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{"a", "'", "' --", "?", "12", "-0.5", "true", "\\", "2026-01-01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := checkTemplate("SELECT '?', eventname FROM trail WHERE eventname = '?'", value, value)
		if err != nil {
			return // not UTF-8, or with a NUL
		}
		literal := "'" + strings.ReplaceAll(value, "'", "''") + "'"
		want, err := check("SELECT " + literal + ", eventname FROM trail WHERE eventname = " + literal)
		if err != nil {
			if len(value) < 4000 {
				t.Fatalf("%q: the literal is refused: %v", value, err)
			}
			return
		}
		if got.DuckDB() != want.DuckDB() {
			t.Fatalf("%q: %s\nwant %s", value, got.DuckDB(), want.DuckDB())
		}
		if s, err := checkTemplate("SELECT ?", value); err == nil && len(s.Columns) != 1 {
			t.Fatalf("%q: %s", value, s.DuckDB())
		}
	})
}
