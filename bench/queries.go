package main

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// statements are asked through the API and of bare DuckDB, which says the same in a few words of its own where it must.
var statements = []struct{ name, sql, duck string }{
	{"count", "SELECT count(*) FROM t", ""},
	{"top names", "SELECT eventname, count(*) AS n FROM t GROUP BY eventname ORDER BY n DESC LIMIT 20", ""},
	{"errors of a principal", "SELECT useridentity.arn, errorcode, count(*) AS n FROM t WHERE errorcode IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50", ""},
	{"one day", "SELECT count(*) FROM t WHERE eventtime >= timestamp '2026-01-10 00:00:00' AND eventtime < timestamp '2026-01-11 00:00:00'", ""},
	{"a map's key", "SELECT element_at(requestparameters, 'bucketName') AS b, count(*) AS n FROM t GROUP BY 1 ORDER BY 2 DESC LIMIT 20",
		"SELECT requestparameters['bucketName'] AS b, count(*) AS n FROM t GROUP BY 1 ORDER BY 2 DESC LIMIT 20"},
	{"text search", "SELECT count(*) FROM t WHERE eventjson LIKE '%AccessDenied%'", ""},
	{"latest hundred", "SELECT eventtime, eventname, sourceipaddress, eventjson FROM t ORDER BY eventtime DESC LIMIT 100", ""},
}

const (
	asked = 7                      // times each statement is run; the median counts
	rest  = 150 * time.Millisecond // between any two, in which the server makes the next query process ready
)

// queries compares statements through the API with the same SQL in bare DuckDB, in this process and open already, over the same files.
func queries(ctx context.Context, bin, logs, dir string) error {
	s, err := serve(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.load(ctx, bin, logs); err != nil {
		return err
	}
	var files []string
	err = filepath.WalkDir(filepath.Join(dir, "lake", "tables", s.store), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			files = append(files, "'"+path+"'")
		}
		return err
	})
	if err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE VIEW t AS SELECT * FROM read_parquet(["+strings.Join(files, ",")+"])"); err != nil {
		return err
	}
	fmt.Printf("\n### Queries over these %d files\n\n| statement | bare DuckDB ms | through the API ms | allowed ms (1.15 × + 20) | |\n| --- | --- | --- | --- | --- |\n", len(files))
	for _, q := range statements {
		duck := q.duck
		if duck == "" {
			duck = q.sql
		}
		var bare, through []time.Duration
		for range asked {
			time.Sleep(rest)
			begun := time.Now()
			if err := drain(ctx, db, duck); err != nil {
				return fmt.Errorf("%s: %w", duck, err)
			}
			bare = append(bare, time.Since(begun))
			time.Sleep(rest)
			begun = time.Now()
			if _, err := s.ask(ctx, strings.ReplaceAll(q.sql, "FROM t", "FROM "+s.store)); err != nil {
				return err
			}
			through = append(through, time.Since(begun))
		}
		b, t := median(bare), median(through)
		allowed := b*115/100 + 20*time.Millisecond
		verdict := "within"
		if t > allowed {
			verdict = "**over**"
		}
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %s |\n", q.name, ms(b), ms(t), ms(allowed), verdict)
	}
	return s.stop()
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func drain(ctx context.Context, db *sql.DB, q string) error {
	rows, err := db.QueryContext(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	cells := make([]any, len(cols))
	for i := range cells {
		cells[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return err
		}
	}
	return rows.Err()
}
