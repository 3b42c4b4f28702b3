package generate

import "time"

// The attack's marks, by which its steps can be followed in a query.
const (
	LeakedUser      = "deploy-legacy" // an IAM user whose long-lived key leaked
	BackdoorUser    = "support-sync"  // the user that the attacker makes
	AttackerIP      = "203.0.113.66"  // an address that nobody else calls from
	ExternalAccount = "999999999999"  // where a snapshot is shared to
	StolenBucket    = "example-production-customer-exports"
)

// step is one call of the attack.
type step struct {
	account, region string
	after           time.Duration // since the attack began
	actor           *actor
	act             action
	code, message   string
	done            bool
}

const attackerAgent = "aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0-kali9-amd64 exe/x86_64.kali.2023 prompt/off"

// attackSteps tells the attack: a leaked key looks around, is refused much, makes itself a user with every right, signs in without a second factor, tries
// to blind the trail, shares a snapshot, reads secrets and customer exports; then the responders end it.
func attackSteps(o *org) []step {
	prod := o.accounts[2]
	leaked := &actor{account: prod, kind: iamUser, name: LeakedUser, principal: "AIDAEXAMPLELEAKED0001", accessKey: "AKIAEXAMPLELEAKED001", ip: AttackerIP, agent: attackerAgent}
	backdoor := &actor{account: prod, kind: iamUser, name: BackdoorUser, principal: "AIDAEXAMPLEBACKDOOR01", accessKey: "AKIAEXAMPLEBACKDOOR1", ip: AttackerIP, agent: attackerAgent}
	responder := &actor{account: prod, kind: personSession, name: "trent@example.com", role: "AWSReservedSSO_IncidentResponse_0f1e2d3c4b5a6978", principal: "AROAEXAMPLERESPONDER1", accessKey: "ASIAEXAMPLERESPONDER", ip: "198.51.100.58", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}
	var steps []step
	do := func(minutes float64, by *actor, region string, act action, code string) {
		s := step{account: prod.id, region: region, after: time.Duration(minutes * float64(time.Minute)), actor: by, act: act, code: code}
		if code != "" {
			s.message = "User: " + by.arn() + " is not authorized to perform: " + act.source + ":" + act.name + " because no identity-based policy allows the " + act.source + ":" + act.name + " action"
		}
		steps = append(steps, s)
	}
	const home = "us-east-1"
	do(0, leaked, home, read(0, "sts", "GetCallerIdentity", ""), "")
	for i, a := range []action{
		read(0, "iam", "ListUsers", ""), read(0, "iam", "ListAccessKeys", ""), read(0, "iam", "GetAccountAuthorizationDetails", `{"maxItems":1000}`), read(0, "s3", "ListBuckets", `{"Host":"s3.amazonaws.com"}`),
		read(0, "secretsmanager", "ListSecrets", ""), read(0, "ec2", "DescribeInstances", `{"instancesSet":{},"filterSet":{}}`), read(0, "organizations", "ListAccounts", ""), read(0, "rds", "DescribeDBSnapshots", `{"includeShared":false}`),
		read(0, "guardduty", "ListDetectors", ""), read(0, "cloudtrail", "DescribeTrails", ""),
	} {
		code := ""
		if i%3 == 2 || i == 6 {
			code = "AccessDenied"
		}
		do(1+float64(i)*0.7, leaked, home, a, code)
	}
	do(11, leaked, home, write(0, "iam", "CreateUser", `{"userName":"`+BackdoorUser+`","path":"/"}`, `{"user":{"path":"/","userName":"`+BackdoorUser+`","userId":"AIDAEXAMPLEBACKDOOR01","arn":"arn:aws:iam::{account}:user/`+BackdoorUser+`","createDate":"{time}"}}`), "")
	do(12, leaked, home, write(0, "iam", "AttachUserPolicy", `{"userName":"`+BackdoorUser+`","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`, ""), "")
	do(13, leaked, home, write(0, "iam", "CreateLoginProfile", `{"userName":"`+BackdoorUser+`","passwordResetRequired":false}`, `{"loginProfile":{"userName":"`+BackdoorUser+`","createDate":"{time}","passwordResetRequired":false}}`), "")
	do(14, leaked, home, write(0, "iam", "CreateAccessKey", `{"userName":"`+BackdoorUser+`"}`, `{"accessKey":{"userName":"`+BackdoorUser+`","accessKeyId":"AKIAEXAMPLEBACKDOOR1","status":"Active","createDate":"{time}"}}`), "")
	do(19, backdoor, home, action{source: "signin", name: "ConsoleLogin", response: compile(`{"ConsoleLogin":"Success"}`), additional: compile(`{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"}`)}, "")
	do(22, leaked, home, write(0, "cloudtrail", "StopLogging", `{"name":"arn:aws:cloudtrail:us-east-1:{account}:trail/organization"}`, ""), "AccessDenied")
	do(24, backdoor, home, write(0, "cloudtrail", "PutEventSelectors", `{"trailName":"arn:aws:cloudtrail:us-east-1:{account}:trail/organization","eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":true,"dataResources":[],"excludeManagementEventSources":[]}]}`, ""), "InsufficientDependencyServiceAccessPermissionException")
	do(26, backdoor, home, write(0, "guardduty", "UpdateDetector", `{"detectorId":"{hex32}","enable":false}`, ""), "")
	do(29, backdoor, home, write(0, "ec2", "ModifySnapshotAttribute", `{"snapshotId":"snap-{hex17}","createVolumePermission":{"add":{"items":[{"userId":"`+ExternalAccount+`"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}`, `{"requestId":"{uuid}","_return":true}`), "")
	for i, s := range prod.secrets {
		do(32+float64(i)*0.4, backdoor, home, read(0, "secretsmanager", "GetSecretValue", `{"secretId":"`+s+`"}`), "")
	}
	for i := range 24 {
		do(40+float64(i)*0.25, backdoor, home, read(0, "s3", "GetObject", `{"bucketName":"`+StolenBucket+`","Host":"`+StolenBucket+`.s3.us-east-1.amazonaws.com","key":"exports/customers-{hex8}.parquet"}`).
			on(`{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::`+StolenBucket+`/exports/customers.parquet"},{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::`+StolenBucket+`"}`).dataEvent(s3Additional), "")
	}
	do(300, responder, home, write(0, "iam", "UpdateAccessKey", `{"userName":"`+LeakedUser+`","accessKeyId":"AKIAEXAMPLELEAKED001","status":"Inactive"}`, ""), "")
	do(304, responder, home, write(0, "iam", "DeleteLoginProfile", `{"userName":"`+BackdoorUser+`"}`, ""), "")
	do(305, responder, home, write(0, "iam", "DetachUserPolicy", `{"userName":"`+BackdoorUser+`","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`, ""), "")
	do(307, responder, home, write(0, "iam", "UpdateAccessKey", `{"userName":"`+BackdoorUser+`","accessKeyId":"AKIAEXAMPLEBACKDOOR1","status":"Inactive"}`, ""), "")
	return steps
}

// AttackStart is when the attack begins: in the small hours, seven tenths into the span.
func (o Options) AttackStart() time.Time {
	days := o.Days
	if days <= 0 {
		days = 30
	}
	start := o.Start.UTC().Truncate(time.Second)
	if days == 1 {
		return start.Add(16 * time.Hour)
	}
	return start.AddDate(0, 0, days*7/10).Truncate(24 * time.Hour).Add(2*time.Hour + 13*time.Minute)
}

func (g *Generator) attackTime(s *step) time.Time {
	return g.opt.AttackStart().Add(s.after).Truncate(time.Second)
}

func (g *Generator) writeStep(b []byte, st *step, at time.Time) []byte {
	s := &scene{account: st.actor.account, region: st.region, at: at, rnd: g.rnd, arn: st.actor.arn(), action: st.act.source + ":" + st.act.name}
	b = append(b, `{"eventVersion":"1.11","userIdentity":`...)
	b = st.actor.appendIdentity(b, at)
	return g.finish(b, s, &st.act, st.actor.ip, st.actor.agent, st.code, st.message, st.code != "", true)
}
