package model

import (
	"bytes"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/lochlake/loch/awserr"
)

func TestModelCompiles(t *testing.T) {
	if n := len(Names()); n != 61 {
		t.Errorf("%d operations", n)
	}
	for name := range codes {
		if compiled().shapes[name] == nil {
			t.Errorf("there is no shape %s to have a code", name)
		}
	}
	if Lookup("Nonsense") != nil {
		t.Error("an operation from nowhere")
	}
}

func TestDecode(t *testing.T) {
	id := "12345678-1234-1234-1234-123456789012"
	long := strings.Repeat("a", 129)
	for _, c := range []struct {
		name, op string
		into     any
		body     string
		want     string // the input written again as JSON, or the error
	}{
		{"empty body", "ListChannels", new(ListChannelsRequest), ``, `{}`},
		{"white space", "ListChannels", new(ListChannelsRequest), " \n\t{ } \r\n", `{}`},
		{"unknown members", "ListChannels", new(ListChannelsRequest), `{"X":[1,{"a":[null,true,false,"\u00e9",-1.5e+3]},[],{}],"MaxResults":3}`, `{"MaxResults":3}`},
		{"names match exactly", "ListChannels", new(ListChannelsRequest), `{"maxresults":3}`, `{}`},
		{"null is absence", "ListChannels", new(ListChannelsRequest), `{"MaxResults":null}`, `{}`},
		{"the last duplicate holds", "ListChannels", new(ListChannelsRequest), `{"MaxResults":3,"MaxResults":4}`, `{"MaxResults":4}`},
		{"even null", "GetImport", new(GetImportRequest), `{"ImportId":"` + id + `","ImportId":null}`,
			"InvalidParameterException: 1 validation error detected: Value null at 'importId' failed to satisfy constraint: Member must not be null"},
		{"whole floats are integers", "ListChannels", new(ListChannelsRequest), `{"MaxResults":1e1}`, `{"MaxResults":10}`},
		{"escapes", "StartQuery", new(StartQueryRequest), `{"QueryStatement":"a\n\t\"\\\/\u00e9\ud83d\ude00é😀"}`, `{"QueryStatement":"a\n\t\"\\/é😀é😀"}`},
		{"time", "LookupEvents", new(LookupEventsRequest), `{"StartTime":1700000000.5}`, `{"StartTime":1700000000.5}`},
		{"nested", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc","MultiRegionEnabled":false,"AdvancedEventSelectors":[{"Name":"x","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]}`,
			`{"Name":"abc","AdvancedEventSelectors":[{"Name":"x","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}],"MultiRegionEnabled":false}`},
		{"an empty list stays", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc","TagsList":[]}`, `{"Name":"abc","TagsList":[]}`},
		{"map", "UpdateDashboard", new(UpdateDashboardRequest), `{"DashboardId":"abc","Widgets":[{"QueryStatement":"q","ViewProperties":{"abc":"bcd","abc":"cde"}}]}`,
			`{"DashboardId":"abc","Widgets":[{"QueryStatement":"q","ViewProperties":{"abc":"cde"}}]}`},

		{"required", "StartImport", new(StartImportRequest), `{"ImportSource":{"S3":{}}}`, "InvalidParameterException: 3 validation errors detected: Value null at 'importSource.s3.s3BucketAccessRoleArn' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'importSource.s3.s3BucketRegion' failed to satisfy constraint: Member must not be null; Value null at 'importSource.s3.s3LocationUri' failed to satisfy constraint: Member must not be null"},
		{"a parameter missing", "ListQueries", new(ListQueriesRequest), `{}`, "InvalidParameterException: 1 validation error detected: Value null at 'eventDataStore'"},
		{"a part of one missing", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc","AdvancedEventSelectors":[{}]}`, "InvalidEventSelectorsException: 1 validation error detected: Value null at 'advancedEventSelectors.1.member.fieldSelectors'"},
		{"maximum", "LookupEvents", new(LookupEventsRequest), `{"MaxResults":51}`, "InvalidMaxResultsException: 1 validation error detected: Value '51' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50"},
		{"minimum", "ListQueries", new(ListQueriesRequest), `{"EventDataStore":"abc","MaxResults":0}`, "InvalidMaxResultsException: 1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"length", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"` + long + `"}`, "InvalidParameterException: 1 validation error detected: Value '" + long + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"length counts characters", "AddTags", new(AddTagsRequest), `{"ResourceId":"abc","TagsList":[{"Key":"` + strings.Repeat("é", 128) + `"}]}`, `{"ResourceId":"abc","TagsList":[{"Key":"` + strings.Repeat("é", 128) + `"}]}`},
		{"path", "AddTags", new(AddTagsRequest), `{"ResourceId":"abc","TagsList":[{"Key":"a"},{"Key":""}]}`, "InvalidTagParameterException: 1 validation error detected: Value '' at 'tagsList.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"pattern", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"a b"}`, `InvalidParameterException: 1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9._\-]+$`},
		{"pattern to the very end", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc\n"}`, "InvalidParameterException"},
		{"unanchored patterns match whole", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc","AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"a b"}]}]}`, "InvalidEventSelectorsException"},
		{"empty list", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"Name":"abc","AdvancedEventSelectors":[{"FieldSelectors":[]}]}`,
			"InvalidEventSelectorsException: 1 validation error detected: Value '[]' at 'advancedEventSelectors.1.member.fieldSelectors' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"null in a list", "RemoveTags", new(RemoveTagsRequest), `{"ResourceId":"abc","TagsList":[null]}`, "Value null at 'tagsList.1.member' failed to satisfy constraint: Member must not be null"},
		{"enum", "LookupEvents", new(LookupEventsRequest), `{"LookupAttributes":[{"AttributeKey":"Color","AttributeValue":"x"}]}`,
			"InvalidLookupAttributesException: 1 validation error detected: Value 'Color' at 'lookupAttributes.1.member.attributeKey' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{"no documented error", "GetTrail", new(GetTrailRequest), `{}`, "ValidationException: 1 validation error detected: Value null at 'name'"},
		{"many", "AddTags", new(AddTagsRequest), `{"ResourceId":"abc","TagsList":[` + strings.Repeat(`{"Key":""},`, 30) + `{"Key":"a"}]}`, "InvalidTagParameterException: 30 validation errors detected"},

		{"string for integer", "ListChannels", new(ListChannelsRequest), `{"MaxResults":"3"}`, "SerializationException: STRING_VALUE can not be converted to Integer (at byte 14 of the body, in maxResults)"},
		{"number for string", "GetImport", new(GetImportRequest), `{"ImportId":5}`, "SerializationException: NUMBER_VALUE can not be converted to String (at byte 12 of the body, in importId)"},
		{"fraction for integer", "ListChannels", new(ListChannelsRequest), `{"MaxResults":1.5}`, "SerializationException"},
		{"over 32 bits", "ListChannels", new(ListChannelsRequest), `{"MaxResults":2147483648}`, "SerializationException"},
		{"over all bits", "ListChannels", new(ListChannelsRequest), `{"MaxResults":1e999}`, "SerializationException"},
		{"string for boolean", "CreateEventDataStore", new(CreateEventDataStoreRequest), `{"MultiRegionEnabled":"true"}`, "SerializationException: STRING_VALUE can not be converted to Boolean"},
		{"string for time", "LookupEvents", new(LookupEventsRequest), `{"StartTime":"2020-01-01"}`, "SerializationException: STRING_VALUE can not be converted to Timestamp"},
		{"time out of reach", "LookupEvents", new(LookupEventsRequest), `{"StartTime":1e300}`, "SerializationException"},
		{"object for list", "AddTags", new(AddTagsRequest), `{"TagsList":{}}`, "SerializationException: START_OBJECT can not be converted to a list"},
		{"list for structure", "StartImport", new(StartImportRequest), `{"ImportSource":[]}`, "SerializationException: START_ARRAY can not be converted to a structure"},
		{"list for the whole", "ListChannels", new(ListChannelsRequest), `[]`, "SerializationException"},
		{"something after", "ListChannels", new(ListChannelsRequest), `{} {}`, "SerializationException: something follows the JSON object (at byte 3 of the body)"},
		{"cut", "ListChannels", new(ListChannelsRequest), `{"MaxResults":`, "SerializationException: a value must come here, not the end"},
		{"cut string", "ListChannels", new(ListChannelsRequest), `{"MaxRes`, "SerializationException: a string does not end"},
		{"trailing comma", "ListChannels", new(ListChannelsRequest), `{"MaxResults":3,}`, "SerializationException"},
		{"leading zero", "ListChannels", new(ListChannelsRequest), `{"MaxResults":03}`, "SerializationException"},
		{"control character", "ListChannels", new(ListChannelsRequest), "{\"a\":\"\x01\"}", "SerializationException"},
		{"half a surrogate pair", "GetImport", new(GetImportRequest), `{"ImportId":"\ud800"}`, "SerializationException: half a surrogate pair"},
		{"unknown escape", "ListChannels", new(ListChannelsRequest), `{"a":"\x"}`, "SerializationException"},
		{"not UTF-8", "ListChannels", new(ListChannelsRequest), "{\"a\":\"\xff\"}", "SerializationException: the body is not UTF-8"},
		{"too deep", "ListChannels", new(ListChannelsRequest), `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "SerializationException: deeper than 64 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Lookup(c.op).Decode([]byte(c.body), nil, c.into)
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v\nwant\n%s", err, c.want)
				}
				return
			}
			got := new(bytes.Buffer)
			e := json.NewEncoder(got)
			e.SetEscapeHTML(false)
			if err := e.Encode(c.into); err != nil || strings.TrimSpace(got.String()) != c.want {
				t.Errorf("%s %v\nwant\n%s", got, err, c.want)
			}
		})
	}
}

func TestDecodeQuery(t *testing.T) {
	op := Lookup("PutAuditEvents")
	const arn = "arn:aws:cloudtrail:eu-west-1:123456789012:channel/abc"
	body := `{"auditEvents":[{"id":"a","eventData":"{}"}],"channelArn":"arn:aws:forged"}`
	in := new(PutAuditEventsRequest)
	if err := op.Decode([]byte(body), url.Values{"channelArn": {arn}, "externalId": {"x+y"}, "other": {"1"}}, in); err != nil || *in.ChannelArn != arn || *in.ExternalId != "x+y" || len(in.AuditEvents) != 1 {
		t.Errorf("%+v %v", in, err)
	}
	for _, c := range []struct {
		q    url.Values
		code string
	}{
		{url.Values{}, "InvalidChannelARN"},
		{url.Values{"channelArn": {"abc"}}, "InvalidChannelARN"},
		{url.Values{"channelArn": {arn, arn}}, "SerializationException"},
		{url.Values{"channelArn": {arn}, "externalId": {"x"}}, "ValidationException"},
	} {
		if err := op.Decode([]byte(body), c.q, new(PutAuditEventsRequest)); !awserr.Is(err, c.code) {
			t.Errorf("%v: %v, want %s", c.q, err, c.code)
		}
	}
	if err := op.Decode(nil, url.Values{"channelArn": {arn}}, new(PutAuditEventsRequest)); !awserr.Is(err, "ValidationException") {
		t.Errorf("no body: %v", err)
	}
}

// Every type can be filled: its fields are those of the model's shape.
func TestTypesFitTheModel(t *testing.T) {
	for op, v := range map[string]any{
		"CreateEventDataStore": CreateEventDataStoreRequest{}, "StartImport": StartImportRequest{}, "LookupEvents": LookupEventsRequest{}, "StartQuery": StartQueryRequest{},
		"PutAuditEvents": PutAuditEventsRequest{}, "CreateChannel": CreateChannelRequest{}, "AddTags": AddTagsRequest{}, "PutInsightSelectors": PutInsightSelectorsRequest{},
		"CreateDashboard": CreateDashboardRequest{}, "PutEventConfiguration": PutEventConfigurationRequest{}, "ListInsightsMetricData": ListInsightsMetricDataRequest{},
	} {
		fields := fieldsOf(reflect.TypeOf(v))
		for name := range Lookup(op).input.members {
			if _, ok := fields[name]; !ok {
				t.Errorf("%s has no field %s", op, name)
			}
		}
	}
}

// What is decoded is JSON to encoding/json too, and means the same to it.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"Name":"abc","RetentionPeriod":7,"AdvancedEventSelectors":[{"Name":"x","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}],"TagsList":[{"Key":"a","Value":null}]}`,
		`{"Name":"\ud83d\ude00","Name":null,"X":[[[{}]]],"MultiRegionEnabled":true}`, `{"RetentionPeriod":1e1}`} {
		f.Add([]byte(s))
	}
	op := Lookup("CreateEventDataStore")
	f.Fuzz(func(t *testing.T, body []byte) {
		in := new(CreateEventDataStoreRequest)
		if err := op.Decode(body, nil, in); err != nil {
			if _, ok := err.(*awserr.Error); !ok {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%q was taken for JSON: %v", body, err)
		}
		if m["Name"] != *in.Name {
			t.Errorf("%q, want %v", *in.Name, m["Name"])
		}
	})
}

func BenchmarkDecodeAuditEvents(b *testing.B) {
	data, _ := json.Marshal(strings.Repeat(`{"version":"1","eventSource":"x"}`, 30))
	body := []byte(`{"auditEvents":[` + strings.TrimSuffix(strings.Repeat(`{"id":"a-b-c","eventData":`+string(data)+`},`, 100), ",") + `]}`)
	q := url.Values{"channelArn": {"arn:aws:cloudtrail:eu-west-1:123456789012:channel/abc"}}
	op := Lookup("PutAuditEvents")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := op.Decode(body, q, new(PutAuditEventsRequest)); err != nil {
			b.Fatal(err)
		}
	}
}
