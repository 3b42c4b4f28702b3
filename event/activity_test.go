package event_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
)

const (
	channel  = "arn:aws:cloudtrail:us-east-1:111122223333:channel/0f0f0f0f-1111-4222-8333-444455556666"
	activity = `{"version":"1.0","userIdentity":{"type":"User","principalId":"u-1","details":{"email":"ann@example.com","groups":["a"]}},` +
		`"userAgent":"Mozilla","eventSource":"app.wiz.io","eventName":"CloudConfigurationRuleCreation","eventTime":"2023-07-10T11:42:36Z","UID":"7f3a",` +
		`"requestParameters":{"rule":"r"},"responseElements":{},"errorCode":"E","errorMessage":"m","sourceIPAddress":"203.0.113.7",` +
		`"recipientAccountId":"111122223333","additionalEventData":{"n":1}}`
)

func decodeActivity(text string) (event.Record, error) {
	return event.NewDecoder().DecodeActivity([]byte(text), "id-1", channel, "111122223333", "us-east-1", time.Date(2023, 7, 10, 12, 0, 0, 0, time.UTC))
}

func TestDecodeActivity(t *testing.T) {
	text := " " + activity + "\n"
	r, err := decodeActivity(text)
	if err != nil {
		t.Fatal(err)
	}
	id := event.ActivityID(channel, "id-1")
	want := `eventversion "1.0"
eventcategory "ActivityAuditLog"
eventtype "ActivityLog"
eventid "` + id + `"
eventtime 2023-07-10T11:42:36Z
awsregion "us-east-1"
recipientaccountid "111122223333"
metadata
metadata.ingestiontime "2023-07-10T12:00:00Z"
metadata.channelarn "` + channel + `"
eventdata
eventdata.version "1.0"
eventdata.useridentity
eventdata.useridentity.type "User"
eventdata.useridentity.principalid "u-1"
eventdata.useridentity.details
eventdata.useridentity.details.value{email} "ann@example.com"
eventdata.useridentity.details.value{groups} "[\"a\"]"
eventdata.useragent "Mozilla"
eventdata.eventsource "app.wiz.io"
eventdata.eventname "CloudConfigurationRuleCreation"
eventdata.eventtime "2023-07-10T11:42:36Z"
eventdata.uid "7f3a"
eventdata.requestparameters
eventdata.requestparameters.value{rule} "r"
eventdata.responseelements
eventdata.errorcode "E"
eventdata.errormessage "m"
eventdata.sourceipaddress "203.0.113.7"
eventdata.recipientaccountid "111122223333"
eventdata.additionaleventdata
eventdata.additionaleventdata.value{n} "1"
`
	if got := show(&r); got != want {
		t.Errorf("fields are\n%s, not\n%s", got, want)
	}
	if r.Kind != event.Activity || r.Category != "ActivityAuditLog" || r.ID != id || r.Account != "111122223333" || r.Region != "us-east-1" ||
		event.FormatTime(r.Time) != "2023-07-10T11:42:36Z" || string(r.Text) != text || r.Hash != sha256.Sum256([]byte(text)) {
		t.Errorf("the record is %+v", r)
	}
	if id != event.ActivityID(channel, "id-1") || id == event.ActivityID(channel, "id-2") || id == event.ActivityID(channel+"x", "id-1") {
		t.Error("the event's id does not stand for channel and id")
	}
}

