package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
)

// tableStores are the stores that statements over tables read, one of each schema, by the names that the statements give them.
var tableStores = []struct {
	name, category string
	kind           event.Kind
}{
	{"trail", "Management", event.CloudTrail}, {"wiz", "ActivityAuditLog", event.Activity}, {"insights", "Insight", event.Insight},
	{"items", "ConfigurationItem", event.ConfigurationItem}, {"evidence", "Evidence", event.Evidence},
}

// tableStart is when their events begin. They span six days.
var tableStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// tableEvents makes the events of a store, always the same ones.
func tableEvents(kind event.Kind) []json.RawMessage {
	var out []json.RawMessage
	if kind == event.CloudTrail {
		g := generate.New(generate.Options{Events: 400, Seed: 7, Start: tableStart, Days: 6, Attack: true})
		for e, ok := g.Next(); ok; e, ok = g.Next() {
			out = append(out, append(json.RawMessage(nil), e.Text...))
		}
		return out
	}
	r := &maker{rand.New(rand.NewPCG(uint64(kind), 7))}
	for i := range 80 {
		e := r.common(i)
		switch kind {
		case event.Activity:
			r.activity(e, i)
		case event.Insight:
			r.insight(e, i)
		case event.ConfigurationItem:
			r.item(e, i)
		case event.Evidence:
			r.evidence(e, i)
		}
		text, err := json.Marshal(e)
		if err != nil {
			panic(err) // maps of strings and numbers
		}
		out = append(out, text)
	}
	return out
}

// object is one JSON object.
type object = map[string]any

type maker struct{ *rand.Rand }

func (m *maker) pick(options ...string) string { return options[m.IntN(len(options))] }

// some leaves members out now and then, as senders do, or has them null.
func (m *maker) some(o object) object {
	for _, k := range keys(o) {
		switch m.IntN(12) {
		case 0:
			delete(o, k)
		case 1:
			o[k] = nil
		}
	}
	return o
}

