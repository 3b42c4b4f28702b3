package dialect

import (
	"context"
	"strings"
	"time"
)

// testCatalog has two stores: one of CloudTrail's kind ("trail", also by an ID and an ARN), one of events from outside AWS ("activity").
type testCatalog struct{}

const testID = "0233062b-51c6-4d18-8dec-a8c90da840d9"

var testStart = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

func row(fields ...any) Type {
	t := Type{Kind: Row}
	for i := 0; i < len(fields); i += 2 {
		t.Fields = append(t.Fields, Field{fields[i].(string), fields[i+1].(Type)})
	}
	return t
}

var (
	text    = TypeVarchar
	textMap = MapOf(TypeVarchar, TypeVarchar)
)

var trailTable = &Table{ID: "trail", Columns: []TableColumn{
	{Name: "eventversion", Type: text},
	{Name: "useridentity", Type: row("type", text, "principalid", text, "arn", text, "accountid", text, "sessioncontext",
		row("attributes", row("creationdate", TypeTimestamp, "mfaauthenticated", text)))},
	{Name: "eventtime", Type: TypeTimestamp},
	{Name: "eventsource", Type: text},
	{Name: "eventname", Type: text},
	{Name: "awsregion", Type: text},
	{Name: "sourceipaddress", Type: text},
	{Name: "errorcode", Type: text},
	{Name: "requestparameters", Type: textMap},
	{Name: "resources", Type: ArrayOf(row("accountid", text, "type", text, "arn", text))},
	{Name: "readonly", Type: TypeBoolean},
	{Name: "eventid", Type: text},
	{Name: "eventjson", Type: text},
	{Name: "eventjsonchecksum", Type: text, Computed: true},
	{Name: "_sequence", Type: TypeBigint, Hidden: true},
	{Name: "_position", Type: TypeInteger, Hidden: true},
}}

var activityTable = &Table{ID: "activity", Columns: []TableColumn{
	{Name: "eventtime", Type: TypeTimestamp},
	{Name: "eventid", Type: text},
	{Name: "eventdata", Type: row("eventsource", text, "eventname", text, "useridentity", row("type", text, "principalid", text, "details", textMap),
		"requestparameters", textMap)},
}, Aliases: map[string]string{
	"eventname": "eventdata.eventname", "eventsource": "eventdata.eventsource", "useridentity": "eventdata.useridentity",
	"useridentity.arn": "eventdata.useridentity.details.arn", "requestparameters": "eventdata.requestparameters",
}}

func (testCatalog) Resolve(_ context.Context, n TableName) (*Table, error) {
	name := strings.ToLower(n.String())
	switch {
	case name == "trail", name == testID, strings.HasSuffix(name, ":eventdatastore/"+testID):
		return trailTable, nil
	case name == "activity":
		return activityTable, nil
	}
	return nil, ErrNoTable
}

func check(sql string) (*Statement, error) {
	q, err := Parse(sql)
	if err != nil {
		return nil, err
	}
	return Check(context.Background(), q, testCatalog{}, Session{Start: testStart, User: "root"})
}
