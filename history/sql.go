package history

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lochlake/loch/engine"
)

// relation is the store's name in statements.
const relation = "history"

// columns are the store's columns that statements name.
var columns = []string{"eventtime", "eventid", "eventname", "eventsource", "readonly", "useridentity", "requestparameters", "resources", "awsregion", "eventjson",
	"_writer", "_epoch", "_sequence", "_position"}

// answer are the columns that a statement gives; read takes them.
var answer = []engine.Column{{Name: "time", Type: "bigint"}, {Name: "writer", Type: "varchar"}, {Name: "epoch", Type: "bigint"}, {Name: "sequence", Type: "bigint"},
	{Name: "position", Type: "bigint"}, {Name: "id", Type: "varchar"}, {Name: "name", Type: "varchar"}, {Name: "source", Type: "varchar"}, {Name: "readonly", Type: "varchar"},
	{Name: "key", Type: "varchar"}, {Name: "username", Type: "varchar"}, {Name: "resources", Type: "varchar"}, {Name: "text", Type: "varchar"}}

// username is who did it, by the name that people know: a user's, a role session's, "root".
const username = `coalesce(useridentity.username, CASE useridentity.type
	WHEN 'Root' THEN 'root'
	WHEN 'AssumedRole' THEN split_part(useridentity.arn, '/', -1)
	WHEN 'FederatedUser' THEN split_part(useridentity.arn, '/', -1) END)`

// named are the request parameters by which events name resources, where they have no list of them: source, parameter, type.
var named = [][3]string{
	{"cloudtrail.amazonaws.com", "name", "AWS::CloudTrail::Trail"},
	{"cloudtrail.amazonaws.com", "s3BucketName", "AWS::S3::Bucket"},
	{"dynamodb.amazonaws.com", "tableName", "AWS::DynamoDB::Table"},
	{"ec2.amazonaws.com", "groupId", "AWS::EC2::SecurityGroup"},
	{"ec2.amazonaws.com", "instanceId", "AWS::EC2::Instance"},
	{"ec2.amazonaws.com", "subnetId", "AWS::EC2::Subnet"},
	{"ec2.amazonaws.com", "volumeId", "AWS::EC2::Volume"},
	{"ec2.amazonaws.com", "vpcId", "AWS::EC2::VPC"},
	{"iam.amazonaws.com", "accessKeyId", "AWS::IAM::AccessKey"},
	{"iam.amazonaws.com", "groupName", "AWS::IAM::Group"},
	{"iam.amazonaws.com", "instanceProfileName", "AWS::IAM::InstanceProfile"},
	{"iam.amazonaws.com", "policyArn", "AWS::IAM::Policy"},
	{"iam.amazonaws.com", "policyName", "AWS::IAM::Policy"},
	{"iam.amazonaws.com", "roleName", "AWS::IAM::Role"},
	{"iam.amazonaws.com", "userName", "AWS::IAM::User"},
	{"kms.amazonaws.com", "keyId", "AWS::KMS::Key"},
	{"lambda.amazonaws.com", "functionName", "AWS::Lambda::Function"},
	{"rds.amazonaws.com", "dBInstanceIdentifier", "AWS::RDS::DBInstance"},
	{"s3.amazonaws.com", "bucketName", "AWS::S3::Bucket"},
	{"secretsmanager.amazonaws.com", "secretId", "AWS::SecretsManager::Secret"},
	{"sns.amazonaws.com", "topicArn", "AWS::SNS::Topic"},
	{"sqs.amazonaws.com", "queueUrl", "AWS::SQS::Queue"},
	{"sts.amazonaws.com", "roleArn", "AWS::IAM::Role"},
}

// resources is the list of what an event names: its own resources, and what its request parameters tell.
var resources = func() string {
	var b strings.Builder
	b.WriteString("list_concat(list_transform(resources, lambda r: {'Type': r.type, 'Name': r.arn}), list_filter(CASE eventsource")
	for i, n := range named {
		if i == 0 || named[i-1][0] != n[0] {
			b.WriteString(" WHEN " + literal(n[0]) + " THEN [")
		}
		b.WriteString("{'Type': " + literal(n[2]) + ", 'Name': requestparameters[" + literal(n[1]) + "]}")
		if i+1 == len(named) || named[i+1][0] != n[0] {
			b.WriteString("]")
		} else {
			b.WriteString(", ")
		}
	}
	b.WriteString(" END, lambda r: r.Name IS NOT NULL))")
	return b.String()
}()

// within is the condition that the region and a window of time make. It names stored columns only.
func within(q Query, lo, hi int64) string {
	return fmt.Sprintf("awsregion = %s AND eventtime BETWEEN make_timestamp(%d) AND make_timestamp(%d)", literal(q.Region), lo, hi)
}

// having is the attribute's condition.
func having(q Query) string {
	v := literal(q.Value)
	switch q.Attribute {
	case EventID:
		return "eventid = " + v
	case EventName:
		return "eventname = " + v
	case EventSource:
		return "eventsource = " + v
	case AccessKeyID:
		return "useridentity.accesskeyid = " + v
	case ReadOnly:
		return "readonly = " + strconv.FormatBool(q.Value == "true")
	case Username:
		return username + " = " + v
	case ResourceType:
		return "len(list_filter(" + resources + ", lambda r: r.Type = " + v + ")) > 0"
	case ResourceName:
		// Names are asked for as people know them, and events have ARNs: their last part counts too.
		return "len(list_filter(" + resources + ", lambda r: r.Name = " + v + " OR starts_with(r.Name, 'arn:') AND regexp_extract(r.Name, '[^:/]*$') = " + v + ")) > 0"
	}
	return "true"
}

// statement gives up to limit events between lo and hi, newest first.
func statement(q Query, lo, hi int64, limit int) string {
	where := within(q, lo, hi) + " AND " + having(q)
	if p := q.After; p != nil {
		where += fmt.Sprintf(" AND (eventtime, _writer, _epoch, _sequence, _position) < (make_timestamp(%d), %s, %d, %d, %d)", p.Time, literal(p.Writer), p.Epoch, p.Sequence, p.Place)
	}
	const key = "eventtime, _writer, _epoch, _sequence, _position"
	const newest = " ORDER BY eventtime DESC, _writer DESC, _epoch DESC, _sequence DESC, _position DESC"
	// The page is found by the few columns that tell it; the others, the text above all, are then read for its rows only: the join hands the scan the
	// times that it wants.
	return "WITH page AS MATERIALIZED (SELECT " + key + " FROM " + relation + " WHERE " + where + newest + " LIMIT " + strconv.Itoa(limit) + ")" +
		" SELECT epoch_us(eventtime), _writer, _epoch, _sequence, _position::BIGINT, eventid, eventname, eventsource, readonly::VARCHAR, useridentity.accesskeyid, " +
		username + ", to_json(" + resources + ")::VARCHAR, eventjson FROM " + relation + " JOIN page USING (" + key + ")" + newest
}

// literal is a text as a literal of DuckDB's SQL. Quotes are doubled, and nothing else means anything between them; a NUL would end the statement in C, so
// it is put together from chr(0).
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.IndexByte(text, 0) < 0 {
		return quoted
	}
	return "(" + strings.ReplaceAll(quoted, "\x00", "' || chr(0) || '") + ")"
}
