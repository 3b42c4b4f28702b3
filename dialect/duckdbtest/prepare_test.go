package duckdbtest

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// prepare has DuckDB parse, bind and plan a written statement, without running it. A subquery that DuckDB cannot unnest is the one thing that it
// may refuse: Trino refuses most of those as well.
func prepare(t testing.TB, c *sql.Conn, statement string) error {
	s, err := check(statement)
	if err != nil {
		return nil
	}
	for _, u := range s.Uses {
		if _, err := c.ExecContext(t.Context(), "CREATE OR REPLACE TEMP VIEW "+u.Relation+" AS SELECT * FROM "+u.Table.ID); err != nil {
			t.Fatal(err)
		}
	}
	register(t, c, s.DuckDB())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := c.PrepareContext(ctx, s.DuckDB())
	if err != nil {
		return err
	}
	return p.Close()
}

func TestDeepStatementsPrepare(t *testing.T) {
	c := open(t)
	nest := func(begin, middle, end string, n int) string {
		return "SELECT " + strings.Repeat(begin, n) + middle + strings.Repeat(end, n) + " FROM trail"
	}
	for _, s := range []string{
		nest("lower(", "eventname", ")", 70),
		nest("substr(", "eventname", ", 2, 3)", 40),
		nest("array_distinct(", "ARRAY[1]", ")", 40),
		nest("CASE WHEN readonly THEN 1 ELSE ", "0", " END", 60),
		nest("nullif(", "_sequence", ", 2)", 60),
		nest("greatest(", "_sequence", ", 2)", 60),
		nest("CAST(CAST(", "_sequence", " AS varchar) AS bigint)", 25),
		nest("NOT ", "readonly", "", 140),
		nest("- ", "_sequence", "", 140),
		nest("transform(ARRAY[1], x -> ", "1", ")", 8),
		"SELECT _sequence" + strings.Repeat(" / _sequence", 100) + " FROM trail",
		"SELECT _sequence" + strings.Repeat(" + 1", 140) + " FROM trail",
		"SELECT 1.5" + strings.Repeat(" % 1.5", 60) + " FROM trail",
		"SELECT 1 FROM trail WHERE eventname = 'x'" + strings.Repeat(" OR eventname = 'y'", 500),
		"SELECT * FROM " + strings.Repeat("(SELECT * FROM ", 40) + "trail" + strings.Repeat(")", 40),
		"SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 140),
	} {
		if _, err := check(s); err != nil {
			t.Errorf("%.60s: %v", s, err)
		} else if err := prepare(t, c, s); err != nil {
			t.Errorf("%.60s\n\t%.300v", s, err)
		}
	}
}

// What the writer writes for the statements of the differential suite, DuckDB understands.
func TestCorpusPrepares(t *testing.T) {
	files, err := filepath.Glob("../../differential/testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	c := open(t)
	n := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range strings.Split(string(text), ";\n") {
			if strings.Contains(statement, "$events") {
				continue // stands for a long text
			}
			if s, err := check(statement); err != nil || s == nil {
				continue
			}
			n++
			if err := prepare(t, c, statement); err != nil && !known(err) {
				t.Errorf("%s\n\t%.300v", statement, err)
			}
		}
	}
	if n < 500 {
		t.Errorf("%d statements were written", n)
	}
}

// known tells what DuckDB may refuse of a statement that is well written: it is planned with its constants, whose errors come early, and not every
// correlated subquery can be unnested.
func known(err error) bool {
	for _, k := range []string{"correlated", "Max expression depth", "Conversion Error", "Out of Range Error", "Invalid Input Error", "Unknown TimeZone"} {
		if strings.Contains(err.Error(), k) {
			return true
		}
	}
	return false
}

// FuzzWritten feeds statements through the checker; what it writes, DuckDB must understand.
func FuzzWritten(f *testing.F) {
	for _, list := range [][]answer{queries, expressions, functions} {
		for _, a := range list {
			f.Add(a.sql)
		}
	}
	c := open(f)
	f.Fuzz(func(t *testing.T, statement string) {
		err := prepare(t, c, statement)
		if err == nil || strings.Contains(err.Error(), "Out of Memory") {
			return
		}
		if known(err) {
			return
		}
		s, _ := check(statement)
		t.Fatalf("%s\n\t%s\n\t%v", statement, s.DuckDB(), err)
	})
}
