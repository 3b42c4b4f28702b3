package selector

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
)

// sel writes a selector: "field op value…" separated by "; ".
func sel(text string) string {
	byField := map[string]map[string]any{}
	var fields []map[string]any
	for part := range strings.SplitSeq(text, "; ") {
		words := strings.Fields(part)
		f := byField[words[0]]
		if f == nil {
			f = map[string]any{"Field": words[0]}
			byField[words[0]] = f
			fields = append(fields, f)
		}
		if len(words) > 1 {
			f[words[1]] = words[2:]
		}
	}
	b, err := json.Marshal(map[string]any{"FieldSelectors": fields})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func many(texts ...string) string {
	for i := range texts {
		texts[i] = sel(texts[i])
	}
	return "[" + strings.Join(texts, ",") + "]"
}

const (
	management = "eventCategory Equals Management"
	data       = "eventCategory Equals Data; resources.type Equals AWS::S3::Object"
	network    = "eventCategory Equals NetworkActivity; eventSource Equals kms.amazonaws.com"
	outside    = "eventCategory Equals ActivityAuditLog"
)

func TestCompile(t *testing.T) {
	for _, text := range []string{
		Default,
		many(management + "; eventSource NotEquals kms.amazonaws.com rdsdata.amazonaws.com; readOnly Equals false"),
		many(management + "; eventName StartsWith Put; eventName EndsWith Policy; eventName Equals X; eventName NotEquals Y; eventName NotStartsWith Z; eventName NotEndsWith Q"),
		many(management + "; eventType NotEquals AwsServiceEvent; sessionCredentialFromConsole NotEquals true; userIdentity.arn EndsWith /root"),
		many(data+"; resources.ARN StartsWith arn:aws:s3:::b/; eventName Equals PutObject; eventSource EndsWith x; sessionCredentialFromConsole Equals true; userIdentity.arn Equals x; eventType Equals x", management, network),
		many(network + "; errorCode Equals VpceAccessDenied; vpcEndpointId StartsWith vpce-; eventName NotEquals x"),
		many(outside + "; eventName StartsWith Create; eventSource Equals Wiz; userIdentity.type Equals USER; userIdentity.principalId NotEndsWith bot; userIdentity.arn Equals x"),
		many("eventCategory Equals Insight"), many("eventCategory Equals ConfigurationItem"), many("eventCategory Equals Evidence"),
		many(management, management, management, management, management),
		many(management + "; eventName Equals" + strings.Repeat(" x", MaxValues-1)),
	} {
		if s, err := Compile([]byte(text)); err != nil || len(s.Categories()) == 0 {
			t.Errorf("%s: %v", text, err)
		}
	}
	s, err := Compile([]byte(many(network, data, management, data)))
	if err != nil || s.Kind() != event.CloudTrail || fmt.Sprint(s.Categories()) != "[Management Data NetworkActivity]" {
		t.Errorf("%v, %v", s, err)
	}
	s, err = Compile([]byte(many(outside)))
	if err != nil || s.Kind() != event.Activity || fmt.Sprint(s.Categories()) != "[ActivityAuditLog]" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, "cannot be read"}, {`{}`, "cannot be read"}, {`[1]`, "cannot be read"}, {`[] x`, "cannot be read"}, {`[{"Nme":"x"}]`, "cannot be read"},
		{`[`, "cannot be read"}, {`[]`, "at least one"}, {`null`, "at least one"},
		{many(management, management, management, management, management, management), "at most 5"},
		{many(management + "; eventName Equals" + strings.Repeat(" x", MaxValues)), "501 values"},
		{many(management+"; eventName Equals"+strings.Repeat(" x", 300), management+"; eventName NotEquals"+strings.Repeat(" y", 300)), "602 values"},
		{`[null]`, "selector 1 has no field eventCategory"}, {`[{}]`, "selector 1 has no field eventCategory"},
		{`[{"Name":"mine"}]`, `selector 1 ("mine") has no field eventCategory`},
		{`[{"Name":"` + strings.Repeat("x", 1001) + `"}]`, "name of selector 1"},
		{many(management, "eventName Equals x"), "selector 2 has no field eventCategory"},
		{many("eventCategory StartsWith Man"), "must have the operator Equals"},
		{many("eventCategory"), "must have the operator Equals"},
		{many("eventCategory Equals Management Data"), "exactly one of Management, Data"},
		{many("eventCategory Equals management"), "exactly one of"},
		{many("eventCategory Equals"), "must have the operator Equals"},
		{many("eventCategory Equals Data; eventCategory NotEquals Management"), "only Equals"},
		{`[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventCategory","Equals":["Management"]}]}]`, "names field eventCategory twice"},
		{`[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventName","Equals":["a"]},{"Field":"eventName","NotEquals":["b"]}]}]`, "names field eventName twice"},
		{many(management + "; eventname Equals x"), "did you mean eventName?"},
		{many(management + "; sourceIPAddress Equals x"), `there is no field "sourceIPAddress"`},
		{`[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Equals":["a"]}]}]`, `there is no field ""`},
		{many(management + "; eventName"), "field eventName has no operator"},
		{many(management + "; eventName Equals"), "operator Equals of field eventName has no value"},
		{strings.Replace(many(management+"; eventName Equals x"), `"x"`, `""`, 1), "a value is empty"},
		{strings.Replace(many(management+"; eventName Equals x"), `"x"`, `"\n"`, 1), "a value is blank"},
		{many(management + "; eventName Equals " + strings.Repeat("x", 2049)), "longer than 2048"},
		{many(management + "; readOnly NotEquals true"), "field readOnly takes only Equals for Management events, not NotEquals"},
		{many(management + "; readOnly Equals yes"), "only be true or false"},
		{many(management + "; readOnly Equals true false"), "takes one value"},
		{many(management + "; sessionCredentialFromConsole Equals false"), "only be true"},
		{many(management + "; sessionCredentialFromConsole StartsWith t"), "only Equals and NotEquals"},
		{many(management + "; resources.type Equals AWS::S3::Object"), "field resources.type cannot be used for Management events, only for Data"},
		{many(management + "; resources.ARN Equals x"), "only for Data"},
		{many(management + "; errorCode Equals VpceAccessDenied"), "only for NetworkActivity"},
		{many(management + "; vpcEndpointId Equals x"), "only for NetworkActivity"},
		{many(management + "; userIdentity.type Equals Root"), "only for ActivityAuditLog"},
		{many("eventCategory Equals Data"), "no field resources.type, which is required for Data events"},
		{many("eventCategory Equals Data; resources.type StartsWith AWS"), "only Equals"},
		{many("eventCategory Equals Data; resources.type Equals AWS::S3::Object AWS::Lambda::Function"), "takes one value"},
		{many("eventCategory Equals Data; resources.type Equals S3Object"), "no resource type"},
		{many("eventCategory Equals Data; resources.type Equals AWS::::Object"), "no resource type"},
		{many(data + "; vpcEndpointId Equals x"), "only for NetworkActivity"},
		{many("eventCategory Equals NetworkActivity"), "no field eventSource, which is required for NetworkActivity events"},
		{many("eventCategory Equals NetworkActivity; eventSource StartsWith kms"), "only Equals"},
		{many("eventCategory Equals NetworkActivity; eventSource Equals a b"), "takes one value"},
		{many(network + "; errorCode Equals AccessDenied"), "only be VpceAccessDenied"},
		{many(network + "; readOnly Equals true"), "cannot be used for NetworkActivity"},
		{many(network + "; userIdentity.arn Equals x"), "cannot be used for NetworkActivity"},
		{many(outside + "; readOnly Equals true"), "cannot be used for ActivityAuditLog"},
		{many("eventCategory Equals Insight; eventName Equals x"), "cannot be used for Insight"},
		{many("eventCategory Equals ConfigurationItem; eventName Equals x"), "cannot be used for ConfigurationItem"},
		{many("eventCategory Equals Evidence; eventSource Equals x"), "cannot be used for Evidence"},
		{many(management, outside), "one kind"}, {many("eventCategory Equals Insight", "eventCategory Equals Evidence"), "one kind"},
	} {
		_, err := Compile([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !awserr.Is(err, "InvalidEventSelectorsException") {
			t.Errorf("%.200s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func decode(t testing.TB, text string) *event.Record {
	t.Helper()
	r, err := event.NewDecoder().Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

func compile(t testing.TB, texts ...string) *Set {
	t.Helper()
	s, err := Compile([]byte(many(texts...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestResourcesARN is the example of "How CloudTrail evaluates multiple conditions for a field", with its six outcomes, and more.
func TestResourcesARN(t *testing.T) {
	const b = "arn:aws:s3:::amzn-s3-demo-bucket"
	s := compile(t, data+"; resources.ARN Equals "+b+"/object1; resources.ARN StartsWith "+b+"/; resources.ARN EndsWith object3; "+
		"resources.ARN NotStartsWith "+b+"/deselect; resources.ARN NotEndsWith object5; resources.ARN NotEquals "+b+"/object6")
	object := func(arn string) string { return `{"type":"AWS::S3::Object","ARN":"` + arn + `"}` }
	bucket := func(arn string) string { return `{"ARN":"` + arn + `","type":"AWS::S3::Bucket"}` }
	for _, c := range []struct {
		resources string
		want      bool
	}{
		{object(b + "/object1"), true}, {object(b + "/object2"), true}, {object("arn:aws:s3:::amzn-s3-demo-bucket1/object3"), true},
		{object(b + "/deselectObject4"), false}, {object(b + "/object5"), false}, {object(b + "/object6"), false},
		{object("arn:aws:s3:::other/x"), false},
		{bucket(b + "/object1"), false},                                // another type
		{bucket(b+"/object5") + "," + object(b+"/object1"), true},      // the bucket's ARN does not count
		{object(b+"/object1") + "," + bucket(b+"/object5"), true},      //
		{object("arn:x") + "," + object(b+"/object1"), true},           // one is selected
		{object(b+"/object1") + "," + object(b+"/object5"), false},     // one is excluded
		{object(b+"/object5") + "," + object(b+"/object1"), false},     //
		{`{"type":"AWS::S3::Object","ARNPrefix":"` + b + `/"}`, false}, // no ARN
		{`null,1,{},` + object(b+"/object1"), true},                    //
		{`{"type":null,"ARN":"` + b + `/object1"}`, false}, {``, false},
	} {
		text := `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data","resources":[` + c.resources + `],"eventName":"PutObject"}`
		if got := s.Match(decode(t, text)); got != c.want {
			t.Errorf("%s: %v", c.resources, got)
		}
	}
	if s := compile(t, data); !s.Match(decode(t, `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data","resources":[`+bucket("x")+`,{"type":"AWS::S3::Object"}]}`)) {
		t.Error("a resource of the type without an ARN")
	}
	if s.Match(decode(t, `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data"}`)) {
		t.Error("no resources")
	}
}

func TestMatch(t *testing.T) {
	head := `{"eventTime":"2026-01-01T00:00:00Z","eventID":"1",`
	for _, c := range []struct {
		selectors []string
		event     string
		want      bool
	}{
		{[]string{management}, `"eventCategory":"Management"}`, true},
		{[]string{management}, `"eventName":"RunInstances","eventSource":"ec2.amazonaws.com"}`, true}, // old: no category
		{[]string{management}, `"eventCategory":"Data"}`, false},
		{[]string{management}, `"eventCategory":"Brandnew"}`, false},
		{[]string{management}, `"eventCategory":"Insight"}`, false},
		{[]string{"eventCategory Equals Insight"}, `"eventCategory":"Insight"}`, true},
		{[]string{"eventCategory Equals Evidence"}, `"eventCategory":"ConfigurationItem"}`, false},
		{[]string{data, management}, `"eventCategory":"Management"}`, true},
		{[]string{management + "; readOnly Equals false"}, `"eventCategory":"Management","readOnly":false}`, true},
		{[]string{management + "; readOnly Equals false"}, `"eventCategory":"Management","readOnly":true}`, false},
		{[]string{management + "; readOnly Equals true"}, `"eventCategory":"Management","readOnly":true}`, true},
		{[]string{management + "; readOnly Equals true"}, `"eventCategory":"Management"}`, false},
		{[]string{management + "; readOnly Equals false"}, `"eventCategory":"Management","readOnly":null}`, false},
		{[]string{management + "; eventSource NotEquals kms.amazonaws.com rdsdata.amazonaws.com"}, `"eventCategory":"Management","eventSource":"kms.amazonaws.com"}`, false},
		{[]string{management + "; eventSource NotEquals kms.amazonaws.com rdsdata.amazonaws.com"}, `"eventCategory":"Management","eventSource":"s3.amazonaws.com"}`, true},
		{[]string{management + "; eventSource NotEquals kms.amazonaws.com"}, `"eventCategory":"Management"}`, true},
		{[]string{management + "; eventName StartsWith Put Get; eventName NotEndsWith Acl"}, `"eventCategory":"Management","eventName":"GetX"}`, true},
		{[]string{management + "; eventName StartsWith Put Get; eventName NotEndsWith Acl"}, `"eventCategory":"Management","eventName":"GetAcl"}`, false},
		{[]string{management + "; eventName StartsWith Put Get; eventName NotEndsWith Acl"}, `"eventCategory":"Management","eventName":""}`, false},
		{[]string{management + "; eventName NotEquals x"}, `"eventCategory":"Management","eventName":""}`, true},
		{[]string{management + "; eventName Equals é"}, `"eventCategory":"Management","eventName":"\u00e9"}`, true},
		{[]string{management + "; sessionCredentialFromConsole Equals true"}, `"eventCategory":"Management","sessionCredentialFromConsole":"true"}`, true},
		{[]string{management + "; sessionCredentialFromConsole NotEquals true"}, `"eventCategory":"Management","sessionCredentialFromConsole":"true"}`, false},
		{[]string{management + "; sessionCredentialFromConsole NotEquals true"}, `"eventCategory":"Management"}`, true},
		{[]string{management + "; userIdentity.arn StartsWith arn:aws:iam"}, `"eventCategory":"Management","userIdentity":{"arn":"arn:aws:iam::1:root"}}`, true},
		{[]string{management + "; userIdentity.arn StartsWith arn:aws:iam"}, `"eventCategory":"Management","userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam"}}}}`, false},
		{[]string{management + "; eventName Equals A; eventSource Equals s", management + "; eventName Equals B; eventSource Equals t"}, `"eventCategory":"Management","eventName":"B","eventSource":"s"}`, false},
		{[]string{management + "; eventName Equals A; eventSource Equals s", management + "; eventName Equals B; eventSource Equals t"}, `"eventCategory":"Management","eventName":"B","eventSource":"t"}`, true},
		{[]string{network + "; errorCode Equals VpceAccessDenied; vpcEndpointId NotStartsWith vpce-1"}, `"eventCategory":"NetworkActivity","eventSource":"kms.amazonaws.com","errorCode":"VpceAccessDenied","vpcEndpointId":"vpce-2"}`, true},
		{[]string{network + "; errorCode Equals VpceAccessDenied"}, `"eventCategory":"NetworkActivity","eventSource":"kms.amazonaws.com"}`, false},
		{[]string{outside + "; eventName StartsWith Create"}, `"eventCategory":"ActivityAuditLog","eventData":{"eventName":"CreateUser"}}`, true},
		{[]string{outside + "; eventName StartsWith Create"}, `"eventCategory":"ActivityAuditLog","eventData":{"eventName":"DeleteUser"}}`, false},
		{[]string{outside + "; userIdentity.type Equals USER; userIdentity.principalId NotEquals bot"}, `"eventCategory":"ActivityAuditLog","eventData":{"userIdentity":{"type":"USER","principalId":"al"}}}`, true},
		{[]string{outside + "; userIdentity.arn Equals a"}, `"eventCategory":"ActivityAuditLog","eventData":{"userIdentity":{"details":{"x":"a","arn":"a"}}}}`, true},
		{[]string{outside + "; userIdentity.arn Equals a"}, `"eventCategory":"ActivityAuditLog","eventData":{"userIdentity":{"details":{"x":"a","arn":null}}}}`, false},
		{[]string{outside}, `"eventCategory":"ActivityAuditLog"}`, true},
	} {
		if got := compile(t, c.selectors...).Match(decode(t, head+c.event)); got != c.want {
			t.Errorf("%v on %s: %v", c.selectors, c.event, got)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	s := compile(t, data+"; resources.ARN StartsWith arn:aws:s3:::b; readOnly Equals true", management+"; eventName Equals a b c; userIdentity.arn NotStartsWith x; readOnly Equals true")
	d := decode(t, `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"}]}`)
	m := decode(t, `{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Management","readOnly":true,"eventName":"c"}`)
	if n := testing.AllocsPerRun(100, func() {
		if !s.Match(d) || !s.Match(m) {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	s := compile(b, data+"; resources.ARN StartsWith arn:aws:s3:::b", management+"; eventName NotEquals a b c; userIdentity.arn NotStartsWith x; readOnly Equals true")
	r := decode(b, `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"A","arn":"arn:aws:sts::1:assumed-role/D/d","accountId":"1","accessKeyId":"A","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"A","arn":"arn","accountId":"1","userName":"D"},"attributes":{"creationDate":"2023-07-10T11:42:31Z","mfaAuthenticated":"false"}}},"eventTime":"2023-07-10T12:32:49Z","eventSource":"s3.amazonaws.com","eventName":"GetBucketPolicy","awsRegion":"us-east-1","requestParameters":{"a":"1","b":"2","c":"3","d":"4"},"eventID":"6b","readOnly":true,"eventCategory":"Management"}`)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Match(r) {
			b.Fatal("no match")
		}
	}
}
