-- name: forensics.timeline-of-address
-- Everything that came from one address, in order.
-- parameters: store, from, to, address
-- keywords: timeline ip address attacker incident response steps
SELECT eventTime, recipientAccountId, awsRegion, userIdentity.arn AS principal, eventSource, eventName, coalesce(errorCode, 'done') AS outcome, userAgent, eventID
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND sourceIPAddress = '?'
ORDER BY eventTime;

-- name: forensics.timeline-of-access-key
-- Everything that was done with one access key, in order.
-- parameters: store, from, to, access key
-- keywords: timeline access key leaked stolen credential incident response
SELECT eventTime, recipientAccountId, awsRegion, sourceIPAddress, eventSource, eventName, coalesce(errorCode, 'done') AS outcome, userAgent, eventID
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.accessKeyId = '?'
ORDER BY eventTime;

-- name: forensics.timeline-of-user
-- What one IAM user did and what was done to it.
-- parameters: store, from, to, user, user
-- keywords: timeline user account compromise incident response
SELECT eventTime, userIdentity.userName AS principal, eventName, element_at(requestParameters, 'userName') AS subject, sourceIPAddress, coalesce(errorCode, 'done') AS outcome, eventID
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND (userIdentity.userName = '?' OR element_at(requestParameters, 'userName') = '?')
ORDER BY eventTime;

-- name: forensics.chain-of-creation
-- Who was created by whom: users and keys that one access key made, and what these then did.
-- parameters: store, from, to, access key, store, from, to
-- keywords: persistence backdoor user created chain pivot lateral
SELECT made.userName AS created, made.eventTime AS createdAt, did.eventTime, did.eventName, did.sourceIPAddress, coalesce(did.errorCode, 'done') AS outcome
FROM (SELECT element_at(requestParameters, 'userName') AS userName, min(eventTime) AS eventTime FROM ?
    WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.accessKeyId = '?' AND eventName IN ('CreateUser', 'CreateAccessKey', 'CreateLoginProfile') AND errorCode IS NULL GROUP BY 1) made
  JOIN (SELECT userIdentity.userName AS userName, eventTime, eventName, sourceIPAddress, errorCode FROM ? WHERE eventTime >= '?' AND eventTime < '?') did ON did.userName = made.userName
WHERE did.eventTime >= made.eventTime
ORDER BY did.eventTime;

-- name: forensics.denied-calls
-- Principals that were refused most, with how many kinds of calls: one that tries many is looking around.
-- parameters: store, from, to
-- keywords: access denied unauthorized refused error reconnaissance enumeration probing
SELECT userIdentity.arn AS principal, sourceIPAddress, count(*) AS refused, count(DISTINCT eventName) AS kinds, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND regexp_like(errorCode, '(AccessDenied|Unauthorized)')
GROUP BY 1, 2 ORDER BY kinds DESC, refused DESC LIMIT 50;

-- name: forensics.reconnaissance
-- Principals that listed and described many services within one hour.
-- parameters: store, from, to
-- keywords: reconnaissance discovery enumeration list describe many services
SELECT date_trunc('hour', eventTime) AS hour, userIdentity.arn AS principal, sourceIPAddress, count(DISTINCT eventSource) AS services, count(DISTINCT eventName) AS kinds, count(*) AS calls
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly AND userIdentity.type IN ('IAMUser', 'AssumedRole') AND regexp_like(eventName, '^(List|Describe|Get)')
GROUP BY 1, 2, 3 HAVING count(DISTINCT eventSource) >= 6 ORDER BY services DESC, kinds DESC;

-- name: forensics.first-uses
-- Calls that a principal made for the first time on its last day: what changed in its behaviour.
-- parameters: store, from, to
-- keywords: first time new behaviour anomaly unusual call baseline
SELECT principal, eventSource, eventName, first, calls
FROM (SELECT userIdentity.arn AS principal, eventSource, eventName, min(eventTime) AS first, count(*) AS calls, max(max(eventTime)) OVER (PARTITION BY userIdentity.arn) AS last
  FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.arn IS NOT NULL GROUP BY 1, 2, 3)
