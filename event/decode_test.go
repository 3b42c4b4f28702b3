package event_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lochlake/loch/event"
)

// show writes a record's fields one a line, so that tests can compare them with what a reader of the text expects.
func show(r *event.Record) string {
	s := event.Schema(r.Kind)
	var b strings.Builder
	for _, f := range r.Fields {
		n := s.Nodes[f.Node]
		b.WriteString(n.Path)
		if n.InList {
			fmt.Fprintf(&b, "[%d]", f.Elem)
		}
		if key := r.Key(&f); key != nil {
			fmt.Fprintf(&b, "{%s}", key)
		}
		switch n.Column.Type {
		case event.String:
			if r.Val(&f) == nil {
				b.WriteString(" null")
			} else {
				fmt.Fprintf(&b, " %q", r.Val(&f))
			}
		case event.Boolean, event.Int, event.Long:
			fmt.Fprintf(&b, " %d", f.Num)
		case event.List:
			fmt.Fprintf(&b, " (%d)", f.Num)
		case event.Double:
			fmt.Fprintf(&b, " %v", math.Float64frombits(uint64(f.Num)))
		case event.Timestamp:
			b.WriteString(" " + event.FormatTime(f.Num))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func decode(t *testing.T, text string) event.Record {
	t.Helper()
	r, err := event.NewDecoder().Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if string(r.Text) != strings.TrimSpace(text) || r.Hash != sha256.Sum256(r.Text) {
		t.Errorf("%s: text or hash is not the text's: %s", text, r.Text)
	}
	return r
}

func TestDecodeSample(t *testing.T) {
	r := decode(t, sample)
	want := `eventversion "1.08"
useridentity
useridentity.type "AssumedRole"
useridentity.principalid "AROAEXAMPLEEXAMPLEEXA:deploy"
useridentity.arn "arn:aws:sts::111122223333:assumed-role/Deploy/deploy"
useridentity.accountid "111122223333"
useridentity.accesskeyid "ASIAEXAMPLEEXAMPLE12"
useridentity.sessioncontext
useridentity.sessioncontext.sessionissuer
useridentity.sessioncontext.sessionissuer.type "Role"
useridentity.sessioncontext.sessionissuer.principalid "AROAEXAMPLEEXAMPLEEXA"
useridentity.sessioncontext.sessionissuer.arn "arn:aws:iam::111122223333:role/Deploy"
useridentity.sessioncontext.sessionissuer.accountid "111122223333"
useridentity.sessioncontext.sessionissuer.username "Deploy"
useridentity.sessioncontext.webidfederationdata
useridentity.sessioncontext.attributes
useridentity.sessioncontext.attributes.creationdate 2023-07-10T11:42:31Z
useridentity.sessioncontext.attributes.mfaauthenticated "false"
eventtime 2023-07-10T12:32:49Z
eventsource "s3.amazonaws.com"
eventname "PutBucketPolicy"
awsregion "us-east-1"
sourceipaddress "203.0.113.7"
useragent "[aws-cli/2.13 Python/3.11 \"quoted\"]"
requestparameters
requestparameters.value{bucketName} "logs"
requestparameters.value{bucketPolicy} "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::logs/*\"}]}"
requestparameters.value{Host} "logs.s3.amazonaws.com"
requestparameters.value{policy} ""
additionaleventdata
additionaleventdata.value{SignatureVersion} "SigV4"
additionaleventdata.value{bytesTransferredIn} "412"
additionaleventdata.value{AuthenticationMethod} "AuthHeader"
additionaleventdata.value{x} null
requestid "55DA0D6FFA5A47FB"
eventid "6b54e0ad-c23c-4850-b896-7533a3558526"
readonly 0
resources (2)
resources.element[0]
resources.element.accountid[0] "111122223333"
resources.element.type[0] "AWS::S3::Bucket"
resources.element.arn[0] "arn:aws:s3:::logs"
resources.element[1]
resources.element.type[1] "AWS::S3::Object"
resources.element.arnprefix[1] "arn:aws:s3:::logs/"
eventtype "AwsApiCall"
managementevent 1
recipientaccountid "111122223333"
eventcategory "Management"
tlsdetails
tlsdetails.tlsversion "TLSv1.2"
tlsdetails.ciphersuite "ECDHE-RSA-AES128-GCM-SHA256"
tlsdetails.clientprovidedhostheader "logs.s3.amazonaws.com"
`
	if got := show(&r); got != want {
		t.Errorf("fields are\n%s, not\n%s", got, want)
	}
	if r.Kind != event.CloudTrail || r.Category != "Management" || r.ID != "6b54e0ad-c23c-4850-b896-7533a3558526" ||
		r.Account != "111122223333" || r.Region != "us-east-1" || event.FormatTime(r.Time) != "2023-07-10T12:32:49Z" || r.Day() != 19548 {
		t.Errorf("the record is %+v", r)
	}
	s := event.Schema(r.Kind)
	var types []string
	for f := range r.Values(s.Must("resources.element.type")) {
		types = append(types, string(r.Val(f)))
	}
	if got := strings.Join(types, " "); got != "AWS::S3::Bucket AWS::S3::Object" {
		t.Errorf("the resources' types are %s", got)
	}
	if v, _, ok := r.Value(s.Must("userIdentity.arn")); !ok || string(v) != "arn:aws:sts::111122223333:assumed-role/Deploy/deploy" {
		t.Errorf("userIdentity.arn is %s, %v", v, ok)
	}
	if _, n, ok := r.Value(s.Must("managementEvent")); !ok || n != 1 {
		t.Errorf("managementEvent is %d, %v", n, ok)
	}
	if _, _, ok := r.Value(s.Must("errorCode")); ok {
		t.Error("errorCode has a value")
	}
}

// at is the member that every event must have.
const at = `"eventTime":"2023-07-10T12:32:49Z"`

func TestDecodeValues(t *testing.T) {
	const tail = "eventtime 2023-07-10T12:32:49Z\n"
	for _, c := range []struct{ name, members, want string }{
		{"null is absent", `"errorCode":null,"userIdentity":null,"resources":null,"requestParameters":null,"readOnly":null`, ""},
		{"empty", `"errorCode":"","userIdentity":{},"resources":[],"requestParameters":{}`, "errorcode \"\"\nuseridentity\nresources (0)\nrequestparameters\n"},
		{"strings of other types", `"eventVersion":1.08,"errorCode":true,"errorMessage":{"a": [1, 2]},"userAgent":["x"]`,
			"eventversion \"1.08\"\nerrorcode \"true\"\nerrormessage \"{\\\"a\\\": [1, 2]}\"\nuseragent \"[\\\"x\\\"]\"\n"},
		{"booleans", `"readOnly":"true","managementEvent":"no"`, "readonly 1\n"},
		{"a boolean that is none", `"readOnly":1,"managementEvent":false`, "managementevent 0\n"},
		{"structs, maps and lists that are none", `"userIdentity":"x","requestParameters":"y","responseElements":[1],"resources":{"type":"z"},"tlsDetails":7`, ""},
		{"a list where a struct is due", `"userIdentity":[1,{"type":"Root"},{"type":"IAMUser"}]`, "useridentity\nuseridentity.type \"Root\"\n"},
		{"elements that are no objects", `"resources":[null,{"type":"a"},"b",{}]`, "resources (4)\nresources.element[1]\nresources.element.type[1] \"a\"\nresources.element[3]\n"},
		{"a nested time that is none", `"userIdentity":{"sessionContext":{"attributes":{"creationDate":"yesterday","mfaAuthenticated":false}}}`,
			"useridentity\nuseridentity.sessioncontext\nuseridentity.sessioncontext.attributes\nuseridentity.sessioncontext.attributes.mfaauthenticated \"false\"\n"},
		{"unknown members", `"futureField":{"a":[{"b":null}]},"EVENTNAME":"x"`, ""},
		{"escapes", `"\u0065rrorCode":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"`, "errorcode \"\\\"\\\\/\\b\\f\\n\\r\\té😀é\"\n"},
		{"lone surrogates", `"errorCode":"\ud800|\udc00|\ud800\ud800\udc00|\ud800\u0041"`, "errorcode \"\ufffd|\ufffd|\ufffd\U00010000|\ufffdA\"\n"},
		{"keys with escapes", `"requestParameters":{"a\"b":"c","\u0064":"\u0065"}`, "requestparameters\nrequestparameters.value{a\"b} \"c\"\nrequestparameters.value{d} \"e\"\n"},
		{"the texts of a map's values", `"requestParameters":{"n": -1.50e+10 , "o" : { "p" : [ ] } ,"t":true,"s":"\t"}`,
			"requestparameters\nrequestparameters.value{n} \"-1.50e+10\"\nrequestparameters.value{o} \"{ \\\"p\\\" : [ ] }\"\nrequestparameters.value{t} \"true\"\nrequestparameters.value{s} \"\\t\"\n"},
		{"of duplicate members the last", `"errorCode":"a","errorCode":"b","readOnly":true,"readOnly":null`, "errorcode \"b\"\n"},
		{"of duplicate structs the last", `"userIdentity":{"type":"a","arn":"b"},"userIdentity":{"type":"c"}`, "useridentity\nuseridentity.type \"c\"\n"},
		{"of duplicate members in structs the last", `"userIdentity":{"type":"a","sessionContext":{"sourceIdentity":"x"},"type":"c","sessionContext":{}}`,
			"useridentity\nuseridentity.type \"c\"\nuseridentity.sessioncontext\n"},
		{"of duplicate lists the last", `"resources":[{"type":"a"},{"type":"b"}],"resources":[{"ARN":"c","ARN":"d"}]`,
			"resources (1)\nresources.element[0]\nresources.element.arn[0] \"d\"\n"},
		{"of duplicate keys the last", `"requestParameters":{"a":"1","b":"2","a":null,"b":"3","\u0061":"4"}`,
			"requestparameters\nrequestparameters.value{b} \"3\"\nrequestparameters.value{a} \"4\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := decode(t, " {"+c.members+" , "+at+"}\n")
			if got := show(&r); got != c.want+tail {
				t.Errorf("%s gives\n%s, not\n%s", c.members, got, c.want+tail)
			}
		})
	}
}

// Maps of more entries than are compared one by one.
func TestDecodeManyKeys(t *testing.T) {
	for _, n := range []int{15, 16, 17, 18, 40, 3000} {
		var b strings.Builder
		for round := range 3 {
			for i := range n {
				fmt.Fprintf(&b, `"k%d":"%d",`, i, round)
			}
		}
		r := decode(t, `{"requestParameters":{`+strings.TrimSuffix(b.String(), ",")+`},`+at+`}`)
		value := event.Schema(r.Kind).Must("requestParameters.value")
		count := 0
		for f := range r.Values(value) {
			if string(r.Val(f)) != "2" || string(r.Key(f)) != fmt.Sprintf("k%d", count) {
				t.Fatalf("%d keys: %s is %s", n, r.Key(f), r.Val(f))
			}
			count++
		}
		if count != n {
			t.Errorf("%d keys gave %d", n, count)
		}
	}
}

func TestDecodeFaults(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name, text string
		fault      event.Fault
		at         int
	}{
		{"empty", ``, event.Cut, 0},
		{"cut in a string", `{"eventTime":"2023`, event.Cut, 18},
		{"cut in an escape", `{"a":"\u00`, event.Cut, 10},
		{"cut in a character", "{\"a\":\"\xe2\x82", event.Cut, 8},
		{"cut in a literal", `{"a":tr`, event.Cut, 7},
		{"cut after a member", `{"a":1`, event.Cut, 6},
		{"cut after a comma", `{"a":1,`, event.Cut, 7},
		{"cut in a list", `{"resources":[{}`, event.Cut, 16},
		{"no colon", `{"a" 1}`, event.Malformed, 5},
		{"no quotes", `{a:1}`, event.Malformed, 1},
		{"a comma too many", `{"a":1,}`, event.Malformed, 7},
		{"no comma", `{"a":1 "b":2}`, event.Malformed, 7},
		{"a wrong bracket", `{"a":[1}`, event.Malformed, 7},
		{"an unknown literal", `{"a":nil}`, event.Malformed, 6},
		{"a leading zero", `{"a":01}`, event.Malformed, 6},
		{"a number without digits", `{"a":-}`, event.Malformed, 6},
		{"a fraction without digits", `{"a":1.}`, event.Malformed, 7},
		{"an exponent without digits", `{"a":1e+}`, event.Malformed, 8},
		{"a plus sign", `{"a":+1}`, event.Malformed, 5},
		{"a control character", "{\"a\":\"b\tc\"}", event.Malformed, 7},
		{"an unknown escape", `{"a":"\x"}`, event.Malformed, 7},
		{"a short escape", `{"a":"\u12g4"}`, event.Malformed, 10},
		{"a single quote", `{'a':1}`, event.Malformed, 1},
		{"something behind", `{` + at + `} x`, event.Malformed, len(at) + 3},
		{"something behind, twice", `{` + at + `}{}`, event.Malformed, len(at) + 2},
		{"a comment", `{/**/}`, event.Malformed, 1},
		{"not UTF-8", "{\"a\":\"\xff\"}", event.NotUTF8, 6},
		{"not UTF-8 in a name", "{\"\xc3(\":1}", event.NotUTF8, 2},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", event.NotUTF8, 6},
		{"an overlong character", "{\"a\":\"12345678\xc0\xaf\"}", event.NotUTF8, 14},
		{"a list", `[{}]`, event.NotObject, 0},
		{"a string", `"x"`, event.NotObject, 0},
		{"a number", `12`, event.NotObject, 0},
		{"null", `null`, event.NotObject, 0},
		{"no eventTime", `{"a":1}`, event.NoTime, 0},
		{"a null eventTime", `{"eventTime":null}`, event.NoTime, 0},
		{"a null eventTime at last", `{` + at + `,"eventTime":null}`, event.NoTime, 0},
		{"an empty eventTime", `{"eventTime":""}`, event.BadTime, 13},
		{"an eventTime in words", `{"eventTime":"Jul 10, 2023 12:32:49 PM"}`, event.BadTime, 13},
		{"an eventTime as a number", `{"eventTime":1689000000}`, event.BadTime, 13},
		{"an eventTime that is no day", `{"eventTime":"2023-02-29T00:00:00Z"}`, event.BadTime, 13},
		{"before 1970", `{"eventTime":"1969-12-31T23:59:59Z"}`, event.TimeBounds, 13},
		{"after 2200", `{"eventTime":"2201-01-01T00:00:00Z"}`, event.TimeBounds, 13},
		{"deep", `{"a":` + deep(100) + `,` + at + `}`, event.TooDeep, 5 + 99},
		{"deep in a map", `{"requestParameters":{"a":` + deep(99) + `},` + at + `}`, event.TooDeep, 26 + 98},
		{"a million brackets", strings.Repeat(`{"a":`, 150_000), event.TooDeep, 500},
		{"large", `{"a":"` + strings.Repeat("x", event.MaxEventSize) + `",` + at + `}`, event.TooLarge, event.MaxEventSize},
		{"larger by a byte", large(event.MaxEventSize + 1), event.TooLarge, event.MaxEventSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := event.NewDecoder().Decode([]byte(c.text))
			var e *event.Error
			if !errors.As(err, &e) || e.Fault != c.fault || e.Offset != c.at {
				t.Errorf("the error is %#v, not %s at %d", err, c.fault, c.at)
			}
		})
	}
	decode(t, large(event.MaxEventSize))
	decode(t, `{"a":`+deep(99)+`,`+at+`}`)
	decode(t, `{"requestParameters":{"a":`+deep(98)+`},`+at+`}`)
	decode(t, `{"eventTime":"1970-01-01T00:00:00Z"}`)
	decode(t, `{"eventTime":"2200-12-31T23:59:59.999999Z"}`)
}

