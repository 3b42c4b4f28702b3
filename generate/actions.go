package generate

// action is one kind of call. The texts are templates (see template.go): request, response and additional are JSON or "" for null.
type action struct {
	weight     float64
	source     string // without .amazonaws.com
	name       string
	readOnly   bool
	data       bool // a data event, not a management event
	global     bool // recorded in us-east-1 wherever it was made
	request    template
	response   template
	additional template
	resources  template // elements of the list
	denied     float64  // share of calls that fail
	code       string
	message    template
}

func read(w float64, source, name, request string) action {
	return action{weight: w, source: source, name: name, readOnly: true, request: compile(request)}
}

func write(w float64, source, name, request, response string) action {
	return action{weight: w, source: source, name: name, request: compile(request), response: compile(response)}
}

func (a action) on(resources string) action { a.resources = compile(resources); return a }

func (a action) fails(share float64, code, message string) action {
	a.denied, a.code, a.message = share, code, compile(message)
	return a
}

func (a action) dataEvent(additional string) action {
	a.data, a.additional = true, compile(additional)
	return a
}

func (a action) everywhere() action { a.global = true; return a }

const (
	notAuthorized = "User: {arn} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
	s3Resources   = `{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{object}"},{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}`
	s3Additional  = `{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{b64}","bytesTransferredOut":{n}}`
	kmsResources  = `{"accountId":"{account}","type":"AWS::KMS::Key","ARN":"arn:aws:kms:{region}:{account}:key/{key}"}`
)

