-- name: identity.root-activity
-- What the root users of the accounts did, newest first. Root is for emergencies; most accounts show nothing here.
-- parameters: store, from, to
-- keywords: root account owner privileged superuser
SELECT eventTime, recipientAccountId, eventSource, eventName, sourceIPAddress, userAgent, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL
ORDER BY eventTime DESC;

-- name: identity.console-logins-without-mfa
-- Console sign-ins of IAM users that succeeded without a second factor.
-- parameters: store, from, to
-- keywords: console login sign-in signin mfa multi-factor authentication password
SELECT eventTime, recipientAccountId, userIdentity.userName AS userName, sourceIPAddress, userAgent
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'ConsoleLogin' AND userIdentity.type = 'IAMUser'
  AND element_at(additionalEventData, 'MFAUsed') = 'No' AND element_at(responseElements, 'ConsoleLogin') = 'Success'
ORDER BY eventTime;

-- name: identity.console-logins
-- How often each principal signed in to the console, from how many addresses, and when last.
-- parameters: store, from, to
-- keywords: console login sign-in signin users
SELECT coalesce(userIdentity.userName, userIdentity.arn) AS principal, count(*) AS logins, count(DISTINCT sourceIPAddress) AS addresses, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'ConsoleLogin'
GROUP BY 1 ORDER BY logins DESC;

-- name: identity.failed-console-logins
-- Console sign-ins that failed, by user and address: guessed or forgotten passwords.
-- parameters: store, from, to
-- keywords: failed login sign-in signin password brute force guess
SELECT userIdentity.userName AS userName, sourceIPAddress, errorMessage, count(*) AS attempts, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY 1, 2, 3 ORDER BY attempts DESC;

-- name: identity.new-access-keys
-- Access keys that were created: for whom, by whom, and from where. Long-lived keys are what leaks.
-- parameters: store, from, to
-- keywords: access key create credential long-lived secret
SELECT eventTime, recipientAccountId, userIdentity.arn AS createdBy, element_at(requestParameters, 'userName') AS createdFor,
  json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') AS accessKeyId, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'CreateAccessKey'
ORDER BY eventTime;

-- name: identity.new-principals
-- IAM users, roles, groups and identity providers that were created.
-- parameters: store, from, to
-- keywords: create user role group saml oidc provider new principal
SELECT eventTime, recipientAccountId, eventName, coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'), element_at(requestParameters, 'groupName'), element_at(requestParameters, 'name')) AS created,
  userIdentity.arn AS createdBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateUser', 'CreateRole', 'CreateGroup', 'CreateSAMLProvider', 'CreateOpenIDConnectProvider')
ORDER BY eventTime;

-- name: identity.administrator-grants
-- Administrator rights that were attached to a user, group or role.
-- parameters: store, from, to
-- keywords: administrator admin privilege escalation attach policy full access
SELECT eventTime, recipientAccountId, eventName, coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'), element_at(requestParameters, 'groupName')) AS granted,
  element_at(requestParameters, 'policyArn') AS policy, userIdentity.arn AS grantedBy, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
  AND regexp_like(element_at(requestParameters, 'policyArn'), '/(AdministratorAccess|IAMFullAccess|PowerUserAccess)$')
ORDER BY eventTime;

-- name: identity.policy-changes
-- Every change of IAM policies: attached, detached, written inline, new default versions.
-- parameters: store, from, to
-- keywords: iam policy change permission attach detach inline
SELECT eventTime, recipientAccountId, eventName, userIdentity.arn AS changedBy, element_at(requestParameters, 'policyArn') AS policyArn, element_at(requestParameters, 'policyName') AS policyName,
  coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'), element_at(requestParameters, 'groupName')) AS target, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'iam.amazonaws.com' AND readOnly = false AND eventName LIKE '%Policy%'
ORDER BY eventTime;

-- name: identity.policy-documents
-- Inline policies as they were written: who may do what from now on, statement by statement.
-- parameters: store, from, to
-- keywords: inline policy document statement action resource json
SELECT eventTime, coalesce(element_at(requestParameters, 'roleName'), element_at(requestParameters, 'userName'), element_at(requestParameters, 'groupName')) AS target,
  element_at(requestParameters, 'policyName') AS policyName, element_at(requestParameters, 'policyDocument') AS document, userIdentity.arn AS writtenBy
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('PutRolePolicy', 'PutUserPolicy', 'PutGroupPolicy') AND errorCode IS NULL
ORDER BY eventTime DESC;

-- name: identity.role-assumptions
-- Which roles were assumed by whom, and how often.
-- parameters: store, from, to
-- keywords: assume role sts session switch cross-account
SELECT element_at(requestParameters, 'roleArn') AS role, coalesce(userIdentity.arn, userIdentity.invokedBy) AS assumedBy, count(*) AS times, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'AssumeRole' AND errorCode IS NULL
GROUP BY 1, 2 ORDER BY times DESC LIMIT 100;

-- name: identity.federated-sessions
-- Sessions of web identity providers, such as the pipelines of a code host: which roles they use, and for what.
-- parameters: store, from, to
-- keywords: web identity oidc federated provider github actions pipeline
SELECT userIdentity.sessionContext.webIdFederationData.federatedProvider AS provider, userIdentity.sessionContext.sessionIssuer.userName AS role, count(DISTINCT eventName) AS kindsOfCalls, count(*) AS calls, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.sessionContext.webIdFederationData.federatedProvider IS NOT NULL
GROUP BY 1, 2 ORDER BY calls DESC;

-- name: identity.credential-changes
-- Changes of other users' credentials: passwords set, keys switched on or off, second factors taken away.
-- parameters: store, from, to
-- keywords: password login profile access key mfa device deactivate reset credential
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'userName') AS userName, element_at(requestParameters, 'accessKeyId') AS accessKeyId, element_at(requestParameters, 'status') AS status,
  userIdentity.arn AS changedBy, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('CreateLoginProfile', 'UpdateLoginProfile', 'DeleteLoginProfile', 'ChangePassword', 'UpdateAccessKey', 'DeleteAccessKey',
  'DeactivateMFADevice', 'DeleteVirtualMFADevice', 'EnableMFADevice', 'ResyncMFADevice')
ORDER BY eventTime;

-- name: identity.long-lived-keys-in-use
-- Access keys of IAM users that are in use: from how many addresses, for how many kinds of calls, when last.
-- parameters: store, from, to
-- keywords: access key akia user long-lived in use rotation
SELECT userIdentity.accessKeyId AS accessKeyId, userIdentity.userName AS userName, recipientAccountId, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses,
  count(DISTINCT eventName) AS kindsOfCalls, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.type = 'IAMUser' AND userIdentity.accessKeyId LIKE 'AKIA%'
GROUP BY 1, 2, 3 ORDER BY calls DESC;

-- name: identity.busiest-principals
-- The hundred principals with the most calls, and how many of them changed something.
-- parameters: store, from, to
-- keywords: top users roles activity most active calls
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn, userIdentity.invokedBy) AS principal, count(*) AS calls, count_if(readOnly = false) AS changes, count_if(errorCode IS NOT NULL) AS errors
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
GROUP BY 1 ORDER BY calls DESC LIMIT 100;
