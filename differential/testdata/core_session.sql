SELECT current_catalog, current_schema, typeof(current_catalog), typeof(current_schema);
SELECT current_groups(), typeof(current_groups()), cardinality(current_groups());
SELECT typeof(current_user), current_user = current_user, length(current_user) > 0;
SELECT current_timezone(), typeof(current_timezone());
SELECT uuid() <> uuid(), typeof(uuid()), length(CAST(uuid() AS varchar)), count(DISTINCT u) FROM (SELECT uuid() u FROM UNNEST(sequence(1, 100)) AS s(n)) t GROUP BY 1, 2, 3;
SELECT UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' = CAST('12151FD2-7586-11e9-8f9e-2a86e4085a59' AS uuid), CAST(UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS varchar), UUID '00000000-0000-0000-0000-000000000000' < UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59';
SELECT CAST('12151fd2' AS uuid);
SELECT x, count(*) FROM (VALUES UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff') t(x) GROUP BY x ORDER BY x;
SELECT max(x), min(x) FROM (VALUES UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff', UUID '7fffffff-ffff-ffff-ffff-ffffffffffff') t(x);
