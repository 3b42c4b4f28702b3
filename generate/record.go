package generate

import (
	"strconv"
	"strings"
	"time"
)

// write appends one everyday event's text.
func (g *Generator) write(b []byte, a *actor, act *action, region string, at time.Time) []byte {
	s := &scene{account: a.account, region: region, at: at, rnd: g.rnd, action: act.source + ":" + strings.TrimRight(act.name, "0123456789v")}
	s.arn = a.arn()
	failed := act.denied > 0 && g.rnd.Float64() < act.denied
	b = append(b, `{"eventVersion":"1.11","userIdentity":`...)
	b = a.appendIdentity(b, at)
	code, message := "", []byte(nil)
	if failed {
		code, message = act.code, s.append(nil, act.message)
	}
	ip := a.ip
	return g.finish(b, s, act, ip, a.agent, code, string(message), failed, a.kind != service)
}

// finish appends what follows the identity.
func (g *Generator) finish(b []byte, s *scene, act *action, ip, agent, code, message string, failed, tls bool) []byte {
	b = append(b, `,"eventTime":"`...)
	b = s.at.AppendFormat(b, "2006-01-02T15:04:05Z")
	b = append(b, `","eventSource":"`...)
	b = append(b, act.source...)
	b = append(b, `.amazonaws.com","eventName":"`...)
	b = append(b, act.name...)
	b = append(b, `","awsRegion":"`...)
	b = append(b, s.region...)
	b = append(b, `","sourceIPAddress":"`...)
	b = append(b, ip...)
	b = append(b, `","userAgent":"`...)
	b = append(b, agent...)
	b = append(b, '"')
	if code != "" {
		b = append(b, `,"errorCode":"`...)
		b = append(b, code...)
		b = append(b, `","errorMessage":"`...)
		b = append(b, message...)
		b = append(b, '"')
	}
	b = s.member(b, "requestParameters", act.request)
	if failed {
		b = append(b, `,"responseElements":null`...)
	} else {
		b = s.member(b, "responseElements", act.response)
	}
	if len(act.additional) > 0 {
		b = s.member(b, "additionalEventData", act.additional)
	}
	b = append(b, `,"requestID":"`...)
	b = appendUUID(b, g.rnd.Uint64(), g.rnd.Uint64())
	b = append(b, `","eventID":"`...)
	b = appendUUID(b, g.rnd.Uint64(), g.rnd.Uint64())
	b = append(b, `","readOnly":`...)
	b = strconv.AppendBool(b, act.readOnly)
	if len(act.resources) > 0 {
		b = append(b, `,"resources":[`...)
		b = s.append(b, act.resources)
		b = append(b, ']')
	}
	kind, category := "AwsApiCall", "Management"
	if act.name == "ConsoleLogin" {
		kind = "AwsConsoleSignIn"
	}
	if act.data {
		category = "Data"
	}
	b = append(b, `,"eventType":"`...)
	b = append(b, kind...)
	b = append(b, `","managementEvent":`...)
	b = strconv.AppendBool(b, !act.data)
	b = append(b, `,"recipientAccountId":"`...)
	b = append(b, s.account.id...)
	b = append(b, '"')
	if tls && act.data && act.source == "s3" {
		b = append(b, `,"vpcEndpointId":"`...)
		b = append(b, s.account.endpoint...)
		b = append(b, `","vpcEndpointAccountId":"`...)
		b = append(b, s.account.id...)
		b = append(b, '"')
	}
	b = append(b, `,"eventCategory":"`...)
	b = append(b, category...)
	b = append(b, '"')
	if tls {
		b = append(b, `,"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"`...)
		b = append(b, act.source...)
		b = append(b, '.')
		b = append(b, s.region...)
		b = append(b, `.amazonaws.com"}`...)
	}
	return append(b, '}')
}

func (s *scene) member(b []byte, name string, t template) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	if len(t) == 0 {
		return append(b, "null"...)
	}
	return s.append(b, t)
}

func (a *actor) arn() string {
	switch a.kind {
	case service:
		return "arn:aws:iam::" + a.account.id + ":root"
	case iamUser:
		return "arn:aws:iam::" + a.account.id + ":user/" + a.name
	default:
		return "arn:aws:sts::" + a.account.id + ":assumed-role/" + a.role + "/" + a.name
	}
}

// appendIdentity writes userIdentity as CloudTrail does for each kind of caller.
func (a *actor) appendIdentity(b []byte, at time.Time) []byte {
	id := a.account.id
	session := at.Truncate(6 * time.Hour)
	switch a.kind {
	case service:
		b = append(b, `{"type":"AWSService","invokedBy":"`...)
		b = append(b, a.name...)
		return append(b, `"}`...)
	case iamUser:
		b = append(b, `{"type":"IAMUser","principalId":"`...)
		b = append(b, a.principal...)
		b = append(b, `","arn":"`...)
		b = append(b, a.arn()...)
		b = append(b, `","accountId":"`...)
		b = append(b, id...)
		b = append(b, `","accessKeyId":"`...)
		b = append(b, a.accessKey...)
		b = append(b, `","userName":"`...)
		b = append(b, a.name...)
		return append(b, `"}`...)
	}
	path := ""
	if a.kind == personSession {
		path = "aws-reserved/sso.amazonaws.com/"
	}
	b = append(b, `{"type":"AssumedRole","principalId":"`...)
	b = append(b, a.principal...)
	b = append(b, ':')
	b = append(b, a.name...)
	b = append(b, `","arn":"`...)
	b = append(b, a.arn()...)
	b = append(b, `","accountId":"`...)
	b = append(b, id...)
	b = append(b, `","accessKeyId":"`...)
	b = append(b, a.accessKey[:10]...)
	b = appendSession(b, uint64(session.Unix())*0x9e3779b97f4a7c15)
	b = append(b, `","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"`...)
	b = append(b, a.principal...)
	b = append(b, `","arn":"arn:aws:iam::`...)
	b = append(b, id...)
	b = append(b, `:role/`...)
	b = append(b, path...)
	b = append(b, a.role...)
	b = append(b, `","accountId":"`...)
	b = append(b, id...)
	b = append(b, `","userName":"`...)
	b = append(b, a.role...)
	b = append(b, `"},`...)
	if a.name == "GitHubActions" {
		b = append(b, `"webIdFederationData":{"federatedProvider":"arn:aws:iam::`...)
		b = append(b, id...)
		b = append(b, `:oidc-provider/token.actions.githubusercontent.com","attributes":{}},`...)
	}
	b = append(b, `"attributes":{"creationDate":"`...)
	b = session.AppendFormat(b, "2006-01-02T15:04:05Z")
	b = append(b, `","mfaAuthenticated":"`...)
	b = strconv.AppendBool(b, a.kind == personSession)
	b = append(b, `"}`...)
	if a.kind == workload && strings.HasPrefix(a.name, "i-") {
		b = append(b, `,"ec2RoleDelivery":"2.0"`...)
	}
	b = append(b, '}')
	return append(b, '}')
}

// appendSession writes the changing end of a session's access key.
func appendSession(b []byte, n uint64) []byte {
	for range 10 {
		b = append(b, idDigits[n&31])
		n >>= 6
	}
	return b
}