// large is an event of size bytes.
func large(size int) string {
	s := `{"a":"` + `",` + at + `}`
	return s[:6] + strings.Repeat("x", size-len(s)) + s[6:]
}

// A list's elements beyond the 65,535th are left out of the column; nothing else is.
func TestDecodeLongList(t *testing.T) {
	r := decode(t, `{"resources":[`+strings.Repeat(`{},`, 70_000)+`{"type":"x"}],`+at+`}`)
	if got := r.Fields[0].Num; got != math.MaxUint16 || len(r.Fields) != math.MaxUint16+2 {
		t.Errorf("%d elements in %d fields", got, len(r.Fields))
	}
}

func TestKindsAndCategories(t *testing.T) {
	for _, c := range []struct {
		members  string
		kind     event.Kind
		category string
	}{
		{`"eventCategory":"Management"`, event.CloudTrail, "Management"},
		{`"eventCategory":"Data"`, event.CloudTrail, "Data"},
		{`"eventCategory":"NetworkActivity"`, event.CloudTrail, "NetworkActivity"},
		{`"eventCategory":"ActivityAuditLog"`, event.Activity, "ActivityAuditLog"},
		{`"eventCategory":"Insight"`, event.Insight, "Insight"},
		{`"eventCategory":"ConfigurationItem"`, event.ConfigurationItem, "ConfigurationItem"},
		{`"eventCategory":"Evidence"`, event.Evidence, "Evidence"},
		{`"eventCategory":"Insight","eventCategory":"Data"`, event.CloudTrail, "Data"},
		{`"eventCategory":"SomethingNew"`, event.CloudTrail, "SomethingNew"},
		{`"eventVersion":"1.02"`, event.CloudTrail, "Management"},
		{`"eventVersion":"1.06","managementEvent":false`, event.CloudTrail, "Data"},
		{`"eventVersion":"1.06","managementEvent":true,"eventSource":"s3.amazonaws.com","eventName":"GetObject"`, event.CloudTrail, "Management"},
		{`"eventVersion":"1.05","eventSource":"s3.amazonaws.com","eventName":"GetObject"`, event.CloudTrail, "Data"},
		{`"eventVersion":"1.05","eventSource":"s3.amazonaws.com","eventName":"CreateBucket"`, event.CloudTrail, "Management"},
		{`"eventVersion":"1.05","eventSource":"lambda.amazonaws.com","eventName":"Invoke"`, event.CloudTrail, "Data"},
		{`"eventType":"AwsCloudTrailInsight"`, event.Insight, "Insight"},
		{`"eventType":"ActivityLog"`, event.Activity, "ActivityAuditLog"},
		{`"eventType":"AwsConfigurationItem"`, event.ConfigurationItem, "ConfigurationItem"},
		{`"eventType":"AwsAuditManagerEvidence"`, event.Evidence, "Evidence"},
	} {
		r := decode(t, `{`+c.members+`,`+at+`}`)
		if r.Kind != c.kind || r.Category != c.category {
			t.Errorf("%s is %v, %s; not %v, %s", c.members, r.Kind, r.Category, c.kind, c.category)
		}
	}
}

