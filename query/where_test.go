package query

import (
	"strings"
	"testing"

	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
)

// Every condition is one that the engine takes, and picks the events that it says.
func TestWhere(t *testing.T) {
	b := newBed(t, nil)
	store := b.store(t, "mine", 50)
	schema := event.Schema(event.CloudTrail)
	plan, err := b.lake.Plan(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Release()
	var files []engine.File
	for _, f := range plan.Files {
		files = append(files, engine.File{Key: f.Key, Size: f.Size, Rows: f.Rows, Local: f.Local})
	}
	str := func(s ...string) (out []dialect.Value) {
		for _, v := range s {
			out = append(out, dialect.Value{Text: v})
		}
		return out
	}
	num := func(n int64) []dialect.Value { return []dialect.Value{{Num: n}} }
	for _, tt := range []struct {
		preds []dialect.Predicate
		want  string
	}{
		{nil, "50"},
		{[]dialect.Predicate{{Path: "eventname", Op: dialect.Equal, Values: str("Name1", "Name2", "it's")}}, "14"},
		{[]dialect.Predicate{{Path: "useridentity.arn", Op: dialect.StartsWith, Values: str("arn:aws:iam::1:user/u2")}}, "16"},
		{[]dialect.Predicate{{Path: "eventtime", Op: dialect.Greater, Values: num(b.now.UnixMicro() - 10*3600_000_000)}, {Path: "eventname", Op: dialect.NotNull}}, "10"},
		{[]dialect.Predicate{{Path: "eventtime", Op: dialect.LessEqual, Values: num(b.now.UnixMicro() - 10*3600_000_000)}}, "40"},
		{[]dialect.Predicate{{Path: "readonly", Op: dialect.Equal, Values: num(1)}}, "0"},
		{[]dialect.Predicate{{Path: "_position", Op: dialect.Less, Values: num(1)}}, "50"},
		{[]dialect.Predicate{{Path: "errorcode", Op: dialect.NotNull}}, "0"},
		{[]dialect.Predicate{{Path: "nothing", Op: dialect.NotNull}, {Path: "useridentity", Op: dialect.NotNull}, {Path: "resources.element.arn", Op: dialect.NotNull}}, "50"},
	} {
		sql := "SELECT count(*) FROM r"
		if w := where(schema, tt.preds); w != "" {
			sql += " WHERE " + w
		}
		got := ""
		_, err := b.engine.Run(t.Context(), engine.Job{SQL: sql, Columns: []engine.Column{{Type: "bigint"}}, Relations: []engine.Relation{{Name: "r", Schema: schema, Files: files,
			Columns: []string{"eventname", "useridentity", "eventtime", "readonly", "_position", "errorcode"}}}}, func(v []engine.Value) error {
			got += string(v[0].Text)
			return nil
		})
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", strings.TrimPrefix(sql, "SELECT count(*) FROM r"), got, err, tt.want)
		}
	}
}
