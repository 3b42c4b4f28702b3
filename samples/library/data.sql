-- name: data.bucket-reads
-- Which buckets were read by whom: objects, and bytes that left.
-- parameters: store, from, to
-- keywords: s3 object get download bytes read bucket access
SELECT element_at(requestParameters, 'bucketName') AS bucket, coalesce(userIdentity.sessionContext.sessionIssuer.userName, userIdentity.userName, userIdentity.invokedBy) AS principal, count(*) AS reads,
  sum(TRY_CAST(element_at(additionalEventData, 'bytesTransferredOut') AS bigint)) AS bytesOut
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 's3.amazonaws.com' AND eventName = 'GetObject' AND errorCode IS NULL
GROUP BY 1, 2 ORDER BY bytesOut DESC LIMIT 100;

-- name: data.largest-downloads
-- The principals and addresses that took most bytes out of buckets, by day.
-- parameters: store, from, to
-- keywords: exfiltration download bytes transfer large s3 leak stolen
SELECT date(eventTime) AS day, userIdentity.arn AS principal, sourceIPAddress, count(*) AS objects, sum(TRY_CAST(element_at(additionalEventData, 'bytesTransferredOut') AS bigint)) AS bytesOut
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventCategory = 'Data' AND element_at(additionalEventData, 'bytesTransferredOut') IS NOT NULL
GROUP BY 1, 2, 3 ORDER BY bytesOut DESC LIMIT 50;

-- name: data.object-history
-- Everything that was done to one object of a bucket.
-- parameters: store, from, to, bucket, key
-- keywords: s3 object history delete put read one file
SELECT eventTime, eventName, userIdentity.arn AS principal, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 's3.amazonaws.com' AND element_at(requestParameters, 'bucketName') = '?' AND element_at(requestParameters, 'key') = '?'
ORDER BY eventTime;

-- name: data.deleted-objects
-- Who deleted objects from which buckets.
-- parameters: store, from, to
-- keywords: s3 delete object removed lost
SELECT element_at(requestParameters, 'bucketName') AS bucket, userIdentity.arn AS principal, eventName, count(*) AS calls, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 's3.amazonaws.com' AND eventName IN ('DeleteObject', 'DeleteObjects', 'DeleteBucket') AND errorCode IS NULL
GROUP BY 1, 2, 3 ORDER BY calls DESC;

-- name: data.bucket-policy-changes
-- Changes of who may reach buckets: policies, access lists, public access blocks, encryption, replication.
-- parameters: store, from, to
-- keywords: s3 bucket policy acl public access block encryption change
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'bucketName') AS bucket, element_at(requestParameters, 'bucketPolicy') AS policy, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 's3.amazonaws.com' AND readOnly = false AND regexp_like(eventName, '^(Put|Delete)(Bucket|AccountPublicAccess|PublicAccess)')
ORDER BY eventTime;

-- name: data.secrets-read
-- Which secrets were read by whom. A principal that reads all of them in minutes is collecting.
-- parameters: store, from, to
-- keywords: secret secretsmanager get value password read credential
SELECT element_at(requestParameters, 'secretId') AS secret, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS principal, count(*) AS reads, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('GetSecretValue', 'BatchGetSecretValue') AND errorCode IS NULL
GROUP BY 1, 2 ORDER BY reads DESC;

-- name: data.many-secrets-at-once
-- Principals that read three secrets or more within ten minutes.
-- parameters: store, from, to
-- keywords: secret secretsmanager burst collect many credential theft
SELECT principal, slot, count(DISTINCT secret) AS secrets, min(eventTime) AS first
FROM (SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS principal, element_at(requestParameters, 'secretId') AS secret, eventTime,
    date_trunc('hour', eventTime) + INTERVAL '10' MINUTE * (minute(eventTime) / 10) AS slot
  FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'GetSecretValue')
GROUP BY 1, 2 HAVING count(DISTINCT secret) >= 3 ORDER BY secrets DESC, first;

-- name: data.key-usage
-- Which KMS keys were used by whom, and for what.
-- parameters: store, from, to
-- keywords: kms key decrypt encrypt data key usage
SELECT r.arn AS key, eventName, coalesce(userIdentity.sessionContext.sessionIssuer.userName, userIdentity.userName, userIdentity.invokedBy) AS principal, count(*) AS calls, count_if(errorCode IS NOT NULL) AS errors
FROM ? CROSS JOIN UNNEST(resources) AS r (accountId, type, arn, arnPrefix)
WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'kms.amazonaws.com' AND r.type = 'AWS::KMS::Key'
GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT 200;

-- name: data.key-changes
-- Changes of KMS keys: grants, policies, disabling, deletion that was scheduled.
-- parameters: store, from, to
-- keywords: kms key grant policy disable delete schedule rotation
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'keyId') AS keyId, element_at(requestParameters, 'granteePrincipal') AS grantee, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'kms.amazonaws.com' AND readOnly = false
  AND eventName IN ('CreateKey', 'CreateGrant', 'RevokeGrant', 'RetireGrant', 'PutKeyPolicy', 'DisableKey', 'EnableKey', 'ScheduleKeyDeletion', 'CancelKeyDeletion', 'DisableKeyRotation', 'ImportKeyMaterial', 'DeleteImportedKeyMaterial')
ORDER BY eventTime;

-- name: data.shared-snapshots
-- Snapshots and images that were shared with other accounts or made public.
-- parameters: store, from, to
-- keywords: snapshot image ami share public external account ebs rds
SELECT eventTime, recipientAccountId, eventName, coalesce(element_at(requestParameters, 'snapshotId'), element_at(requestParameters, 'imageId'), element_at(requestParameters, 'dBSnapshotIdentifier')) AS shared,
  coalesce(element_at(requestParameters, 'createVolumePermission'), element_at(requestParameters, 'launchPermission'), element_at(requestParameters, 'valuesToAdd')) AS sharedWith, userIdentity.arn AS sharedBy, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute')
ORDER BY eventTime;

-- name: data.table-access
-- Reads and writes of DynamoDB tables by principal.
-- parameters: store, from, to
-- keywords: dynamodb table item read write database
SELECT element_at(requestParameters, 'tableName') AS "table", coalesce(userIdentity.sessionContext.sessionIssuer.userName, userIdentity.userName) AS principal, count_if(readOnly) AS reads, count_if(NOT readOnly) AS writes
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'dynamodb.amazonaws.com' AND eventCategory = 'Data'
GROUP BY 1, 2 ORDER BY reads + writes DESC;

-- name: data.database-changes
-- Changes of databases: instances, clusters, snapshots and parameter groups of RDS.
-- parameters: store, from, to
-- keywords: rds database instance cluster modify delete deletion protection backup
SELECT eventTime, recipientAccountId, awsRegion, eventName, coalesce(element_at(requestParameters, 'dBInstanceIdentifier'), element_at(requestParameters, 'dBClusterIdentifier'), element_at(requestParameters, 'dBSnapshotIdentifier')) AS subject,
  userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'rds.amazonaws.com' AND readOnly = false
ORDER BY eventTime;