func TestIdentityWithoutEventID(t *testing.T) {
	for _, text := range []string{`{"eventVersion":"1.00",` + at + `}`, `{"eventID":"",` + at + `}`, `{"eventID":null,` + at + `}`} {
		r := decode(t, text)
		sum := sha256.Sum256([]byte(text))
		if r.ID != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has the identity %s", text, r.ID)
		}
	}
}

func TestInsightOfLogFile(t *testing.T) {
	r := decode(t, `{"eventVersion":"1.07",`+at+`,"awsRegion":"us-east-1","eventID":"i","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333",
"sharedEventID":"s","insightDetails":{"state":"Start","eventSource":"ssm.amazonaws.com","eventName":"UpdateInstanceInformation","insightType":"ApiCallRateInsight",
"insightContext":{"statistics":{"baseline":{"average":0.25},"insight":{"average":6e2},"insightDuration":1,"baselineDuration":11336},
"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:a","average":599.5},{"value":"arn:b"}],"baseline":[]},{"attribute":"userAgent"}]}},
"eventCategory":"Insight"}`)
	want := `eventversion "1.07"
eventtime 2023-07-10T12:32:49Z
awsregion "us-east-1"
eventid "i"
eventtype "AwsCloudTrailInsight"
recipientaccountid "111122223333"
sharedeventid "s"
insightstate "Start"
insighteventsource "ssm.amazonaws.com"
insighteventname "UpdateInstanceInformation"
insighttype "ApiCallRateInsight"
insightcontext
insightcontext.baselineaverage 0.25
insightcontext.insightaverage 600
insightcontext.insightduration 1
insightcontext.baselineduration 11336
insightcontext.attributions
insightcontext.attributions.attribute "userIdentityArn"
insightcontext.attributions.insight
insightcontext.attributions.insight.value "arn:a"
insightcontext.attributions.insight.average 599.5
eventcategory "Insight"
`
	if got := show(&r); got != want {
		t.Errorf("fields are\n%s, not\n%s", got, want)
	}
}

