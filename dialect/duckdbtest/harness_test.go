// Package duckdbtest runs statements that the dialect wrote on DuckDB itself. It stands apart because linking DuckDB is slow.
package duckdbtest

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/lochlake/loch/dialect"
	workerfunctions "github.com/lochlake/loch/engine/worker/functions"
)

const trailID = "0233062b-51c6-4d18-8dec-a8c90da840d9"

var start = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

func row(fields ...any) dialect.Type {
	t := dialect.Type{Kind: dialect.Row}
	for i := 0; i < len(fields); i += 2 {
		t.Fields = append(t.Fields, dialect.Field{Name: fields[i].(string), Type: fields[i+1].(dialect.Type)})
	}
	return t
}

var (
	text    = dialect.TypeVarchar
	textMap = dialect.MapOf(text, text)
)

var tables = map[string]*dialect.Table{
	"trail": {ID: "trail", Columns: []dialect.TableColumn{
		{Name: "eventtime", Type: dialect.TypeTimestamp},
		{Name: "eventname", Type: text},
		{Name: "eventsource", Type: text},
		{Name: "awsregion", Type: text},
		{Name: "errorcode", Type: text},
		{Name: "useridentity", Type: row("type", text, "arn", text)},
		{Name: "requestparameters", Type: textMap},
		{Name: "resources", Type: dialect.ArrayOf(row("accountid", text, "type", text, "arn", text))},
		{Name: "readonly", Type: dialect.TypeBoolean},
		{Name: "eventid", Type: text},
		{Name: "_sequence", Type: dialect.TypeBigint, Hidden: true},
		{Name: "_score", Type: dialect.TypeDouble, Hidden: true},
	}},
	"activity": {ID: "activity", Columns: []dialect.TableColumn{
		{Name: "eventtime", Type: dialect.TypeTimestamp},
		{Name: "eventid", Type: text},
		{Name: "eventdata", Type: row("eventsource", text, "eventname", text, "useridentity", row("type", text, "principalid", text, "details", textMap))},
	}, Aliases: map[string]string{"eventname": "eventdata.eventname", "eventsource": "eventdata.eventsource", "useridentity": "eventdata.useridentity",
		"useridentity.arn": "eventdata.useridentity.details.arn"}},
}

const data = `
CREATE TABLE trail AS SELECT * FROM (VALUES
 (TIMESTAMP '2026-11-20 10:00:00', 'GetObject', 's3.amazonaws.com', 'us-east-1', NULL, {'type': 'IAMUser', 'arn': 'arn:alice'}, MAP {'bucketName': 'b1', 'key': 'k'}, [{'accountid': '1', 'type': 'AWS::S3::Bucket', 'arn': 'arn:b1'}, {'accountid': '2', 'type': 'AWS::S3::Object', 'arn': 'arn:b1/k'}], true, 'e1', 1::BIGINT, 1.5::DOUBLE),
 (TIMESTAMP '2026-11-20 11:00:00.250', 'PutObject', 's3.amazonaws.com', 'us-east-1', 'AccessDenied', {'type': 'IAMUser', 'arn': 'arn:bob'}, MAP {'bucketName': 'b2'}, [], false, 'e2', 2, 'NaN'::DOUBLE),
 (TIMESTAMP '2026-11-21 00:00:00', 'ConsoleLogin', 'signin.amazonaws.com', 'eu-west-1', NULL, {'type': 'Root', 'arn': 'arn:root'}, NULL, NULL, false, 'e3', 3, -2.5),
 (TIMESTAMP '2026-11-21 12:30:00', 'GetObject', 's3.amazonaws.com', 'eu-west-1', NULL, {'type': 'AssumedRole', 'arn': NULL}, MAP {}, [{'accountid': '1', 'type': NULL, 'arn': 'arn:b3'}], true, 'e4', 4, NULL),
 (TIMESTAMP '2026-11-22 23:59:59.999', 'DeleteBucket', 's3.amazonaws.com', NULL, 'NoSuchBucket', NULL, MAP {'bucketName': 'b2'}, NULL, NULL, 'e5', 5, 1e20)
) t(eventtime, eventname, eventsource, awsregion, errorcode, useridentity, requestparameters, resources, readonly, eventid, _sequence, _score);
CREATE TABLE activity AS SELECT * FROM (VALUES
 (TIMESTAMP '2026-11-20 10:00:00', 'e1', {'eventsource': 'wiz.io', 'eventname': 'Login', 'useridentity': {'type': 'user', 'principalid': 'p1', 'details': MAP {'arn': 'arn:wiz'}}}),
 (TIMESTAMP '2026-11-20 12:00:00', 'x2', {'eventsource': 'wiz.io', 'eventname': 'Logout', 'useridentity': {'type': 'user', 'principalid': 'p2', 'details': MAP {}}})
) t(eventtime, eventid, eventdata);`