func (m *maker) time(i int) string {
	return tableStart.Add(time.Duration(i)*108*time.Minute + time.Duration(m.IntN(3_600_000))*time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

func (m *maker) common(i int) object {
	return object{"eventVersion": m.pick("1.0", "1.1"), "eventID": fmt.Sprintf("%08x-0000-4000-8000-%012x", m.Uint32(), i), "eventTime": m.time(i),
		"awsRegion": m.pick("us-east-1", "eu-west-1", "us-east-1"), "recipientAccountId": m.pick("111122223333", "444455556666")}
}

func (m *maker) text() string {
	return m.pick("", "plain", "Ünï-çödé 日本", "it's \"quoted\"", "a,b;c", "tab\tand\nline", "{brace}", "42", "0.5", "true")
}

func (m *maker) activity(e object, i int) {
	e["eventCategory"], e["eventType"] = "ActivityAuditLog", "ActivityLog"
	e["metadata"] = m.some(object{"ingestionTime": m.time(i), "channelARN": "arn:aws:cloudtrail:us-east-1:111122223333:channel/" + m.pick("one", "two")})
	if m.IntN(4) == 0 {
		e["addendum"] = m.some(object{"reason": m.pick("DELIVERY_DELAY", "UPDATED_DATA"), "updatedFields": "eventData", "originalUID": m.pick("u1", "u2"), "originalEventID": "x"})
	}
	e["eventData"] = m.some(object{"version": "1.0", "userIdentity": m.some(object{"type": m.pick("User", "ServiceAccount"), "principalId": m.pick("alice", "bob", "carol"),
		"details": m.some(object{"arn": "arn:wiz:user/" + m.pick("alice", "bob"), "team": m.text()})}),
		"userAgent": m.pick("Mozilla/5.0", "curl/8.0"), "eventSource": "wiz.io", "eventName": m.pick("Login", "IssueStatusUpdate", "ReportDownload", "ConnectorDeletion"), "eventTime": m.time(i), "UID": fmt.Sprintf("uid-%d", i%60),
		"requestParameters": m.some(object{"key": m.text(), "issueId": fmt.Sprint(m.IntN(9)), "n": m.IntN(100)}), "responseElements": m.some(object{"status": m.pick("ok", "failed")}),
		"errorCode": m.pick("AccessDenied", "Throttled"), "errorMessage": m.text(), "sourceIPAddress": m.pick("203.0.113.7", "198.51.100.23", "2001:db8::1"), "recipientAccountId": "111122223333",
		"additionalEventData": m.some(object{"mfa": m.pick("true", "false")})})
}

func (m *maker) insight(e object, i int) {
	e["eventCategory"], e["eventType"] = "Insight", "AwsCloudTrailInsight"
	e["sharedEventID"] = fmt.Sprintf("shared-%d", i/2)
	side := func() object {
		return m.some(object{"value": m.pick("arn:aws:iam::111122223333:user/alice", "AWS Internal", "curl"), "average": float64(m.IntN(4000)) / 16})
	}
	e["insightDetails"] = object{"state": []string{"Start", "End"}[i%2], "eventSource": m.pick("ec2.amazonaws.com", "ssm.amazonaws.com"), "eventName": m.pick("RunInstances", "UpdateInstanceInformation", "PutParameter"),
		"insightType": m.pick("ApiCallRateInsight", "ApiErrorRateInsight"), "errorCode": m.pick("AccessDenied", "InvalidParameterValue"),
		"insightContext": m.some(object{"statistics": object{"baseline": object{"average": float64(m.IntN(1000)) / 8}, "insight": object{"average": float64(m.IntN(8000)) / 8}, "insightDuration": m.IntN(90), "baselineDuration": 10080},
			"attributions": []any{object{"attribute": m.pick("userIdentityArn", "userAgent", "errorCode"), "insight": []any{side()}, "baseline": []any{side()}}}})}
}

func (m *maker) item(e object, i int) {
	e["eventCategory"], e["eventType"] = "ConfigurationItem", "AwsConfigurationItem"
	e["eventData"] = m.some(object{"configurationItemVersion": "1.3", "configurationItemCaptureTime": m.time(i), "configurationItemStatus": m.pick("OK", "ResourceDiscovered", "ResourceDeleted"),
		"configurationItemStateId": fmt.Sprint(1_700_000_000_000 + i), "accountId": m.pick("111122223333", "444455556666"), "resourceType": m.pick("AWS::S3::Bucket", "AWS::EC2::Instance", "AWS::IAM::Role"),
		"resourceId": fmt.Sprintf("r-%d", i%30), "resourceName": m.text(), "arn": fmt.Sprintf("arn:aws:s3:::bucket-%d", i%30), "awsRegion": m.pick("us-east-1", "eu-west-1"), "availabilityZone": m.pick("us-east-1a", "Regional"),
		"resourceCreationTime": m.time(i), "configuration": m.some(object{"name": m.text(), "size": m.IntN(1000), "nested": object{"a": []int{1, 2}}}), "supplementaryConfiguration": m.some(object{"policy": "{}", "acl": m.text()}),
		"relatedEvents": m.text(), "relationships": m.some(object{"name": "Is attached to", "resourceType": "AWS::EC2::Volume", "resourceId": m.text(), "resourceName": "v"}),
		"tags": m.some(object{"env": m.pick("prod", "test"), "owner": m.text()})})
}

func (m *maker) evidence(e object, i int) {
	e["eventCategory"], e["eventType"] = "Evidence", "AwsAuditManagerEvidence"
	e["eventData"] = m.some(object{"attributes": m.some(object{"findingComplianceStatus": m.pick("PASSED", "FAILED"), "note": m.text()}), "awsAccountId": m.pick("111122223333", "444455556666"), "awsOrganization": "o-1",
		"complianceCheck": m.pick("COMPLIANT", "NON_COMPLIANT"), "dataSource": m.pick("AWS CloudTrail", "AWS Config", "AWS Security Hub"), "eventName": m.pick("CreateUser", "PutBucketPolicy"), "eventSource": m.pick("iam.amazonaws.com", "s3.amazonaws.com"),
		"evidenceAwsAccountId": "111122223333", "evidenceByType": m.pick("Manual", "Configuration data"), "iamId": "arn:aws:iam::111122223333:role/auditor", "evidenceId": fmt.Sprintf("ev-%d", i), "time": m.time(i),
		"assessmentId": fmt.Sprintf("as-%d", i%3), "controlSetId": m.text(), "controlId": fmt.Sprintf("c-%d", i%7), "controlName": m.text(), "controlDomainName": "Identity", "frameworkName": m.pick("PCI DSS", "SOC 2"),
		"frameworkId": "f-1", "service": m.pick("iam", "s3"), "serviceCategory": "security", "resourceArn": m.text(), "resourceType": "AWS::IAM::User", "evidenceFolderId": "fo-1", "description": m.text(),
		"manualEvidenceS3ResourcePath": nil, "evidenceFolderName": m.text(), "resourceComplianceCheck": m.pick("PASS", "FAIL")})
}

// keys are an object's in order, so that chance falls on them the same way each time.
func keys(o object) []string { return slices.Sorted(maps.Keys(o)) }
