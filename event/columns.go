package event

import "strings"

// The columns below follow the pages "Supported SQL schemas for event data stores" of the AWS CloudTrail user guide,
// in AWS's order. The numbers are Iceberg field ids. They are part of every table ever written: an id is never
// changed or used again, and a new column takes a new one, whatever its place. Ids from 1001 are the hidden columns'.

func scalar(id int, json string, t Type) Column {
	return Column{ID: id, Name: strings.ToLower(json), JSON: json, Type: t, Since: 1}
}

func text(id int, json string) Column { return scalar(id, json, String) }

func group(id int, json string, members ...Column) Column {
	c := scalar(id, json, Struct)
	c.Fields = members
	return c
}

// stringMap is a map<string,string>; its key and value have the two ids after first.
func stringMap(id int, json string, first int) Column {
	c := scalar(id, json, Map)
	c.Fields = []Column{
		{ID: first, Name: "key", Type: String, Since: 1},
		{ID: first + 1, Name: "value", Type: String, Since: 1},
	}
	return c
}

func list(id int, json string, elementID int, members ...Column) Column {
	c := scalar(id, json, List)
	c.Fields = []Column{{ID: elementID, Name: "element", Type: Struct, Fields: members, Since: 1}}
	return c
}

var cloudTrailColumns = []Column{
	text(1, "eventVersion"),
	group(2, "userIdentity",
		text(101, "type"),
		text(102, "principalId"),
		text(103, "arn"),
		text(104, "accountId"),
		text(105, "accessKeyId"),
		text(106, "userName"),
		group(107, "sessionContext",
			group(108, "attributes",
				scalar(109, "creationDate", Timestamp),
				text(110, "mfaAuthenticated")),
			group(111, "sessionIssuer",
				text(112, "type"),
				text(113, "principalId"),
				text(114, "arn"),
				text(115, "accountId"),
				text(116, "userName")),
			group(117, "webIdFederationData",
				text(118, "federatedProvider"),
				stringMap(119, "attributes", 120)),
			text(122, "sourceIdentity"),
			text(123, "ec2RoleDelivery"),
			text(124, "ec2IssuedInVpc")),
		text(125, "invokedBy"),
		text(126, "identityProvider"),
		group(127, "onBehalfOf",
			text(128, "userId"),
			text(129, "identityStoreArn")),
		group(130, "inScopeOf",
			text(131, "sourceArn"),
			text(132, "sourceAccount"),
			text(133, "issuerType"),
			text(134, "credentialsIssuedTo"))), // AWS's page prints credentiaisissuedto; its events do not
	scalar(3, "eventTime", Timestamp),
	text(4, "eventSource"),
	text(5, "eventName"),
	text(6, "awsRegion"),
	text(7, "sourceIPAddress"),
	text(8, "userAgent"),
	text(9, "errorCode"),
	text(10, "errorMessage"),
	stringMap(11, "requestParameters", 140),
	stringMap(12, "responseElements", 142),
	stringMap(13, "additionalEventData", 144),
	text(14, "requestID"),
	text(15, "eventID"),
	scalar(16, "readOnly", Boolean),
	list(17, "resources", 146,
		text(147, "accountId"),
		text(148, "type"),
		text(149, "ARN"),
		text(150, "ARNPrefix")),
	text(18, "eventType"),
	text(19, "apiVersion"),
	scalar(20, "managementEvent", Boolean),
	text(21, "recipientAccountId"),
	text(22, "sharedEventID"),
	text(23, "annotation"),
	text(24, "vpcEndpointId"),
	text(25, "vpcEndpointAccountId"),
	stringMap(26, "serviceEventDetails", 151),
	stringMap(27, "addendum", 153),
	stringMap(28, "edgeDeviceDetails", 155),
	stringMap(29, "insightDetails", 157),
	text(30, "eventCategory"),
	group(31, "tlsDetails",
		text(159, "tlsVersion"),
		text(160, "cipherSuite"),
		text(161, "clientProvidedHostHeader")),
	text(32, "sessionCredentialFromConsole"),
	{ID: 33, Name: "eventjson", Type: String, Since: 1},
	{Name: "eventjsonchecksum", Type: String, Since: 1, Computed: true},
}

var activityColumns = []Column{
	text(1, "eventVersion"),
	text(2, "eventCategory"),
	text(3, "eventType"),
	text(4, "eventID"),
	scalar(5, "eventTime", Timestamp),
	text(6, "awsRegion"),
	text(7, "recipientAccountId"),
	group(8, "addendum",
		text(101, "reason"),
		text(102, "updatedFields"),
		text(103, "originalUID"),
		text(104, "originalEventID")),
	group(9, "metadata",
		text(105, "ingestionTime"),
		text(106, "channelARN")),
	group(10, "eventData",
		text(107, "version"),
		group(108, "userIdentity",
			text(109, "type"),
			text(110, "principalId"),
			stringMap(111, "details", 112)),
		text(114, "userAgent"),
		text(115, "eventSource"),
		text(116, "eventName"),
		text(117, "eventTime"),
		text(118, "UID"),
		stringMap(119, "requestParameters", 120),
		stringMap(122, "responseElements", 123),
		text(125, "errorCode"),
		text(126, "errorMessage"),
		text(127, "sourceIPAddress"),
		text(128, "recipientAccountId"),
		stringMap(129, "additionalEventData", 130)),
}

