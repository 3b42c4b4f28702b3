-- name: outside.wiz-activity
-- What people and service accounts did in Wiz, by action.
-- parameters: outside, from, to
-- keywords: wiz audit log activity action
SELECT eventData.eventName AS action, count(*) AS times, count(DISTINCT eventData.userIdentity.principalId) AS people, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.eventSource = 'wiz.io'
GROUP BY 1 ORDER BY times DESC;

-- name: outside.wiz-connector-changes
-- Changes of Wiz connectors: without its connector an account is no longer watched.
-- parameters: outside, from, to
-- keywords: wiz connector delete update disable blind
SELECT eventTime, eventData.eventName AS action, eventData.userIdentity.principalId AS principal, eventData.sourceIPAddress AS address, element_at(eventData.requestParameters, 'connectorId') AS connectorId
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.eventName LIKE 'Connector%'
ORDER BY eventTime;

-- name: outside.wiz-rule-changes
-- Rules of Wiz that were created or changed.
-- parameters: outside, from, to
-- keywords: wiz rule cloud configuration rule update creation automation severity
SELECT eventTime, eventData.eventName AS action, eventData.userIdentity.principalId AS principal, element_at(eventData.requestParameters, 'ruleId') AS ruleId, element_at(eventData.requestParameters, 'patch') AS patch
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.eventName LIKE '%Rule%'
ORDER BY eventTime;

-- name: outside.wiz-access-grants
-- Rights that were given in Wiz: roles, service accounts and their scopes.
-- parameters: outside, from, to
-- keywords: wiz role assignment service account scope grant permission
SELECT eventTime, eventData.eventName AS action, eventData.userIdentity.principalId AS grantedBy, element_at(eventData.requestParameters, 'role') AS role, element_at(eventData.requestParameters, 'scopes') AS scopes
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.eventName IN ('UserRoleAssignment', 'ServiceAccountCreation')
ORDER BY eventTime;

-- name: outside.sources
-- Which sources send events to a store of outside events, how many, and when last: a source that has gone quiet shows here.
-- parameters: outside, from, to
-- keywords: channel source integration quiet silent gap
SELECT eventData.eventSource AS source, metadata.channelArn AS channel, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
GROUP BY 1, 2 ORDER BY last;

-- name: outside.logins
-- Sign-ins to outside products by person and address.
-- parameters: outside, from, to
-- keywords: login sign-in saml okta wiz github person address
SELECT eventData.eventSource AS source, eventData.userIdentity.principalId AS principal, eventData.sourceIPAddress AS address, count(*) AS logins, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND regexp_like(eventData.eventName, '(?i)(log|sign)-?in')
GROUP BY 1, 2, 3 ORDER BY logins DESC;

-- name: outside.failures
-- Errors that outside products reported.
-- parameters: outside, from, to
-- keywords: error failure denied outside product
SELECT eventTime, eventData.eventSource AS source, eventData.eventName AS action, eventData.userIdentity.principalId AS principal, eventData.errorCode AS errorCode, eventData.errorMessage AS errorMessage
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventData.errorCode IS NOT NULL
ORDER BY eventTime DESC;

-- name: outside.same-address-in-aws
-- Addresses that were seen in AWS with an access key of a user, and in an outside product as well.
-- parameters: store, from, to, outside, from, to
-- keywords: correlate join address aws wiz outside same
SELECT a.address, a.principals AS awsPrincipals, a.calls AS awsCalls, o.principals AS outsidePrincipals, o.events AS outsideEvents
FROM (SELECT sourceIPAddress AS address, count(DISTINCT userIdentity.arn) AS principals, count(*) AS calls FROM ?
    WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.type = 'IAMUser' GROUP BY 1) a
  JOIN (SELECT eventData.sourceIPAddress AS address, count(DISTINCT eventData.userIdentity.principalId) AS principals, count(*) AS events FROM ?
    WHERE eventTime >= '?' AND eventTime < '?' GROUP BY 1) o ON o.address = a.address
ORDER BY awsCalls DESC;
