package differential

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/differential/trinotest"
	"github.com/lochlake/loch/engine"
)

var (
	only   = flag.String("statement", "", "only statements that contain this text")
	area   = flag.String("area", "", "only statements of the files whose names begin so")
	report = flag.String("report", "", "write how each statement fared to this file")
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.WorkerArgument {
		engine.WorkerMain()
	}
	os.Exit(m.Run())
}

// fate is how a statement fared against the recorded answer.
type fate int

const (
	equal   fate = iota // the same answer
	failed              // both fail
	refused             // Trino answers, Loch says that it does not
	beyond              // Loch answers what Trino says it does not support (yet), or where an error of its own keeps it from an answer
	differs             // anything else
)

var fates = [...]string{equal: "equal", failed: "failed by both", refused: "refused by Loch", beyond: "beyond Trino", differs: "DIFFERS"}

// TestDuckDB runs every statement of the corpus through Loch's dialect and its embedded engine, and holds columns, types, rows and text forms
// against what real Trino answered. Loch may refuse a statement, before it runs or, where only the data show it, then; nothing else may differ.
func TestDuckDB(t *testing.T) {
	all, err := corpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := readRecordings("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var asked []statement
	for _, s := range all {
		if strings.Contains(s.Text, *only) && strings.HasPrefix(s.File, *area) {
			asked = append(asked, s)
		}
	}
	tally(t, asked, func(i int) *recording { return recorded[asked[i].File][asked[i].Text] })
}

// brief leaves out what a macro stands for.
func brief(text string) string {
	if i := strings.LastIndex(text, "res, json))"); i > 0 {
		text = "WITH $events" + text[i+len("res, json))"):]
	}
	return strings.ReplaceAll(text, rows, "$rows")
}

func listing(all []statement, outcomes []outcome) []byte {
	var b strings.Builder
	for _, f := range []fate{differs, refused, beyond, failed} {
		fmt.Fprintf(&b, "# %s\n", fates[f])
		for i, o := range outcomes {
			if o.fate == f {
				fmt.Fprintf(&b, "%v: %s\n    %s\n", &all[i], brief(all[i].Text), o.why)
				if o.fate == differs && o.duckdb != "" && len(o.duckdb) < 2000 {
					fmt.Fprintf(&b, "    DuckDB: %s\n", o.duckdb)
				}
			}
		}
	}
	return []byte(b.String())
}

type outcome struct {
	fate   fate
	why    string
	duckdb string
}

// judge runs one statement and compares.
func judge(ctx context.Context, e engine.Engine, s *statement, want *recording) outcome {
	if want == nil {
		return outcome{fate: differs, why: "is not recorded; make differential asks Trino"}
	}
	got, sql, err := ask(ctx, e, s)
	if checked, ok := errors.AsType[*dialect.Error](err); ok {
		if want.Error != "" {
			return outcome{fate: failed, why: checked.Error() + "\n    Trino: " + want.Message}
		}
		return outcome{fate: refused, why: checked.Error()}
	}
	if err != nil {
		why := err.Error()
		if inner := errors.Unwrap(err); inner != nil {
			why += ": " + inner.Error()
		}
		e, ok := errors.AsType[*engine.Error](err)
		if want.Error == "" && ok && e.Kind == engine.Statement && strings.Contains(why, "is not supported yet") {
			return outcome{refused, why, sql}
		}
		if want.Error != "" && ok && e.Kind == engine.Statement {
			return outcome{failed, why + "\n    Trino: " + want.Message, sql}
		}
		return outcome{differs, "fails with " + why + ", where Trino gives " + show(want), sql}
	}
	d := diff(s, got, want)
	switch {
	case d == "" && want.Error == "":
		return outcome{fate: equal}
	case d == "" || want.Error == "NOT_SUPPORTED" || want.Error == "GENERIC_INTERNAL_ERROR":
		return outcome{beyond, show(got) + "\n    Trino: " + want.Message, sql}
	}
	return outcome{differs, d, sql}
}

// noTables is a catalog without any.
type noTables struct{}

func (noTables) Resolve(context.Context, dialect.TableName) (*dialect.Table, error) {
	return nil, dialect.ErrNoTable
}

// ask runs a statement on the embedded engine. The error is a *dialect.Error where it is refused before it runs.
func ask(ctx context.Context, e engine.Engine, s *statement) (*recording, string, error) {
	q, err := dialect.Parse(s.Text)
	if err != nil {
		return nil, "", err
	}
	st, err := dialect.Check(ctx, q, noTables{}, dialect.Session{Start: time.Now().UTC(), User: "loch"})
	if err != nil {
		return nil, "", err
	}
	job := engine.Job{SQL: st.DuckDB(), Limits: engine.Limits{Threads: 2, Time: time.Minute}}
	r := &recording{Statement: s.Text}
	for _, c := range st.Columns {
		job.Columns = append(job.Columns, engine.Column{Name: c.Name, Type: c.Type.String(), Zone: c.Type.Zone})
		r.Columns = append(r.Columns, trinotest.Column{Name: c.Name, Type: c.Type.String()})
	}
	_, err = e.Run(ctx, job, func(vals []engine.Value) error {
		row := make([]*string, len(vals))
		for i, v := range vals {
			if !v.Null {
				text := string(v.Text)
				row[i] = &text
			}
		}
		r.Rows = append(r.Rows, row)
		return nil
	})
	return r, job.SQL, err
}