// An event of AWS's log files has its insight in insightDetails; the decoder brings its members to these columns.
var insightColumns = []Column{
	text(1, "eventVersion"),
	text(2, "eventCategory"),
	text(3, "eventType"),
	text(4, "eventID"),
	scalar(5, "eventTime", Timestamp),
	text(6, "awsRegion"),
	text(7, "recipientAccountId"),
	text(8, "sharedEventID"),
	stringMap(9, "addendum", 101),
	text(10, "insightSource"),
	text(11, "insightState"),
	text(12, "insightEventSource"),
	text(13, "insightEventName"),
	text(14, "insightErrorCode"),
	text(15, "insightType"),
	group(16, "insightContext",
		scalar(103, "baselineAverage", Double),
		scalar(104, "insightAverage", Double),
		scalar(105, "baselineDuration", Int),
		scalar(106, "insightDuration", Int),
		group(107, "attributions",
			text(108, "attribute"),
			group(109, "insight",
				text(110, "value"),
				scalar(111, "average", Double)),
			group(112, "baseline",
				text(113, "value"),
				scalar(114, "average", Double)))),
}

var configurationItemColumns = []Column{
	text(1, "eventVersion"),
	text(2, "eventCategory"),
	text(3, "eventType"),
	text(4, "eventID"),
	scalar(5, "eventTime", Timestamp),
	text(6, "awsRegion"),
	text(7, "recipientAccountId"),
	stringMap(8, "addendum", 101),
	group(9, "eventData",
		text(103, "configurationItemVersion"),
		text(104, "configurationItemCaptureTime"),
		text(105, "configurationItemStatus"),
		text(106, "configurationItemStateId"),
		text(107, "accountId"),
		text(108, "resourceType"),
		text(109, "resourceId"),
		text(110, "resourceName"),
		text(111, "arn"),
		text(112, "awsRegion"),
		text(113, "availabilityZone"),
		text(114, "resourceCreationTime"),
		stringMap(115, "configuration", 116),
		stringMap(118, "supplementaryConfiguration", 119),
		text(121, "relatedEvents"),
		group(122, "relationships",
			text(123, "name"),
			text(124, "resourceType"),
			text(125, "resourceId"),
			text(126, "resourceName")),
		stringMap(127, "tags", 128)),
}

var evidenceColumns = []Column{
	text(1, "eventVersion"),
	text(2, "eventCategory"),
	text(3, "eventType"),
	text(4, "eventID"),
	scalar(5, "eventTime", Timestamp),
	text(6, "awsRegion"),
	text(7, "recipientAccountId"),
	stringMap(8, "addendum", 101),
	group(9, "eventData",
		stringMap(103, "attributes", 104),
		text(106, "awsAccountId"),
		text(107, "awsOrganization"),
		text(108, "complianceCheck"),
		text(109, "dataSource"),
		text(110, "eventName"),
		text(111, "eventSource"),
		text(112, "evidenceAwsAccountId"),
		text(113, "evidenceByType"),
		text(114, "iamId"),
		text(115, "evidenceId"),
		scalar(116, "time", Timestamp),
		text(117, "assessmentId"),
		text(118, "controlSetId"),
		text(119, "controlId"),
		text(120, "controlName"),
		text(121, "controlDomainName"),
		text(122, "frameworkName"),
		text(123, "frameworkId"),
		text(124, "service"),
		text(125, "serviceCategory"),
		text(126, "resourceArn"),
		text(127, "resourceType"),
		text(128, "evidenceFolderId"),
		text(129, "description"),
		text(130, "manualEvidenceS3ResourcePath"),
		text(131, "evidenceFolderName"),
		text(132, "resourceComplianceCheck")),
}

// hiddenColumns are what Loch records of each row: which record of the durable log brought it and where it stood in it, when it was
// accepted, where it came from, and which decoder filled its columns.
func hiddenColumns(k Kind) []Column {
	hidden := func(id int, name string, t Type) Column {
		return Column{ID: id, Name: name, Type: t, Since: 1, Hidden: true}
	}
	h := []Column{
		hidden(1001, "_writer", String),
		hidden(1002, "_epoch", Long),
		hidden(1003, "_sequence", Long),
		hidden(1004, "_position", Int),
		hidden(1005, "_accepted", Timestamp),
		hidden(1006, "_provenance", String),
		hidden(1007, "_decoder", Int),
		hidden(1008, "_conflict", Boolean),
	}
	if k != CloudTrail {
		h = append(h, hidden(1009, "_received", String))
	}
	return h
}