func TestDecodeActivityFailures(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(activity, old) {
			t.Fatalf("%q is not in the sample", old)
		}
		return strings.Replace(activity, old, new, 1)
	}
	long := func(n int) string { return strings.Repeat("é", n) }
	object := func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }
	for _, c := range []struct{ name, text, code, says string }{
		{"empty", "", event.InvalidData, "empty"},
		{"no object", `["x"]`, event.InvalidData, "not a JSON object"},
		{"cut", activity[:len(activity)-1], event.InvalidData, "ends within"},
		{"something behind", activity + "}", event.InvalidData, "something follows the object: '}' (at byte"},
		{"not UTF-8", replace("Mozilla", "\xff"), event.InvalidData, "not UTF-8"},
		{"deep", replace(`{"rule":"r"}`, `{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`), event.InvalidData, "deeper than 100"},
		{"large", replace("Mozilla", strings.Repeat("x", event.MaxEventSize)), event.FieldTooLong, "larger than 1048576 bytes"},
		{"no version", replace(`"version":"1.0",`, ""), event.FieldNotFound, "version"},
		{"a null eventName", replace(`"CloudConfigurationRuleCreation"`, "null"), event.FieldNotFound, "eventName"},
		{"an empty UID", replace(`"7f3a"`, `""`), event.FieldNotFound, "UID"},
		{"no userIdentity", replace(`"userIdentity"`, `"useridentity"`), event.FieldNotFound, "userIdentity is missing"},
		{"no principalId", replace(`"principalId"`, `"principal"`), event.FieldNotFound, "userIdentity.principalId"},
		{"no recipientAccountId", replace(`"recipientAccountId"`, `"recipient"`), event.FieldNotFound, "recipientAccountId"},
		{"a version that is no string", replace(`"1.0"`, `1.0`), event.InvalidData, "version is not a string"},
		{"parameters that are no object", replace(`{"rule":"r"}`, `"r"`), event.InvalidData, "requestParameters is not a JSON object"},
		{"details that are no object", replace(`{"email":"ann@example.com","groups":["a"]}`, `[]`), event.InvalidData, "userIdentity.details is not a JSON object"},
		{"a time that is none", replace("2023-07-10T11:42:36Z", "today"), event.InvalidData, "not an ISO 8601 time"},
		{"a time before 1970", replace("2023-07-10T11:42:36Z", "1969-07-10T11:42:36Z"), event.InvalidData, "between 1970 and 2200"},
		{"a long version", replace(`"1.0"`, `"`+long(257)+`"`), event.FieldTooLong, "version has 257 characters; at most 256"},
		{"a long type", replace(`"User"`, `"`+long(129)+`"`), event.FieldTooLong, "userIdentity.type"},
		{"a long user agent", replace(`Mozilla`, long(1025)), event.FieldTooLong, "userAgent"},
		{"a long error", replace(`"m"`, `"`+long(257)+`"`), event.FieldTooLong, "errorMessage"},
		{"large parameters", replace(`{"rule":"r"}`, object(100<<10+1)), event.FieldTooLong, "requestParameters has 102401 bytes"},
		{"large additional data", replace(`{"n":1}`, object(28<<10+1)), event.FieldTooLong, "additionalEventData"},
		{"another recipient", replace(`"111122223333"`, `"999999999999"`), event.InvalidRecipient, "999999999999"},
		{"a blank source", replace(`app.wiz.io`, `  `), event.InvalidEventSource, "blank"},
		{"a source of control characters", replace(`app.wiz.io`, `a\u0000b`), event.InvalidEventSource, "control"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodeActivity(c.text)
			var e *event.ActivityError
			if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.says) || len(e.Message) > 1024 {
				t.Errorf("the error is %v, not %s with %q", err, c.code, c.says)
			}
		})
	}
	for name, text := range map[string]string{
		"without what is optional": `{"version":"1","userIdentity":{"type":"t","principalId":"p"},"eventSource":"s","eventName":"n",` +
			`"eventTime":"2023-07-10T11:42:36","UID":"u","recipientAccountId":"111122223333","responseElements":null,"new":{"a":1}}`,
		"at its limits": strings.NewReplacer(`"version":"1.0"`, `"version":"`+long(256)+`"`, "Mozilla", long(1024), `{"rule":"r"}`, object(100<<10),
			`{"n":1}`, object(28<<10)).Replace(activity),
	} {
		if _, err := decodeActivity(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A failure leaves nothing behind in the decoder.
func TestDecodeActivityGoesOn(t *testing.T) {
	d := event.NewDecoder()
	if _, err := d.DecodeActivity([]byte(`{"version":"1.0"}`), "a", channel, "111122223333", "us-east-1", time.Time{}); err == nil {
		t.Fatal("an event without members was accepted")
	}
	r, err := d.Decode([]byte(`{"eventVersion":1.0,` + at + `}`))
	if err != nil || show(&r) != "eventversion \"1.0\"\neventtime 2023-07-10T12:32:49Z\n" {
		t.Errorf("%v\n%s", err, show(&r))
	}
}

func FuzzDecodeActivity(f *testing.F) {
	f.Add([]byte(activity))
	f.Add([]byte(`{"version":1,"version":"2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeActivity(string(text))
		var e *event.ActivityError
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("the error of %q is %v", text, err)
		case err == nil:
			orderly(t, event.Schema(r.Kind), &r)
		}
	})
}
