-- TRY and TRY_CAST.

SELECT TRY((SELECT 1/0));
SELECT TRY((SELECT x FROM (VALUES 1,2) t(x)));
SELECT TRY(1/0 + (SELECT 1));
SELECT TRY((SELECT 5) / 0);
SELECT TRY((SELECT x FROM (VALUES 0) t(x)) / 0);
SELECT TRY(1 / (SELECT x FROM (VALUES 0) t(x)));
SELECT TRY(EXISTS (SELECT 1/0));
SELECT TRY(1 IN (SELECT 1/0));
SELECT TRY(x / y) FROM (VALUES (1,0),(4,2)) t(x,y);
SELECT TRY(1/ (SELECT max(u.y) FROM (VALUES 0,0) u(y) WHERE u.y = t.y)) FROM (VALUES (1,0),(4,2)) t(x,y);
SELECT TRY(sum(1/x)) FROM (VALUES 0, 1) t(x);
SELECT TRY(1/max(x)) FROM (VALUES 0) t(x);
SELECT TRY(random() < 2);
SELECT TRY(row_number() OVER () / 0);
SELECT TRY_CAST(ARRAY['1','x'] AS array(integer)), TRY_CAST(MAP(ARRAY['a'],ARRAY['x']) AS map(varchar,integer)), TRY_CAST(ROW('x','1') AS row(integer,integer)), TRY_CAST(ARRAY['1','2'] AS array(integer));
SELECT TRY_CAST(MAP(ARRAY['1','01'],ARRAY['x','y']) AS map(integer,varchar));
SELECT TRY_CAST(ARRAY[1e30] AS array(integer)), TRY_CAST(JSON '[1,"x"]' AS array(integer));
SELECT TRY(1/0 IN (SELECT 1));
SELECT TRY(1/x IN (SELECT 1)) FROM (VALUES 0) t(x);
SELECT TRY(1/x = ANY (SELECT 1)), TRY(1/x > ALL (SELECT 1)) FROM (VALUES 0) t(x);
SELECT TRY(CAST('a' AS integer) + (SELECT max(x) FROM (VALUES 1) t(x)));
SELECT TRY(CAST(lag(x) OVER (ORDER BY x) AS integer)) FROM (VALUES 'a', 'b') t(x);
SELECT TRY(lag(1/x) OVER (ORDER BY x)) FROM (VALUES 0, 1) t(x);
SELECT TRY(transform(ARRAY[1,0], x -> 1/x));
SELECT TRY(ARRAY[1,NULL] < ARRAY[1,2]);
SELECT TRY(TRY(1 / (SELECT 0)) + 1 / (SELECT 0)), TRY(coalesce(TRY(1 / (SELECT 0)), 5));