WHERE date(first) = date(last) ORDER BY first DESC LIMIT 200;

-- name: forensics.unusual-agents
-- Programs that few principals use: a kit that nobody else has.
-- parameters: store, from, to
-- keywords: user agent tool kali rare unusual program
SELECT userAgent, count(DISTINCT userIdentity.arn) AS principals, count(*) AS calls, array_join(array_sort(array_agg(DISTINCT sourceIPAddress)), ', ') AS addresses, min(eventTime) AS first
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.type <> 'AWSService'
GROUP BY 1 HAVING count(DISTINCT userIdentity.arn) <= 2 ORDER BY principals, calls;

-- name: forensics.night-work
-- Changes by people between ten at night and five in the morning, UTC.
-- parameters: store, from, to
-- keywords: night off hours unusual time weekend change
SELECT eventTime, recipientAccountId, userIdentity.arn AS principal, eventSource, eventName, sourceIPAddress, coalesce(errorCode, 'done') AS outcome
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false AND eventCategory = 'Management' AND (hour(eventTime) >= 22 OR hour(eventTime) < 5)
  AND (userIdentity.type = 'IAMUser' OR userIdentity.sessionContext.sessionIssuer.userName LIKE 'AWSReservedSSO%')
ORDER BY eventTime;

-- name: forensics.errors-by-day
-- Errors by day and kind: a wave of a new one has a cause.
-- parameters: store, from, to
-- keywords: error errors trend day failure spike
SELECT date(eventTime) AS day, errorCode, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND errorCode IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, calls DESC;

-- name: forensics.sessions
-- Sessions of people: when each began and ended, with how many calls and changes.
-- parameters: store, from, to
-- keywords: session start end duration person sso activity
SELECT userIdentity.arn AS principal, userIdentity.accessKeyId AS accessKeyId, userIdentity.sessionContext.attributes.creationDate AS sessionBegan, min(eventTime) AS first, max(eventTime) AS last, count(*) AS calls, count_if(readOnly = false) AS changes
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.sessionContext.sessionIssuer.userName LIKE 'AWSReservedSSO%'
GROUP BY 1, 2, 3 ORDER BY first DESC LIMIT 500;

-- name: forensics.events-with-text
-- Events whose whole text holds a word, wherever it stands.
-- parameters: store, from, to, word
-- keywords: search text word anywhere full event json grep
SELECT eventTime, recipientAccountId, eventSource, eventName, userIdentity.arn AS principal, eventID, eventJson
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND strpos(eventJson, '?') > 0
ORDER BY eventTime LIMIT 1000;

-- name: forensics.conflicting-events
-- Events whose identity was known with another text: someone sent two versions of one event.
-- parameters: store, from, to
-- keywords: conflict duplicate tamper identity two versions integrity
SELECT eventTime, eventID, eventName, eventJsonChecksum, _accepted AS accepted, _provenance AS provenance
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND _conflict
ORDER BY eventID, accepted;

-- name: forensics.late-arrivals
-- Events that came an hour or more after they happened, by where they came from.
-- parameters: store, from, to
-- keywords: late delay ingestion arrival provenance import gap
SELECT _provenance AS provenance, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last, max(date_diff('minute', eventTime, _accepted)) AS longestDelayMinutes
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND _accepted >= eventTime + INTERVAL '1' HOUR
GROUP BY 1 ORDER BY events DESC LIMIT 200;

-- name: forensics.insights
-- Unusual activity that Insights found, from a store of Insights events: how far from the baseline, and for how long.
-- parameters: insights, from, to
-- keywords: insights anomaly baseline unusual rate error
SELECT eventTime, insightSource, insightEventSource, insightEventName, insightType, insightState, insightContext.baselineAverage AS baseline, insightContext.insightAverage AS average
FROM ? WHERE eventTime >= '?' AND eventTime < '?'
ORDER BY eventTime;
