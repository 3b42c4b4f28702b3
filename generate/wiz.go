package generate

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// AuditEvent is one event from outside AWS as PutAuditEvents takes it.
type AuditEvent struct {
	ID   string // the sender's id, unique in its channel
	Data string // eventData, a JSON text
	Time time.Time
}

// wizActions are what people and service accounts do in Wiz, with how often and with what.
var wizActions = []struct {
	weight  float64
	name    string
	request template
}{
	{30, "Login", compile(`{"authenticationMethod":"SAML"}`)},
	{18, "IssueStatusUpdate", compile(`{"issueId":"{uuid}","status":"IN_PROGRESS","note":"ticket {n}"}`)},
	{14, "GraphQuerySearch", compile(`{"projectId":"{uuid}","query":"{\"type\":[\"VIRTUAL_MACHINE\"],\"select\":true}"}`)},
	{8, "ReportDownload", compile(`{"reportId":"{uuid}","format":"CSV"}`)},
	{6, "CloudConfigurationRuleUpdate", compile(`{"ruleId":"{uuid}","patch":"{\"severity\":\"HIGH\"}"}`)},
	{5, "CloudConfigurationRuleCreation", compile(`{"ruleId":"{uuid}","name":"bucket-{hex8}-public","targetNativeTypes":"[\"s3#bucket\"]"}`)},
	{4, "UserRoleAssignment", compile(`{"userId":"{uuid}","role":"PROJECT_READER"}`)},
	{3, "ServiceAccountCreation", compile(`{"serviceAccountId":"{uuid}","scopes":"[\"read:issues\",\"read:inventory\"]"}`)},
	{2, "ConnectorUpdate", compile(`{"connectorId":"{uuid}","enabled":"true"}`)},
	{1, "AutomationRuleCreation", compile(`{"ruleId":"{uuid}","action":"WEBHOOK"}`)},
}

// WizEvents makes the audit events of the organisation's Wiz tenant over the same span, in order of time. With Attack the connector of the production account is
// deleted, by a session from the attacker's address, an hour after the attack in AWS began.
func WizEvents(opt Options, n int) []AuditEvent {
	g := New(opt)
	r := rand.New(rand.NewPCG(opt.Seed, 0x77697a))
	var sums []float64
	sum := 0.0
	for _, a := range wizActions {
		sum += a.weight
		sums = append(sums, sum)
	}
	total := g.hours[len(g.hours)-1]
	stealAt := opt.AttackStart().Add(time.Hour)
	var out []AuditEvent
	for i := range n {
		want := total * (float64(i) + 0.5) / float64(n)
		h := pick(g.hours, want/total)
		at := g.opt.Start.Add(time.Duration(h)*time.Hour + time.Duration(r.IntN(3600))*time.Second)
		if len(out) > 0 && at.Before(out[len(out)-1].Time) {
			at = out[len(out)-1].Time
		}
		if opt.Attack && !at.Before(stealAt) {
			for k, name := range []string{"Login", "CloudConfigurationRuleUpdate", "ConnectorDeletion"} {
				s := &scene{account: g.org.accounts[2], region: "us-east-1", at: stealAt, rnd: r}
				out = append(out, wizEvent(r, stealAt.Add(time.Duration(k)*2*time.Minute), g.org.people[4], AttackerIP, name, s.append(nil, compile(`{"connectorId":"{uuid}","cloudAccount":"{account}"}`))))
			}
			stealAt = g.opt.Start.AddDate(100, 0, 0)
			continue
		}
		p := g.org.people[r.IntN(len(g.org.people))]
		a := wizActions[pick(sums, r.Float64())]
		s := &scene{account: g.org.accounts[2], region: "us-east-1", at: at, rnd: r}
		out = append(out, wizEvent(r, at, p, p.ip, a.name, s.append(nil, a.request)))
	}
	return out
}

func wizEvent(r *rand.Rand, at time.Time, p person, ip, name string, request []byte) AuditEvent {
	id := uuid(r)
	return AuditEvent{ID: id, Time: at, Data: fmt.Sprintf(`{"version":"1.0","userIdentity":{"type":"USER","principalId":%q,"details":{"name":%q,"identityProvider":"SAML"}},"userAgent":%q,"eventSource":"wiz.io","eventName":%q,"eventTime":%q,"UID":%q,"requestParameters":%s,"responseElements":{"status":"SUCCESS"},"sourceIPAddress":%q,"recipientAccountId":%q,"additionalEventData":{"tenant":"example","requestId":%q}}`,
		"wiz|"+p.name, p.name, p.agent, name, at.Format(time.RFC3339), id, request, ip, ManagementAccount, uuid(r))}
}