// What a decoder hands out stays as it is when it goes on.
func TestDecoderGoesOn(t *testing.T) {
	d := event.NewDecoder()
	var all []event.Record
	for i := range 1000 {
		text := strings.Replace(sample, "6b54e0ad-c23c-4850-b896-7533a3558526", fmt.Sprintf("id-%d", i), 1)
		r, err := d.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		if _, err := d.Decode([]byte(`{"errorCode":"\u0041","eventTime":"x"}`)); err == nil {
			t.Fatal("a bad event was decoded")
		}
		if _, err := d.Decode([]byte(`{"eventCategory":"Insight",` + at + `}`)); err != nil {
			t.Fatal(err)
		}
	}
	first := show(&all[0])
	for i := range all {
		want := strings.Replace(first, `eventid "id-0"`, fmt.Sprintf(`eventid "id-%d"`, i), 1)
		if got := show(&all[i]); got != want || all[i].ID != fmt.Sprintf("id-%d", i) {
			t.Fatalf("record %d is\n%s", i, got)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2023-07-10T11:42:36Z", "2023-07-10T11:42:36Z"},
		{"2023-07-10t11:42:36z", "2023-07-10T11:42:36Z"},
		{"2023-07-10 11:42:36", "2023-07-10T11:42:36Z"},
		{"2023-07-10T11:42:36", "2023-07-10T11:42:36Z"},
		{"2023-07-10T11:42:36.5Z", "2023-07-10T11:42:36.5Z"},
		{"2023-07-10T11:42:36.123456789Z", "2023-07-10T11:42:36.123Z"},
		{"2023-07-10T11:42:36,25+02:00", "2023-07-10T09:42:36.25Z"},
		{"2023-07-10T11:42:36-0530", "2023-07-10T17:12:36Z"},
		{"2023-07-10T11:42:36+01", "2023-07-10T10:42:36Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		{"1900-02-29T00:00:00Z", ""}, {"2023-13-01T00:00:00Z", ""}, {"2023-00-01T00:00:00Z", ""}, {"2023-01-00T00:00:00Z", ""},
		{"2023-04-31T00:00:00Z", ""}, {"2023-01-01T24:00:00Z", ""}, {"2023-01-01T00:60:00Z", ""}, {"2023-01-01T00:00:61Z", ""},
		{"2023-01-01T00:00:00.Z", ""}, {"2023-01-01T00:00:00+24:00", ""}, {"2023-01-01T00:00:00+0:00", ""}, {"2023-01-01T00:00:00ZZ", ""},
		{"2023-01-01T00:00Z", ""}, {"2023-01-01", ""}, {"20230101T000000Z", ""}, {"x023-01-01T00:00:00Z", ""}, {"2023/01/01T00:00:00Z", ""},
		{"0000-01-01T00:00:00Z", ""},
	} {
		micros, ok := event.ParseTime([]byte(c.text))
		if got := event.FormatTime(micros); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s is %s, %v; not %s", c.text, got, ok, c.want)
		}
	}
}

// TestTextsStay decodes events whose strings have escapes, so many and so long that the decoder's memory for them ends within events, and looks at them
// only when all are decoded.
func TestTextsStay(t *testing.T) {
	d, rng := event.NewDecoder(), rand.New(rand.NewPCG(1, 2))
	s := event.Schema(event.CloudTrail)
	agent, message, value := s.Must("useragent"), s.Must("errormessage"), s.Must("requestparameters.value")
	long := func() string { return strings.Repeat("\\\"é", rng.IntN(6000)) + "\n" }
	quoted := func(v string) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var records []event.Record
	var want [][3]string
	for range 200 {
		v := [3]string{long(), long(), long()}
		r, err := d.Decode([]byte(`{"userAgent":` + quoted(v[0]) + `,"requestParameters":{"a\u0062":` + quoted(v[2]) + `},` + at + `,"errorMessage":` + quoted(v[1]) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		records, want = append(records, r), append(want, v)
	}
	for i := range records {
		r := &records[i]
		a, _, _ := r.Value(agent)
		m, _, _ := r.Value(message)
		if string(a) != want[i][0] || string(m) != want[i][1] {
			t.Fatalf("event %d has other texts than when it was decoded", i)
		}
		for f := range r.Values(value) {
			if string(r.Key(f)) != "ab" || string(r.Val(f)) != want[i][2] {
				t.Fatalf("event %d has another map than when it was decoded", i)
			}
		}
	}
}
