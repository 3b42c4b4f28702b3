package dialect

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// forTrino writes a statement over the test catalog's stores; each store's query is shortened to [its ID].
func forTrino(sql string) (string, error) {
	s, err := ForTrino(context.Background(), func() (*Query, error) { return Parse(sql) }, testCatalog{}, Session{Start: testStart, User: "o'neil"})
	if err != nil {
		return "", err
	}
	text := s.Write(func(u Use) TrinoTable { return TrinoTable{"cat", "stores", u.Table.ID, 0} }).SQL
	for _, u := range s.uses {
		text = strings.ReplaceAll(text, u.query(TrinoTable{"cat", "stores", u.table.ID, 0}), "["+u.table.ID+"]")
	}
	return text, nil
}

func TestTrinoWriting(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`SELECT eventName, "eventID" AS "i""d" FROM trail -- ' "`, `SELECT eventName, "eventID" AS "i""d" FROM [trail] AS "trail"`},
		{`SELECT t.eventname FROM 0233062b-51c6-4d18-8dec-a8c90da840d9 AS t`, `SELECT t.eventname FROM [trail] AS t`},
		{`SELECT 'it''s', U&'\00e9', X'0aff' FROM trail`, `SELECT 'it''s', 'é', X'0aff' FROM [trail] AS "trail"`},
		{`SELECT count(*) FROM trail WHERE eventTime > '2026-01-01T00:00:00Z'`, `SELECT count(*) FROM [trail] AS "trail" WHERE (eventTime > TIMESTAMP '2026-01-01 00:00:00')`},
		{`SELECT 1 FROM trail WHERE eventtime BETWEEN '2026-01-01' AND '2026-01-02 10:00:00.250+02:00'`,
			`SELECT 1 FROM [trail] AS "trail" WHERE (eventtime BETWEEN TIMESTAMP '2026-01-01 00:00:00' AND TIMESTAMP '2026-01-02 08:00:00.250')`},
		{`SELECT 1 FROM trail WHERE '2026-01-01' < date_trunc('day', eventtime)`, `SELECT 1 FROM [trail] AS "trail" WHERE (TIMESTAMP '2026-01-01 00:00:00' < date_trunc('day', eventtime))`},
		{`SELECT max(x.t) > '2026-01-01' FROM (SELECT eventtime AS t FROM trail) AS x`, `SELECT (max(x.t) > TIMESTAMP '2026-01-01 00:00:00') FROM (SELECT eventtime AS t FROM [trail] AS "trail") AS x`},
		{`SELECT eventname > '2026-01-01' FROM trail`, `SELECT (eventname > '2026-01-01') FROM [trail] AS "trail"`},
		{`SELECT eventName, a.eventSource FROM activity AS a`, `SELECT "a"."eventdata"."eventname" AS "eventName", "a"."eventdata"."eventsource" AS "eventSource" FROM [activity] AS a`},
		{`SELECT userIdentity.arn, useridentity.type FROM activity`,
			`SELECT element_at("activity"."eventdata"."useridentity"."details", 'arn') AS "arn", "activity"."eventdata"."useridentity".type AS "type" FROM [activity] AS "activity"`},
		{`SELECT eventname, count(*) FROM activity GROUP BY eventname ORDER BY eventname`,
			`SELECT "activity"."eventdata"."eventname" AS "eventname", count(*) FROM [activity] AS "activity" GROUP BY "activity"."eventdata"."eventname" ORDER BY eventname`},
		{`SELECT * FROM trail`, `SELECT * FROM [trail] AS "trail"`},
		{`SELECT *, eventname AS n FROM activity WHERE eventid IN (SELECT eventid FROM trail)`,
			`SELECT *, "activity"."eventdata"."eventname" AS n FROM [activity] AS "activity" WHERE (eventid IN (SELECT eventid FROM [trail] AS "trail"))`},
		{`WITH w (A) AS (SELECT eventname FROM activity) SELECT a FROM W`, `WITH w (A) AS (SELECT "activity"."eventdata"."eventname" AS "eventname" FROM [activity] AS "activity") SELECT a FROM W`},
		{`SELECT useridentity.*, t.useridentity.* FROM trail AS t`, `SELECT "t".useridentity.*, t.useridentity.* FROM [trail] AS t`},
		{`SELECT current_user FROM trail`, `SELECT CAST('o''neil' AS varchar) FROM [trail] AS "trail"`},
		{`TABLE activity`, `SELECT * FROM [activity] AS "activity"`},
		{`SELECT transform(ARRAY[1], eventname -> eventname + 1) FROM activity`, `SELECT transform(ARRAY[1], (eventname) -> (eventname + 1)) FROM [activity] AS "activity"`},
		{`SELECT geometry_union(x) FROM trail MATCH_RECOGNIZE (ORDER BY eventtime MEASURES A.eventname AS x PATTERN (A+ /* - */ ?) DEFINE A AS eventname = 'x')`,
			`SELECT geometry_union(x) FROM [trail] AS "trail" MATCH_RECOGNIZE (ORDER BY eventtime MEASURES A.eventname AS x ONE ROW PER MATCH PATTERN (A+?) DEFINE A AS (eventname = 'x'))`},
		{`SELECT "weird fn"(-1, - 2) FROM trail`, `SELECT "weird fn"(-1, -2) FROM [trail] AS "trail"`},
		{`SELECT e.eventname FROM trail e JOIN activity a USING (eventid) WHERE a.eventname = e.eventname`,
			`SELECT e.eventname FROM [trail] AS e INNER JOIN [activity] AS a USING (eventid) WHERE ("a"."eventdata"."eventname" = e.eventname)`},
	} {
		if got, err := forTrino(c.sql); err != nil || got != c.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", c.sql, got, err, c.want)
		}
	}
}