type catalog struct{}

func (catalog) Resolve(_ context.Context, n dialect.TableName) (*dialect.Table, error) {
	name := strings.ToLower(n.String())
	if name == trailID {
		name = "trail"
	}
	if t := tables[name]; t != nil {
		return t, nil
	}
	return nil, dialect.ErrNoTable
}

func open(t testing.TB) *sql.Conn {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for _, s := range strings.Split(data, ";\n") {
		if _, err := c.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(workerfunctions.Serve(4))
	return c
}

// register makes the worker's functions known that a written statement names.
func register(t testing.TB, c *sql.Conn, written string) {
	err := c.Raw(func(driver any) error {
		conn := reflect.ValueOf(driver).Elem().FieldByName("conn").FieldByName("Ptr").UnsafePointer()
		return workerfunctions.Register(bindings.Connection{Ptr: conn}, written)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func check(sql string) (*dialect.Statement, error) {
	q, err := dialect.Parse(sql)
	if err != nil {
		return nil, err
	}
	return dialect.Check(context.Background(), q, catalog{}, dialect.Session{Start: start, User: "root"})
}

// run answers a statement: rows separated by "; ", columns by " | ", or what went wrong after "error: ".
func run(t testing.TB, c *sql.Conn, statement string) string {
	s, err := check(statement)
	if err != nil {
		return "refused: " + err.Error()
	}
	for _, u := range s.Uses {
		if _, err := c.ExecContext(t.Context(), "CREATE OR REPLACE TEMP VIEW "+u.Relation+" AS SELECT * FROM "+u.Table.ID); err != nil {
			t.Fatal(err)
		}
	}
	register(t, c, s.DuckDB())
	rows, err := c.QueryContext(t.Context(), s.DuckDB())
	if err != nil {
		return problem(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(s.Columns) {
		t.Errorf("%s\n\t%d columns where %d were announced", statement, len(names), len(s.Columns))
	}
	var lines []string
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			if names[i] != "c"+strconv.Itoa(i) {
				t.Errorf("%s\n\tcolumn %d is named %s", statement, i, names[i])
			}
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		parts := make([]string, len(values))
		for i, v := range values {
			parts[i] = show(v, s.Columns[i].Type)
		}
		lines = append(lines, strings.Join(parts, " | "))
	}
	if err := rows.Err(); err != nil {
		return problem(err)
	}
	return strings.Join(lines, "; ")
}

func problem(err error) string { return "error: " + dialect.EngineMessage(err.Error()) }

// show writes a value roughly as Trino would.
func show(v any, t dialect.Type) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Sprint(v)
		}
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case time.Time:
		if t.Kind == dialect.Date {
			return v.Format("2006-01-02")
		}
		layout := "2006-01-02 15:04:05"
		if t.Precision > 0 {
			layout += "." + strings.Repeat("0", t.Precision)
		}
		if t.Kind == dialect.TimestampZoned {
			return v.In(zone(t.Zone)).Format(layout) + " " + t.Zone
		}
		return v.Format(layout)
	case duckdb.Interval:
		sign := ""
		n := int64(v.Months)
		if t.Kind == dialect.IntervalDaySecond {
			n = v.Micros / 1000
		}
		if n < 0 {
			sign, n = "-", -n
		}
		if t.Kind == dialect.IntervalYearMonth {
			return fmt.Sprintf("%s%d-%d", sign, n/12, n%12)
		}
		return fmt.Sprintf("%s%d %02d:%02d:%02d.%03d", sign, n/86400000, n/3600000%24, n/60000%60, n/1000%60, n%1000)
	case []byte:
		if t.Kind == dialect.UUID {
			return fmt.Sprintf("%x", v)
		}
		return fmt.Sprintf("x%x", v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = show(e, *t.Elem)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for name, e := range v {
			ft := dialect.TypeVarchar
			for _, f := range t.Fields {
				if strings.EqualFold(f.Name, name) {
					ft = f.Type
				}
			}
			parts = append(parts, name+"="+show(e, ft))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case duckdb.OrderedMap:
		var parts []string
		for i, k := range v.Keys() {
			parts = append(parts, show(k, *t.Key)+"="+show(v.Values()[i], *t.Elem))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case duckdb.Decimal:
		return v.String()
	}
	return fmt.Sprint(v)
}

func zone(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	var h, m int
	fmt.Sscanf(name, "%d:%d", &h, &m)
	if strings.HasPrefix(name, "-") {
		m = -m
	}
	return time.FixedZone(name, h*3600+m*60)
}
