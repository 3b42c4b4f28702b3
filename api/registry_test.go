package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
)

// noLake is a lake without tables: these tests are about the wire.
type noLake struct{}

func (noLake) CreateTable(context.Context, string, event.Kind) error { return nil }
func (noLake) DropTable(context.Context, string) error               { return nil }
func (noLake) RetireTable(context.Context, string) error             { return nil }

// serveRegistry serves the operations on event data stores, channels and tags over a registry of its own.
func serveRegistry(t *testing.T) (*wire, *registry.Registry) {
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := time.Date(2026, 11, 22, 12, 0, 0, 250e6, time.UTC)
	r, err := registry.New(t.Context(), registry.Config{DB: db, Lake: noLake{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return serveTest(t, func(s *Server) {
		s.HandleEventDataStores(r)
		s.HandleChannels(r)
		s.HandleTags(r)
	}), r
}

// want makes a call and compares its answer; ARN and other names in ids stand for ids of this run in body and want.
func (w *wire) want(operation, body, want string, ids ...string) map[string]any {
	w.t.Helper()
	names := strings.NewReplacer(ids...)
	a := w.call(operation, names.Replace(body))
	var got, wanted map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		w.t.Fatalf("%s: %s", operation, a.body)
	}
	if want == "" { // a success; the caller looks at it
		if a.status != 200 {
			w.t.Fatalf("%s: %s", operation, a.body)
		}
		return got
	}
	if !strings.HasPrefix(want, "{") {
		if a.status != 400 || got["__type"] != want {
			w.t.Errorf("%s %s: %d %s, want %s", operation, body, a.status, a.body, want)
		}
		return got
	}
	if err := json.Unmarshal([]byte(names.Replace(want)), &wanted); err != nil {
		w.t.Fatalf("%s: %v", want, err)
	}
	if a.status != 200 || !reflect.DeepEqual(got, wanted) {
		w.t.Errorf("%s %s: %d\n got %s\nwant %s", operation, body, a.status, a.body, names.Replace(want))
	}
	return got
}

func TestEventDataStores(t *testing.T) {
	w, _ := serveRegistry(t)
	made := w.want("CreateEventDataStore", `{"Name":"store","TagsList":[{"Key":"team","Value":"ir"}]}`, "")
	arn := made["EventDataStoreArn"].(string)
	id := arn[strings.LastIndex(arn, "/")+1:]
	if !strings.HasPrefix(arn, "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/") {
		t.Fatal(arn)
	}
	if !reflect.DeepEqual(made["TagsList"], []any{map[string]any{"Key": "team", "Value": "ir"}}) || made["CreatedTimestamp"] != 1795348800.25 {
		t.Errorf("%v", made)
	}
	const rest = `"AdvancedEventSelectors":[{"Name":"Default management events","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}],
		"MultiRegionEnabled":true,"OrganizationEnabled":false,"CreatedTimestamp":1795348800.25,"UpdatedTimestamp":1795348800.25,`
	ids := []string{"ARN", arn, "ID", id}
	w.want("GetEventDataStore", `{"EventDataStore":"ID"}`, `{"EventDataStoreArn":"ARN","Name":"store","Status":"ENABLED",`+rest+
		`"RetentionPeriod":366,"TerminationProtectionEnabled":true,"BillingMode":"EXTENDABLE_RETENTION_PRICING","FederationStatus":"DISABLED"}`, ids...)
	w.want("ListEventDataStores", `{}`, `{"EventDataStores":[{"EventDataStoreArn":"ARN","Name":"store","Status":"ENABLED",`+rest+
		`"RetentionPeriod":366,"TerminationProtectionEnabled":true}]}`, ids...)
	w.want("UpdateEventDataStore", `{"EventDataStore":"ARN","TerminationProtectionEnabled":false,"RetentionPeriod":7}`, `{"EventDataStoreArn":"ARN","Name":"store","Status":"ENABLED",`+rest+
		`"RetentionPeriod":7,"TerminationProtectionEnabled":false,"BillingMode":"EXTENDABLE_RETENTION_PRICING","FederationStatus":"DISABLED"}`, ids...)
	w.want("EnableFederation", `{"EventDataStore":"ID","FederationRoleArn":"arn:aws:iam::123456789012:role/r"}`,
		`{"EventDataStoreArn":"ARN","FederationStatus":"ENABLED","FederationRoleArn":"arn:aws:iam::123456789012:role/r"}`, ids...)
	if got := w.want("GetEventDataStore", `{"EventDataStore":"ID"}`, "", ids...); got["FederationStatus"] != "ENABLED" || got["FederationRoleArn"] != "arn:aws:iam::123456789012:role/r" {
		t.Errorf("%v", got)
	}
	w.want("DeleteEventDataStore", `{"EventDataStore":"ARN"}`, "EventDataStoreFederationEnabledException", ids...)
	w.want("DisableFederation", `{"EventDataStore":"ARN"}`, `{"EventDataStoreArn":"ARN","FederationStatus":"DISABLED"}`, ids...)
	w.want("StopEventDataStoreIngestion", `{"EventDataStore":"ARN"}`, `{}`, ids...)
	w.want("StopEventDataStoreIngestion", `{"EventDataStore":"ARN"}`, "InvalidEventDataStoreStatusException", ids...)
	w.want("StartEventDataStoreIngestion", `{"EventDataStore":"ID"}`, `{}`, ids...)
	w.want("DeleteEventDataStore", `{"EventDataStore":"ARN"}`, `{}`, ids...)
	w.want("UpdateEventDataStore", `{"EventDataStore":"ARN","Name":"new"}`, "InactiveEventDataStoreException", ids...)
	w.want("RestoreEventDataStore", `{"EventDataStore":"ARN"}`, `{"EventDataStoreArn":"ARN","Name":"store","Status":"ENABLED",`+rest+
		`"RetentionPeriod":7,"TerminationProtectionEnabled":false,"BillingMode":"EXTENDABLE_RETENTION_PRICING"}`, ids...)

	for _, c := range []struct{ operation, body, code string }{
		{"CreateEventDataStore", `{"Name":"store"}`, "EventDataStoreAlreadyExistsException"},
		{"CreateEventDataStore", `{"Name":"ab"}`, "InvalidParameterException"},
		{"CreateEventDataStore", `{"Name":"new","KmsKeyId":"alias/x"}`, "UnsupportedOperationException"},
		{"CreateEventDataStore", `{"Name":"new","AdvancedEventSelectors":[]}`, "InvalidEventSelectorsException"},
		{"CreateEventDataStore", `{"Name":"new","OrganizationEnabled":true}`, "OrganizationsNotInUseException"},
		{"UpdateEventDataStore", `{"EventDataStore":"ARN"}`, "InvalidParameterException"},
		{"UpdateEventDataStore", `{"EventDataStore":"ARN","AdvancedEventSelectors":[]}`, "InvalidEventSelectorsException"},
		{"GetEventDataStore", `{"EventDataStore":"abc"}`, "EventDataStoreARNInvalidException"},
		{"EnableFederation", `{"EventDataStore":"ID"}`, "InvalidParameterException"},
		{"EnableFederation", `{"EventDataStore":"ID","FederationRoleArn":"a role"}`, "InvalidParameterException"},
		{"EnableFederation", `{"EventDataStore":"abc","FederationRoleArn":"arn:aws:iam::123456789012:role/r"}`, "EventDataStoreARNInvalidException"},
		{"DisableFederation", `{}`, "InvalidParameterException"},
		{"RestoreEventDataStore", `{"EventDataStore":"ARN"}`, "InvalidEventDataStoreStatusException"},
	} {
		w.want(c.operation, c.body, c.code, ids...)
	}
	w.key = otherKey
	w.want("GetEventDataStore", `{"EventDataStore":"ARN"}`, "EventDataStoreNotFoundException", ids...)
	w.want("ListEventDataStores", `{}`, `{"EventDataStores":[]}`)
}

func TestListEventDataStoresPages(t *testing.T) {
	w, _ := serveRegistry(t)
	for i := range 5 {
		w.want("CreateEventDataStore", fmt.Sprintf(`{"Name":"store-%d"}`, i), "")
	}
	seen := map[string]bool{}
	token := ""
	for n := 0; ; n++ {
		body := `{"MaxResults":2}`
		if token != "" {
			body = `{"MaxResults":2,"NextToken":"` + token + `"}`
		}
		page := w.want("ListEventDataStores", body, "")
		for _, s := range page["EventDataStores"].([]any) {
			seen[s.(map[string]any)["Name"].(string)] = true
		}
		next, ok := page["NextToken"].(string)
		if !ok {
			if n != 2 {
				t.Errorf("%d pages", n+1)
			}
			break
		}
		token = next
	}
	if len(seen) != 5 {
		t.Errorf("%v", seen)
	}
	w.want("ListEventDataStores", `{"NextToken":"`+token[:len(token)-4]+`AAAA"}`, "InvalidNextTokenException")
	w.want("ListChannels", `{"NextToken":"`+token+`"}`, "InvalidNextTokenException") // another operation's
}

func TestChannels(t *testing.T) {
	w, r := serveRegistry(t)
	outside := `"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["ActivityAuditLog"]}]}]`
	ids := []string{"$EDS", w.want("CreateEventDataStore", `{"Name":"outside",`+outside+`}`, "")["EventDataStoreArn"].(string),
		"LOGS", w.want("CreateEventDataStore", `{"Name":"logs"}`, "")["EventDataStoreArn"].(string)}
	destinations := `"Destinations":[{"Type":"EVENT_DATA_STORE","Location":"$EDS"}]`
	arn := w.want("CreateChannel", `{"Name":"wiz","Source":"Wiz",`+destinations+`,"Tags":[{"Key":"a"}]}`, "", ids...)["ChannelArn"].(string)
	id := arn[strings.LastIndex(arn, "/")+1:]
	ids = append(ids, "ARN", arn, "UID", id)
	w.want("GetChannel", `{"Channel":"ARN"}`, `{"ChannelArn":"ARN","Name":"wiz","Source":"Wiz",`+destinations+`}`, ids...)
	r.Attempted(id, "0233062b-51c6-4d18-8dec-a8c90da840d9", "")
	w.want("GetChannel", `{"Channel":"UID"}`, `{"ChannelArn":"ARN","Name":"wiz","Source":"Wiz",`+destinations+`,"IngestionStatus":{
		"LatestIngestionSuccessTime":1795348800.25,"LatestIngestionSuccessEventID":"0233062b-51c6-4d18-8dec-a8c90da840d9",
		"LatestIngestionAttemptTime":1795348800.25,"LatestIngestionAttemptEventID":"0233062b-51c6-4d18-8dec-a8c90da840d9"}}`, ids...)
	w.want("UpdateChannel", `{"Channel":"UID","Name":"wiz-2"}`, `{"ChannelArn":"ARN","Name":"wiz-2","Source":"Wiz",`+destinations+`}`, ids...)
	w.want("ListChannels", `{}`, `{"Channels":[{"ChannelArn":"ARN","Name":"wiz-2"}]}`, ids...)
	w.want("UpdateEventDataStore", `{"EventDataStore":"$EDS","TerminationProtectionEnabled":false}`, "", ids...)
	w.want("DeleteEventDataStore", `{"EventDataStore":"$EDS"}`, "ChannelExistsForEDSException", ids...)
	for _, c := range []struct{ operation, body, code string }{
		{"CreateChannel", `{"Name":"new","Source":"x","Destinations":[{"Type":"EVENT_DATA_STORE","Location":"LOGS"}]}`, "InvalidEventDataStoreCategoryException"},
		{"CreateChannel", `{"Name":"wiz-2","Source":"x",` + destinations + `}`, "ChannelAlreadyExistsException"},
		{"UpdateChannel", `{"Channel":"ARN"}`, "InvalidParameterException"},
		{"UpdateChannel", `{"Channel":"LOGS","Name":"abc"}`, "ChannelARNInvalidException"},
	} {
		w.want(c.operation, c.body, c.code, ids...)
	}
	w.want("DeleteChannel", `{"Channel":"ARN"}`, `{}`, ids...)
	w.want("GetChannel", `{"Channel":"ARN"}`, "ChannelNotFoundException", ids...)
	w.want("DeleteEventDataStore", `{"EventDataStore":"$EDS"}`, `{}`, ids...)
}

func TestTags(t *testing.T) {
	w, _ := serveRegistry(t)
	ids := []string{"ARN", w.want("CreateEventDataStore", `{"Name":"store"}`, "")["EventDataStoreArn"].(string)}
	w.want("ListTags", `{"ResourceIdList":["ARN"]}`, `{"ResourceTagList":[{"ResourceId":"ARN","TagsList":[]}]}`, ids...)
	w.want("AddTags", `{"ResourceId":"ARN","TagsList":[{"Key":"team","Value":"ir"},{"Key":"bare"}]}`, `{}`, ids...)
	w.want("ListTags", `{"ResourceIdList":["ARN"]}`, `{"ResourceTagList":[{"ResourceId":"ARN","TagsList":[{"Key":"bare"},{"Key":"team","Value":"ir"}]}]}`, ids...)
	w.want("RemoveTags", `{"ResourceId":"ARN","TagsList":[{"Key":"bare"}]}`, `{}`, ids...)
	w.want("ListTags", `{"ResourceIdList":["ARN"]}`, `{"ResourceTagList":[{"ResourceId":"ARN","TagsList":[{"Key":"team","Value":"ir"}]}]}`, ids...)
	w.want("ListTags", `{"ResourceIdList":["ARN"],"NextToken":"abcd"}`, "InvalidTokenException", ids...)
	w.want("AddTags", `{"ResourceId":"nothing","TagsList":[{"Key":"a"}]}`, "CloudTrailARNInvalidException")
	w.key = otherKey
	w.want("ListTags", `{"ResourceIdList":["ARN"]}`, "EventDataStoreNotFoundException", ids...)
}