var workloadActions = []action{
	read(18, "s3", "GetObject", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","key":"{object}"}`).on(s3Resources).dataEvent(s3Additional).
		fails(0.02, "NoSuchKey", "The specified key does not exist."),
	write(9, "s3", "PutObject", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","key":"{object}"}`, `{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:{region}:{account}:key/{key}"}`).
		on(s3Resources).dataEvent(s3Additional),
	read(12, "kms", "Decrypt", `{"encryptionContext":{"aws:lambda:FunctionArn":"arn:aws:lambda:{region}:{account}:function:{function}"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`).on(kmsResources).
		fails(0.01, "AccessDenied", notAuthorized),
	read(8, "kms", "GenerateDataKey", `{"keyId":"arn:aws:kms:{region}:{account}:key/{key}","keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::{bucket}"}}`).on(kmsResources),
	read(6, "secretsmanager", "GetSecretValue", `{"secretId":"{secret}"}`),
	read(8, "dynamodb", "GetItem", `{"tableName":"{table}","key":{"id":{"S":"{uuid}"}},"consistentRead":false}`).on(`{"accountId":"{account}","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:{region}:{account}:table/{table}"}`).dataEvent(""),
	write(5, "dynamodb", "PutItem", `{"tableName":"{table}","key":{"id":{"S":"{uuid}"}},"items":["id","updated","status"]}`, "").
		on(`{"accountId":"{account}","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:{region}:{account}:table/{table}"}`).dataEvent("").
		fails(0.02, "ConditionalCheckFailedException", "The conditional request failed"),
	read(4, "sts", "GetCallerIdentity", ""),
	write(3, "logs", "CreateLogStream", `{"logGroupName":"{group}","logStreamName":"{date}/[$LATEST]{hex32}"}`, ""),
	read(3, "ssm", "GetParameter", `{"name":"/app/{function}/config","withDecryption":true}`).fails(0.03, "ParameterNotFound", "Parameter /app/{function}/config not found."),
	write(2, "sqs", "SendMessage", `{"queueUrl":"https://sqs.{region}.amazonaws.com/{account}/{queue}"}`, `{"mD5OfMessageBody":"{hex32}","messageId":"{uuid}"}`).on(`{"accountId":"{account}","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:{region}:{account}:{queue}"}`).dataEvent(""),
}

var instanceActions = []action{
	read(10, "ec2", "DescribeInstances", `{"instancesSet":{"items":[{"instanceId":"{instance}"}]},"filterSet":{}}`).fails(0.02, "Client.RequestLimitExceeded", "Request limit exceeded."),
	read(8, "ssm", "DescribeInstanceInformation", `{"instanceInformationFilterList":[{"key":"InstanceIds","valueSet":["{instance}"]}],"maxResults":50}`),
	write(9, "ssm", "UpdateInstanceInformation", `{"instanceId":"{instance}","agentVersion":"3.3.3050.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"{ip}","computerName":"ip-{daship}.ec2.internal","agentName":"amazon-ssm-agent","availabilityZone":"{region}a"}`, ""),
	read(6, "ecr", "BatchGetImage", `{"registryId":"{account}","repositoryName":"app/{function}","imageIds":[{"imageTag":"release-{n}"}],"acceptedMediaTypes":["application/vnd.oci.image.manifest.v1+json"]}`).
		on(`{"accountId":"{account}","ARN":"arn:aws:ecr:{region}:{account}:repository/app/{function}"}`),
	read(5, "elasticloadbalancing", "DescribeTargetHealth", `{"targetGroupArn":"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/app/{hex16}"}`),
	write(3, "cloudwatch", "PutMetricAlarm", `{"alarmName":"{function}-errors","metricName":"Errors","namespace":"AWS/Lambda","period":300,"evaluationPeriods":1,"threshold":{n},"comparisonOperator":"GreaterThanThreshold","statistic":"Sum"}`, ""),
}

var serviceActions = []action{
	read(20, "sts", "AssumeRole", `{"roleArn":"arn:aws:iam::{account}:role/{role}","roleSessionName":"{hex32}","durationSeconds":3600}`).
		on(`{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"arn:aws:iam::{account}:role/{role}"}`),
	write(6, "ec2", "CreateNetworkInterface", `{"subnetId":"{subnet}","description":"AWS Lambda VPC ENI-{function}-{uuid}","groupSet":{"items":[{"groupId":"sg-{hex17}"}]},"privateIpAddressesSet":{},"clientToken":"{uuid}"}`,
		`{"requestId":"{uuid}","networkInterface":{"networkInterfaceId":"eni-{hex17}","subnetId":"{subnet}","vpcId":"vpc-{hex17}","availabilityZone":"{region}a","ownerId":"{account}","requesterManaged":false,"status":"pending","macAddress":"0a:{hex2}:{hex2}:{hex2}:{hex2}:{hex2}","privateIpAddress":"{ip}","sourceDestCheck":true,"interfaceType":"interface"}}`),
	read(8, "config", "DescribeConfigurationRecorders", ""),
	write(3, "ec2", "TerminateInstances", `{"instancesSet":{"items":[{"instanceId":"{instance}"}]}}`, `{"requestId":"{uuid}","instancesSet":{"items":[{"instanceId":"{instance}","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}`),
	write(3, "ec2", "RunInstances", `{"instancesSet":{"items":[{"imageId":"{image}","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","subnetId":"{subnet}","blockDeviceMapping":{},"disableApiTermination":false,"clientToken":"fleet-{uuid}-0","launchTemplate":{"launchTemplateId":"lt-{hex17}","version":"{n}"},"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"aws:autoscaling:groupName","value":"app"}]}]}}`,
		`{"requestId":"{uuid}","reservationId":"r-{hex17}","ownerId":"{account}","groupSet":{},"instancesSet":{"items":[{"instanceId":"{instance}","imageId":"{image}","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-{daship}.ec2.internal","amiLaunchIndex":0,"productCodes":{},"instanceType":"m7g.large","placement":{"availabilityZone":"{region}a","tenancy":"default"},"monitoring":{"state":"pending"},"subnetId":"{subnet}","privateIpAddress":"{ip}","architecture":"arm64","virtualizationType":"hvm","hypervisor":"xen"}]},"requesterId":"{account}"}`),
	read(5, "s3", "GetBucketAcl", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","acl":""}`).on(`{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}`),
}

var deployActions = []action{
	write(6, "lambda", "UpdateFunctionCode20150331v2", `{"functionName":"arn:aws:lambda:{region}:{account}:function:{function}","s3Bucket":"{bucket}","s3Key":"releases/{hex16}.zip","publish":true,"dryRun":false}`,
		`{"functionName":"{function}","functionArn":"arn:aws:lambda:{region}:{account}:function:{function}","runtime":"provided.al2023","role":"arn:aws:iam::{account}:role/{function}-role","handler":"bootstrap","codeSize":{n},"timeout":30,"memorySize":512,"lastModified":"{time}","codeSha256":"{b64}","version":"{n}","revisionId":"{uuid}","state":"Active","lastUpdateStatus":"InProgress"}`),
	read(8, "cloudformation", "DescribeStacks", `{"stackName":"{function}"}`).fails(0.04, "ValidationException", "Stack with id {function} does not exist"),
	write(3, "cloudformation", "CreateChangeSet", `{"stackName":"{function}","changeSetName":"release-{n}","capabilities":["CAPABILITY_IAM"],"parameters":[{"parameterKey":"Version","parameterValue":"{n}"}],"tags":[{"key":"team","value":"platform"}]}`,
		`{"id":"arn:aws:cloudformation:{region}:{account}:changeSet/release/{uuid}","stackId":"arn:aws:cloudformation:{region}:{account}:stack/{function}/{uuid}"}`),
	read(5, "ecr", "GetAuthorizationToken", ""),
	write(3, "ecr", "PutImage", `{"registryId":"{account}","repositoryName":"app/{function}","imageTag":"release-{n}","imageManifestMediaType":"application/vnd.oci.image.manifest.v1+json"}`,
		`{"image":{"registryId":"{account}","repositoryName":"app/{function}","imageId":{"imageDigest":"sha256:{hex32}{hex32}","imageTag":"release-{n}"}}}`).
		on(`{"accountId":"{account}","ARN":"arn:aws:ecr:{region}:{account}:repository/app/{function}"}`),
	write(4, "s3", "PutObject", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","key":"releases/{hex16}.zip"}`, "").on(s3Resources).dataEvent(s3Additional),
	read(4, "iam", "GetRole", `{"roleName":"{function}-role"}`).everywhere().fails(0.03, "NoSuchEntityException", "The role with name {function}-role cannot be found."),
	write(1, "iam", "PutRolePolicy", `{"roleName":"{function}-role","policyName":"access","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"dynamodb:GetItem\",\"dynamodb:PutItem\"],\"Resource\":\"arn:aws:dynamodb:*:{account}:table/{table}\"}]}"}`, "").everywhere(),
}

var developerActions = []action{
	read(9, "ec2", "DescribeInstances", `{"instancesSet":{},"filterSet":{"items":[{"name":"tag:team","valueSet":{"items":[{"value":"platform"}]}}]}}`),
	read(7, "logs", "FilterLogEvents", `{"logGroupName":"{group}","startTime":{n},"interleaved":true,"filterPattern":"ERROR"}`),
	read(6, "lambda", "GetFunction20150331v2", `{"functionName":"{function}"}`),
	read(5, "cloudwatch", "DescribeAlarms", `{"maxRecords":100}`),
	read(5, "s3", "ListBuckets", `{"Host":"s3.{region}.amazonaws.com"}`),
	read(4, "secretsmanager", "ListSecrets", `{"maxResults":100}`),
	read(3, "iam", "ListRoles", `{"maxItems":1000}`).everywhere().fails(0.25, "AccessDenied", notAuthorized),
	write(2, "lambda", "Invoke", `{"functionName":"arn:aws:lambda:{region}:{account}:function:{function}","invocationType":"RequestResponse"}`, "").
		on(`{"accountId":"{account}","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:{region}:{account}:function:{function}"}`).dataEvent(`{"customerEniId":"eni-{hex17}"}`),
	write(1, "ec2", "AuthorizeSecurityGroupIngress", `{"groupId":"sg-{hex17}","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"198.51.100.0/24","description":"office"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`,
		`{"requestId":"{uuid}","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"{account}","groupId":"sg-{hex17}","securityGroupRuleId":"sgr-{hex17}","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"198.51.100.0/24"}]}}`).
		fails(0.3, "Client.UnauthorizedOperation", "You are not authorized to perform this operation. User: {arn} is not authorized to perform: ec2:AuthorizeSecurityGroupIngress on resource: arn:aws:ec2:{region}:{account}:security-group/sg-{hex17} because no identity-based policy allows the ec2:AuthorizeSecurityGroupIngress action"),
	{weight: 2, source: "signin", name: "ConsoleLogin", request: compile(""), response: compile(`{"ConsoleLogin":"Success"}`), global: true,
		additional: compile(`{"LoginTo":"https://{region}.console.aws.amazon.com/console/home?region={region}","MobileVersion":"No","MFAUsed":"Yes"}`)},
}

var auditActions = []action{
	read(8, "cloudtrail", "LookupEvents", `{"maxResults":50,"lookupAttributes":[{"attributeKey":"EventName","attributeValue":"ConsoleLogin"}]}`),
	read(6, "config", "DescribeComplianceByConfigRule", `{"complianceTypes":["NON_COMPLIANT"]}`),
	read(6, "guardduty", "ListFindings", `{"detectorId":"{hex32}","findingCriteria":{"criterion":{"severity":{"gte":4}}}}`),
	read(5, "iam", "GetAccountSummary", "").everywhere(),
	read(5, "iam", "GenerateCredentialReport", "").everywhere(),
	read(4, "securityhub", "GetFindings", `{"MaxResults":100,"Filters":{"RecordState":[{"Value":"ACTIVE","Comparison":"EQUALS"}]}}`),
	read(4, "s3", "GetBucketPolicy", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","policy":""}`).fails(0.3, "NoSuchBucketPolicy", "The bucket policy does not exist").
		on(`{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}`),
	read(3, "access-analyzer", "ListFindings", `{"analyzerArn":"arn:aws:access-analyzer:{region}:{account}:analyzer/organization","maxResults":100}`),
}

var adminActions = append([]action{
	write(1, "iam", "CreateRole", `{"roleName":"{function}-role","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}","maxSessionDuration":3600}`,
		`{"role":{"path":"/","roleName":"{function}-role","roleId":"AROA{id17}","arn":"arn:aws:iam::{account}:role/{function}-role","createDate":"{time}","assumeRolePolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%7D"}}`).everywhere().
		fails(0.2, "EntityAlreadyExistsException", "Role with name {function}-role already exists."),
	write(1, "iam", "AttachRolePolicy", `{"roleName":"{function}-role","policyArn":"arn:aws:iam::aws:policy/AmazonSQSFullAccess"}`, "").everywhere(),
	write(1, "kms", "CreateGrant", `{"keyId":"arn:aws:kms:{region}:{account}:key/{key}","granteePrincipal":"rds.{region}.amazonaws.com","operations":["Decrypt","Encrypt","GenerateDataKey"],"constraints":{"encryptionContextSubset":{"aws:rds:db-id":"db-{id17}"}}}`,
		`{"grantId":"{hex32}{hex32}","keyId":"arn:aws:kms:{region}:{account}:key/{key}"}`).on(kmsResources),
	write(1, "s3", "PutBucketPolicy", `{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com","policy":"","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"TLS","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::{bucket}/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}}`, "").
		on(`{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}`),
	write(1, "rds", "ModifyDBInstance", `{"dBInstanceIdentifier":"{table}-{hex8}","applyImmediately":true,"backupRetentionPeriod":14,"deletionProtection":true}`,
		`{"dBInstanceIdentifier":"{table}-{hex8}","dBInstanceClass":"db.r7g.xlarge","engine":"postgres","engineVersion":"17.6","dBInstanceStatus":"available","masterUsername":"app","allocatedStorage":400,"multiAZ":true,"publiclyAccessible":false,"storageEncrypted":true,"kmsKeyId":"arn:aws:kms:{region}:{account}:key/{key}","pendingModifiedValues":{}}`),
	write(0.5, "organizations", "MoveAccount", `{"accountId":"{account}","sourceParentId":"ou-exam-{hex8}","destinationParentId":"ou-exam-{hex8}"}`, "").everywhere().fails(0.5, "AccessDeniedException", "You don't have permissions to access this resource."),
}, developerActions...)
