package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
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

// queries compares statements through the API with the same SQL in bare DuckDB, in this process and open already, over the same files: those that an import
// left, and those that compaction made of them.
func queries(ctx context.Context, bin, logs, dir string) error {
	plain := []string{"--compaction", "0"}
	s, err := serve(ctx, bin, dir, plain...)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.load(ctx, bin, logs); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := compare(ctx, bin, dir, s.store, "as imported", plain); err != nil {
		return err
	}
	if _, _, err := settled(ctx, bin, dir, []string{"--compaction", "1", "--compaction-quiet", "1s"}); err != nil {
		return err
	}
	return compare(ctx, bin, dir, s.store, "compacted", plain)
}

// live gives the files of a store's newest snapshot, quoted. No server may run.
func live(ctx context.Context, dir, store string) ([]string, error) {
	db, err := meta.OpenSQLite(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		return nil, err
	}
	plan, err := l.Plan(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	defer plan.Release()
	var files []string
	for _, f := range plan.Files {
		files = append(files, "'"+f.Local+"'")
	}
	return files, nil
}

// compare asks every statement of both, in turn.
func compare(ctx context.Context, bin, dir, store, title string, flags []string) error {
	files, err := live(ctx, dir, store)
	if err != nil {
		return err
	}
	s, err := start(ctx, bin, dir, flags...)
	if err != nil {
		return err
	}
	defer s.stop()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE VIEW t AS SELECT * FROM read_parquet(["+strings.Join(files, ",")+"])"); err != nil {
		return err
	}
	fmt.Printf("\n### Queries over %d files, %s\n\n| statement | bare DuckDB ms | through the API ms | allowed ms (1.15 × + 20) | |\n| --- | --- | --- | --- | --- |\n", len(files), title)
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
			if _, err := s.ask(ctx, strings.ReplaceAll(q.sql, "FROM t", "FROM "+store)); err != nil {
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

func median[T cmp.Ordered](d []T) T {
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
