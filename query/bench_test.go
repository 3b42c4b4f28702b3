package query

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/lake"
)

// fill adds n generated events to a store, in batches of 16,000.
func (b *bed) fill(t testing.TB, store string, n int) {
	t.Helper()
	g := generate.New(generate.Options{Events: n, Seed: 1, Start: b.now.AddDate(0, 0, -30), Days: 30})
	var rows []lake.Row
	seq := int64(1)
	flush := func() {
		f, err := b.lake.Write(t.Context(), store, rows)
		if err == nil {
			err = b.lake.Commit(t.Context(), store, f, seq)
		}
		if err != nil {
			t.Fatal(err)
		}
		rows, seq = rows[:0], seq+1
	}
	d := event.NewDecoder()
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		r, err := d.Decode(append([]byte(nil), e.Text...))
		if err != nil {
			t.Fatal(err)
		}
		if rows = append(rows, lake.Row{Event: &r}); len(rows) == 16_000 {
			flush()
			d = event.NewDecoder()
		}
	}
	flush()
}

// Statements through a child, and as they are in a DuckDB that is open already, over the same files. "over" is by how many
// milliseconds the first takes longer than 1.15 times the second.
func BenchmarkAgainstDuckDB(b *testing.B) {
	bed := newBed(b, nil)
	store := bed.store(b, "mine", 0)
	bed.fill(b, store, 100_000)
	plan, err := bed.lake.Plan(b.Context(), store, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer plan.Release()
	rel := engine.Relation{Name: "events", Schema: event.Schema(event.CloudTrail)}
	var paths []string
	for _, f := range plan.Files {
		rel.Files = append(rel.Files, engine.File{Key: f.Key, Size: f.Size, Rows: f.Rows, Local: f.Local})
		paths = append(paths, "'"+f.Local+"'")
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE VIEW events AS SELECT * FROM read_parquet([" + strings.Join(paths, ", ") + "])"); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d files", len(paths))
	for _, q := range []struct {
		name, sql string
		columns   []string
		types     []string
	}{
		{"count", "SELECT count(*) FROM events", nil, []string{"bigint"}},
		{"group", "SELECT eventname, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 20", []string{"eventname"}, []string{"varchar", "bigint"}},
		{"principal", "SELECT count(*) FROM events WHERE useridentity.arn LIKE '%role%'", []string{"useridentity"}, []string{"bigint"}},
		{"map", "SELECT requestparameters['bucketName'], count(*) FROM events GROUP BY 1 ORDER BY 2 DESC", []string{"requestparameters"}, []string{"varchar", "bigint"}},
		{"latest", "SELECT eventtime, eventname, sourceipaddress, eventjson FROM events ORDER BY eventtime DESC LIMIT 100", []string{"eventtime", "eventname", "sourceipaddress", "eventjson"},
			[]string{"timestamp(3)", "varchar", "varchar", "varchar"}},
		{"rows", "SELECT eventtime, eventname, sourceipaddress, useridentity.arn FROM events", []string{"eventtime", "eventname", "sourceipaddress", "useridentity"},
			[]string{"timestamp(3)", "varchar", "varchar", "varchar"}},
		{"texts", "SELECT eventjson FROM events", []string{"eventjson"}, []string{"varchar"}},
	} {
		b.Run(q.name, func(b *testing.B) {
			job := engine.Job{SQL: q.sql, Relations: []engine.Relation{rel}}
			job.Relations[0].Columns = q.columns
			for _, t := range q.types {
				job.Columns = append(job.Columns, engine.Column{Type: t})
			}
			var through, bare time.Duration
			for b.Loop() {
				time.Sleep(100 * time.Millisecond) // a spare is warm
				begun := time.Now()
				if _, err := bed.engine.Run(b.Context(), job, func([]engine.Value) error { return nil }); err != nil {
					b.Fatal(err)
				}
				through += time.Since(begun)
				begun = time.Now()
				if err := drain(db, q.sql, len(q.types)); err != nil {
					b.Fatal(err)
				}
				bare += time.Since(begun)
			}
			n := float64(b.N)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / n }
			b.ReportMetric(ms(bare), "duckdb-ms")
			b.ReportMetric(ms(through), "loch-ms")
			b.ReportMetric(ms(through)-1.15*ms(bare), "over-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func drain(db *sql.DB, statement string, width int) error {
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	vals := make([]any, width)
	for i := range vals {
		vals[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(vals...); err != nil {
			return err
		}
	}
	return rows.Err()
}
