package meta

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMigrations(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "meta.db")
	db, err := open(path, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	version := func() (n int) {
		if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	one, two, broken := "CREATE TABLE a (x)", "INSERT INTO a VALUES (1);\n-- a comment at the end", "INSERT INTO a VALUES (2); INSERT INTO none VALUES (1)"
	if err := migrateTo(ctx, c, []string{one}); err != nil || version() != 1 {
		t.Fatal(err, version())
	}
	if err := migrateTo(ctx, c, []string{one, two, broken}); err == nil || !strings.Contains(err.Error(), "migration 3") || version() != 2 {
		t.Fatal(err, version())
	}
	if err := migrateTo(ctx, c, []string{one, two}); err != nil || version() != 2 {
		t.Fatal(err, version())
	}
	var rows int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM a").Scan(&rows); err != nil || rows != 1 {
		t.Fatalf("%d rows, %v: the broken step left something", rows, err)
	}
}

// Stores of the first version are not federated.
func TestFederationMigration(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "meta.db")
	steps, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	old, err := open(path, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := old.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrateTo(ctx, c, steps[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(ctx, "INSERT INTO stores VALUES ('a', '111122223333', 'us-east-1', 'name', 'ENABLED', 1, 1, 0, 366, 'FIXED_RETENTION_PRICING', 0, NULL, 1, 2, NULL, '', 0)"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), old.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := OpenSQLite(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Store(ctx, "a")
	if err != nil || s.Name != "name" || s.FederationStatus != "DISABLED" || s.FederationRoleArn != "" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestReadMigrations(t *testing.T) {
	for _, c := range []struct {
		names string
		n     int
	}{
		{"0001_a.sql 0002_b.sql", 2}, {"0001_a.sql 0003_b.sql", -1}, {"0002_a.sql", -1}, {"0001_a.sql 0001_b.sql", -1}, {"x.sql", -1},
	} {
		files := fstest.MapFS{}
		for _, n := range strings.Fields(c.names) {
			files["migrations/"+n] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		steps, err := readMigrations(files)
		if (err != nil) != (c.n < 0) || err == nil && len(steps) != c.n {
			t.Errorf("%s: %d steps, %v", c.names, len(steps), err)
		}
	}
	if _, err := readMigrations(migrations); err != nil {
		t.Error(err)
	}
}
