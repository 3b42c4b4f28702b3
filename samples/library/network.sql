-- name: network.security-group-changes
-- Changes of security groups and their rules: what was opened or closed, and by whom.
-- parameters: store, from, to
-- keywords: security group firewall rule ingress egress open port
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'groupId') AS groupId, element_at(requestParameters, 'ipPermissions') AS rules, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress', 'RevokeSecurityGroupIngress', 'RevokeSecurityGroupEgress', 'ModifySecurityGroupRules', 'CreateSecurityGroup', 'DeleteSecurityGroup')
ORDER BY eventTime;

-- name: network.open-to-the-world
-- Security group rules that let the whole internet in.
-- parameters: store, from, to
-- keywords: security group open world internet 0.0.0.0/0 ::/0 public ingress exposure
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'groupId') AS groupId, element_at(requestParameters, 'ipPermissions') AS rules, userIdentity.arn AS openedBy
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventName IN ('AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules') AND errorCode IS NULL
  AND (strpos(element_at(requestParameters, 'ipPermissions'), '"0.0.0.0/0"') > 0 OR strpos(element_at(requestParameters, 'ipPermissions'), '"::/0"') > 0)
ORDER BY eventTime;

-- name: network.network-changes
-- Changes of networks: VPCs, subnets, routes, gateways, access lists, peerings and endpoints.
-- parameters: store, from, to
-- keywords: vpc subnet route table internet gateway nacl acl peering endpoint change
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS changedBy, sourceIPAddress, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventSource = 'ec2.amazonaws.com' AND readOnly = false
  AND regexp_like(eventName, '(Vpc|Subnet|Route|Gateway|NetworkAcl|Peering|Endpoint|NetworkInterface)')
ORDER BY eventTime DESC LIMIT 1000;

-- name: network.addresses-of-principals
-- From how many addresses each person or user came: one who comes from many is worth a look.
-- parameters: store, from, to
-- keywords: source ip address principal user many locations travel
SELECT userIdentity.arn AS principal, count(DISTINCT sourceIPAddress) AS addresses, array_join(array_sort(array_agg(DISTINCT sourceIPAddress)), ', ') AS list, count(*) AS calls
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND userIdentity.arn IS NOT NULL AND userIdentity.type <> 'AWSService'
GROUP BY 1 HAVING count(DISTINCT sourceIPAddress) > 1 ORDER BY addresses DESC, calls DESC LIMIT 100;

-- name: network.principals-of-address
-- Who called from one address, and what for.
-- parameters: store, from, to, address
-- keywords: ip address source principal who host investigate
SELECT userIdentity.arn AS principal, userIdentity.accessKeyId AS accessKeyId, eventSource, count(*) AS calls, count_if(errorCode IS NOT NULL) AS errors, min(eventTime) AS first, max(eventTime) AS last
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND sourceIPAddress = '?'
GROUP BY 1, 2, 3 ORDER BY calls DESC;

-- name: network.new-addresses
-- Addresses that were seen in the time asked for and not in the days before it, from the third parameter on.
-- parameters: store, from, to, store, before
-- keywords: new ip address first seen unknown baseline
SELECT sourceIPAddress, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals, min(eventTime) AS first
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND regexp_like(sourceIPAddress, '^[0-9a-fA-F:.]+$')
  AND sourceIPAddress NOT IN (SELECT sourceIPAddress FROM ? WHERE eventTime < '?' AND sourceIPAddress IS NOT NULL)
GROUP BY 1 ORDER BY first;

-- name: network.calls-through-endpoints
-- Data events by the VPC endpoint that they came through; those without one came over the internet or from a service.
-- parameters: store, from, to
-- keywords: vpc endpoint private link data perimeter
SELECT coalesce(vpcEndpointId, 'none') AS endpoint, eventSource, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND eventCategory = 'Data'
GROUP BY 1, 2 ORDER BY calls DESC;

-- name: network.tls-versions
-- Calls by the version of TLS: what still comes with an old one will stop working, or should.
-- parameters: store, from, to
-- keywords: tls ssl cipher suite old version deprecated
SELECT tlsDetails.tlsVersion AS version, tlsDetails.cipherSuite AS cipher, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND tlsDetails.tlsVersion IS NOT NULL
GROUP BY 1, 2 ORDER BY calls DESC;

-- name: network.load-balancer-changes
-- Changes of load balancers, listeners and web access control lists.
-- parameters: store, from, to
-- keywords: elb load balancer listener waf web acl cloudfront distribution
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS changedBy, errorCode
FROM ? WHERE eventTime >= '?' AND eventTime < '?' AND readOnly = false AND eventSource IN ('elasticloadbalancing.amazonaws.com', 'waf.amazonaws.com', 'wafv2.amazonaws.com', 'cloudfront.amazonaws.com')
ORDER BY eventTime;
