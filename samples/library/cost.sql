-- name: cost.launched-instances
-- Instances that were launched, by type, account and region.
-- parameters: store, from, to
-- keywords: ec2 instance launch run cost type crypto mining
SELECT recipientAccountId, awsRegion, element_at(requestParameters, 'instanceType') AS instanceType, coalesce(userIdentity.sessionContext.sessionIssuer.userName, userIdentity.userName, userIdentity.invokedBy) AS principal, count(*) AS launches
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName = 'RunInstances' AND errorCode IS NULL
GROUP BY 1, 2, 3, 4 ORDER BY launches DESC;

-- name: cost.launches-and-terminations
-- Instances launched and terminated by day.
-- parameters: store, from, to
-- keywords: ec2 instance launch terminate fleet scaling day trend
SELECT date(eventTime) AS day, count_if(eventName = 'RunInstances') AS launched, count_if(eventName = 'TerminateInstances') AS terminated
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('RunInstances', 'TerminateInstances') AND errorCode IS NULL
GROUP BY 1 ORDER BY 1;

-- name: cost.unusual-regions
-- Changes by region: work in a region that nobody should use costs money at best.
-- parameters: store, from, to
-- keywords: region unusual unused spend change
SELECT awsRegion, count(*) AS changes, count(DISTINCT userIdentity.arn) AS principals, count(DISTINCT recipientAccountId) AS accounts
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false
GROUP BY 1 ORDER BY changes;

-- name: cost.most-called-operations
-- The operations that are called most: what fills the log, and what an application asks too often.
-- parameters: store, from, to
-- keywords: top api calls most frequent operation volume noisy
SELECT eventSource, eventName, eventCategory, count(*) AS calls, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT 50;

-- name: cost.throttled-calls
-- Calls that were throttled, by service and principal.
-- parameters: store, from, to
-- keywords: throttling rate exceeded limit quota request limit exceeded
SELECT eventSource, eventName, userIdentity.arn AS principal, errorCode, count(*) AS calls, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND regexp_like(errorCode, '(?i)(throttl|LimitExceeded|TooManyRequests|SlowDown)')
GROUP BY 1, 2, 3, 4 ORDER BY calls DESC;

-- name: cost.events-by-store-day
-- How many events came each day, and how many characters their texts have: what the store itself costs.
-- parameters: store, from, to
-- keywords: volume ingestion events bytes day store size
SELECT date(eventTime) AS day, eventCategory, count(*) AS events, sum(length(eventJson)) AS characters
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: cost.data-events-by-resource
-- The resources with the most data events: these are billed by the event.
-- parameters: store, from, to
-- keywords: data events bucket table function volume billing
SELECT r.type AS type, r.arn AS resource, count(*) AS events
FROM ? CROSS JOIN UNNEST(resources) AS r (accountId, type, arn, arnPrefix)
WHERE eventTime >= '?' AND eventTime < '?' AND eventCategory = 'Data' AND r.accountId IS NOT NULL
GROUP BY 1, 2 ORDER BY events DESC LIMIT 50;
