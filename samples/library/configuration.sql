-- name: configuration.changes-by-service
-- What was changed in each service: calls that are not read-only, by service and account.
-- parameters: store, from, to
-- keywords: change write modify service overview
SELECT eventSource, recipientAccountId, count(*) AS changes, count(DISTINCT eventName) AS kinds, count(DISTINCT userIdentity.arn) AS principals
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false AND eventCategory = 'Management'
GROUP BY 1, 2 ORDER BY changes DESC;

-- name: configuration.changes-by-hand
-- Changes that a person made in the console rather than by a pipeline.
-- parameters: store, from, to
-- keywords: console manual click change person drift browser
SELECT eventTime, recipientAccountId, eventSource, eventName, userIdentity.arn AS changedBy, sourceIPAddress
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false AND eventCategory = 'Management' AND eventName <> 'ConsoleLogin'
  AND (sessionCredentialFromConsole = 'true' OR userAgent LIKE 'Mozilla/%')
ORDER BY eventTime;

-- name: configuration.logging-changes
-- Attempts to change what is recorded: trails, their selectors, event data stores, configuration recorders, flow logs.
-- parameters: store, from, to
-- keywords: cloudtrail stop logging trail delete event selectors audit blind tamper config recorder flow log
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS principal, sourceIPAddress, coalesce(errorCode, 'done') AS outcome
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'PutInsightSelectors', 'DeleteEventDataStore', 'StopEventDataStoreIngestion',
  'UpdateEventDataStore', 'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel', 'DeleteFlowLogs')
ORDER BY eventTime;

-- name: configuration.detection-changes
-- Attempts to weaken detection: GuardDuty, Security Hub, Macie, Inspector, access analysers, alarms.
-- parameters: store, from, to
-- keywords: guardduty security hub macie inspector disable detector alarm weaken defense evasion
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS principal, sourceIPAddress, coalesce(errorCode, 'done') AS outcome
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false
  AND (eventSource IN ('guardduty.amazonaws.com', 'securityhub.amazonaws.com', 'macie2.amazonaws.com', 'inspector2.amazonaws.com', 'access-analyzer.amazonaws.com') OR eventName IN ('DeleteAlarms', 'DisableAlarmActions'))
ORDER BY eventTime;

-- name: configuration.organization-changes
-- Changes of the organisation: accounts, units, policies, delegated administrators.
-- parameters: store, from, to
-- keywords: organizations account ou service control policy scp move leave invite delegated administrator
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS changedBy, element_at(requestParameters, 'accountId') AS accountId, coalesce(errorCode, 'done') AS outcome
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'organizations.amazonaws.com' AND readOnly = false
ORDER BY eventTime;

-- name: configuration.function-updates
-- Code and settings of Lambda functions that were changed, with the hash of the new code.
-- parameters: store, from, to
-- keywords: lambda function code update deploy release configuration
SELECT eventTime, recipientAccountId, regexp_replace(eventName, '[0-9].*$', '') AS change, element_at(requestParameters, 'functionName') AS function, element_at(responseElements, 'codeSha256') AS codeSha256, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'lambda.amazonaws.com' AND regexp_like(eventName, '^(Create|Update|Delete)Function')
ORDER BY eventTime DESC;

-- name: configuration.stack-changes
-- Changes of CloudFormation stacks and change sets.
-- parameters: store, from, to
-- keywords: cloudformation stack change set infrastructure as code deploy
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'stackName') AS stack, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'cloudformation.amazonaws.com' AND readOnly = false
ORDER BY eventTime;

-- name: configuration.image-pushes
-- Container images that were pushed: repository, tag and digest.
-- parameters: store, from, to
-- keywords: ecr container image push tag digest registry supply chain
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'repositoryName') AS repository, element_at(requestParameters, 'imageTag') AS tag,
  json_extract_scalar(element_at(responseElements, 'image'), '$.imageId.imageDigest') AS digest, userIdentity.arn AS pushedBy
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'ecr.amazonaws.com' AND eventName = 'PutImage' AND errorCode IS NULL
ORDER BY eventTime DESC;

-- name: configuration.commands-on-instances
-- Commands and sessions on instances by Systems Manager.
-- parameters: store, from, to
-- keywords: ssm run command session manager shell instance remote execution
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'documentName') AS document, coalesce(element_at(requestParameters, 'target'), element_at(requestParameters, 'instanceIds')) AS target, userIdentity.arn AS principal, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'ssm.amazonaws.com' AND eventName IN ('SendCommand', 'StartSession', 'ResumeSession', 'TerminateSession', 'StartAutomationExecution')
ORDER BY eventTime;

-- name: configuration.resource-history
-- The states of one resource, from a store of configuration items.
-- parameters: configuration, from, to, resource
-- keywords: config configuration item resource history state
SELECT eventTime, eventData.resourceType AS resourceType, eventData.resourceId AS resourceId, eventData.configurationItemStatus AS status, eventData.configurationItemCaptureTime AS captured
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.resourceId = '?'
ORDER BY eventTime;

-- name: configuration.resource-types
-- How many resources of each kind were recorded, from a store of configuration items.
-- parameters: configuration, from, to
-- keywords: config configuration item resource type inventory count
SELECT eventData.resourceType AS resourceType, count(DISTINCT eventData.arn) AS resources, count(*) AS items, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
GROUP BY 1 ORDER BY resources DESC;