// storeQuery is what stands in place of the first store.
func storeQuery(t *testing.T, sql string, notBefore int64) string {
	t.Helper()
	s, err := ForTrino(t.Context(), func() (*Query, error) { return Parse(sql) }, testCatalog{}, Session{Start: testStart})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s.uses[0].query(TrinoTable{`c"x`, "stores", "id", notBefore})
}

func TestTrinoStore(t *testing.T) {
	q := storeQuery(t, `SELECT eventname FROM trail`, 1_700_000_000_000_000)
	for _, want := range []string{`to_base64(sha256(to_utf8("eventjson"))) AS "eventjsonchecksum"`, `FROM "c""x"."stores"."id" WHERE "eventtime" >= TIMESTAMP '2023-11-14 22:13:20.000000')`, `"useridentity", "eventtime", `} {
		if !strings.Contains(q, want) {
			t.Errorf("%s\nlacks %s", q, want)
		}
	}
	if strings.Contains(q, "_sequence") || strings.Contains(q, "CAST") {
		t.Error(q)
	}
	const cast = `CAST("useridentity" AS row("type" varchar, `
	for sql, want := range map[string]bool{
		`SELECT useridentity.arn FROM trail`: false, `SELECT useridentity FROM trail`: true, `SELECT * FROM trail`: true, `SELECT useridentity.sessioncontext FROM trail`: true,
		`SELECT useridentity.sessioncontext.attributes.mfaauthenticated FROM trail`: false, `SELECT useridentity.sessioncontext.attributes.creationdate FROM trail`: true,
		`SELECT useridentity.* FROM trail`: true, `SELECT count(useridentity) FROM trail t`: true,
	} {
		if got := strings.Contains(storeQuery(t, sql, 0), cast); got != want {
			t.Errorf("%s: %s", sql, storeQuery(t, sql, 0))
		}
	}
	if q := storeQuery(t, `SELECT _sequence FROM trail`, 0); !strings.Contains(q, `, "_sequence" FROM`) || strings.Contains(q, "_position") {
		t.Error(q)
	}
	if q := storeQuery(t, `SELECT 1 FROM trail WHERE eventtime >= '2026-01-02' AND eventname = 'x'`, 0); !strings.HasSuffix(q, ` AND "eventtime" >= TIMESTAMP '2026-01-02 00:00:00.000000')`) {
		t.Error(q)
	}
}

// TestTrinoHidden: SELECT * leaves out the columns that are hidden, also where one of them is named beside it.
func TestTrinoHidden(t *testing.T) {
	got, err := forTrino(`SELECT t.*, t._sequence FROM trail AS t`)
	if err != nil || !strings.HasPrefix(got, `SELECT "t"."eventversion", "t"."useridentity", `) || strings.Contains(got, "_position") || strings.Contains(got, "*") {
		t.Error(got, err)
	}
	if got, err := forTrino(`SELECT * FROM trail a JOIN trail b USING (eventid) WHERE a._sequence > 0`); err == nil {
		t.Error(got)
	}
}

func TestTrinoRefuses(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT 1 FROM system.runtime.queries`:                               "line 1:15: Table 'system.runtime.queries' does not exist",
		`SELECT 1 FROM "cat"."stores"."x"`:                                   "line 1:15: Table 'cat.stores.x' does not exist",
		`SELECT 1 FROM TABLE(system.query('x'))`:                             "line 1:15: Table function 'system.query' not registered",
		`SELECT a.b.c('x') FROM trail`:                                       "line 1:8: Function 'a.b.c' not registered",
		`SELECT evntname FROM trail`:                                         "line 1:8: Column 'evntname' cannot be resolved; did you mean 'eventname'?",
		`SELECT geometry_union(evntname) FROM trail`:                         "line 1:23: Column 'evntname' cannot be resolved; did you mean 'eventname'?",
		`SELECT current_catalog FROM trail`:                                  "line 1:8: current_catalog is not supported: event data stores have none",
		`SELECT eventname FROM trail FOR VERSION AS OF 1`:                    "line 1:23: FOR … AS OF is not supported",
		`SELECT soundex(eventname) FROM activity, UNNEST(f(eventid)) AS u`:   "line 1:16: 'eventname' could be a column of a relation whose columns are not known here",
		`SELECT soundex(eventid) FROM trail WHERE eventtime > 'yesterday'`:   "'yesterday' is not a timestamp",
		`SELECT soundex(useridentity.nope) FROM trail`:                       "Column 'nope' cannot be resolved",
		`SELECT eventid FROM trail; DROP TABLE trail`:                        "only one statement is allowed",
		`SELECT "x' 1" 'a' FROM trail`:                                       "line 1:8: Unknown type: ",
		`SELECT CAST(eventid AS "varchar); DROP TABLE x; --") FROM trail`:    "Unknown type",
		`SELECT soundex(eventid) FROM trail x, activity x WHERE eventid = 1`: "Column 'eventid' is ambiguous",
	} {
		got, err := forTrino(sql)
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Error(), want) {
			t.Errorf("%s: %s %v, want %s", sql, got, err, want)
		}
	}
}

// TestTrinoPlaces: a place in what Trino was sent leads back to what the caller wrote there.
func TestTrinoPlaces(t *testing.T) {
	sql := "SELECT a.eventName,\n  geometry_area(eventid), 'x\ny' || nothing(1)\nFROM activity AS a"
	s, err := ForTrino(t.Context(), func() (*Query, error) { return Parse(sql) }, testCatalog{}, Session{Start: testStart})
	if err != nil {
		t.Fatal(err)
	}
	text := s.Write(func(u Use) TrinoTable { return TrinoTable{"cat", "stores", u.Table.ID, 0} })
	for word, want := range map[string][2]int{`"eventdata"`: {1, 8}, "geometry_area": {2, 3}, "eventid": {2, 17}, "nothing": {3, 7}, `"stores"`: {4, 6}} {
		i := strings.Index(text.SQL, word)
		line, column := text.Place(place(text.SQL, i))
		if i < 0 || line != want[0] || column != want[1] {
			t.Errorf("%s: %d:%d, want %v in %s", word, line, column, want, text.SQL)
		}
	}
	if line, column := text.Place(99, 99); line != 4 || column < 1 {
		t.Errorf("beyond the end: %d:%d", line, column)
	}
}

// TestTrinoNests: time and text grow with the statement, not with how deep it nests.
func TestTrinoNests(t *testing.T) {
	for _, form := range []string{"CASE % WHEN 1 THEN 2 END", "trim(% FROM %0)", "nullif(%, 1)", "(% BETWEEN 1 AND 2)", "coalesce(%, 1)", "(SELECT %)"} {
		sql := "1"
		for range 60 {
			sql = strings.Replace(strings.Replace(form, "%0", "'a'", 1), "%", sql, 1)
		}
		if _, err := forTrino("SELECT " + sql + " FROM trail"); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// A template for Trino is the statement with the literals in their places; parameters look alike in its text and are not taken for one another.
func TestTrinoParameters(t *testing.T) {
	trino := func(parse func() (*Query, error)) (string, error) {
		s, err := ForTrino(context.Background(), parse, testCatalog{}, Session{Start: testStart, User: "o'neil"})
		if err != nil {
			return "", err
		}
		return s.Write(func(u Use) TrinoTable { return TrinoTable{"cat", "stores", u.Table.ID, 0} }).SQL, nil
	}
	for _, c := range []struct {
		template string
		values   []string
		same     string
	}{
		{"SELECT ?, '?' FROM trail WHERE eventtime > '?'", []string{"1", "x", "2026-01-01"}, "SELECT 1, 'x' FROM trail WHERE eventtime > '2026-01-01'"},
		{"SELECT eventname || '?', count(*) FROM trail GROUP BY eventname || '?'", []string{"a", "a"}, "SELECT eventname || 'a', count(*) FROM trail GROUP BY eventname || 'a'"},
		{"SELECT eventname || '?', count(*) FROM trail GROUP BY eventname || '?'", []string{"a", "b"}, "SELECT eventname || 'a', count(*) FROM trail GROUP BY eventname || 'b'"},
		{"SELECT DISTINCT eventname || '?' FROM trail ORDER BY eventname || '?'", []string{"a", "b"}, "SELECT DISTINCT eventname || 'a' FROM trail ORDER BY eventname || 'b'"},
		{"SELECT x.a, x.b FROM (SELECT max('?') AS a, max('?') AS b FROM trail) AS x", []string{"p", "q"}, "SELECT x.a, x.b FROM (SELECT max('p') AS a, max('q') AS b FROM trail) AS x"},
		{"SELECT count(*) FILTER (WHERE eventname = '?'), count(*) FILTER (WHERE eventname = '?') FROM trail", []string{"A", "B"},
			"SELECT count(*) FILTER (WHERE eventname = 'A'), count(*) FILTER (WHERE eventname = 'B') FROM trail"},
	} {
		got, gotErr := trino(func() (*Query, error) { return ParseTemplate(c.template, c.values) })
		want, wantErr := trino(func() (*Query, error) { return Parse(c.same) })
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s %q:\n%s (%v)\nwant\n%s (%v)", c.template, c.values, got, gotErr, want, wantErr)
		}
	}
}
