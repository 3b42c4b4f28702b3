-- Full joins whose answer has columns of one side alone.
SELECT abs((((CAST(NULL AS decimal(4, 2))) - 1) * (CAST((b.y = 'x') AS integer)))) FROM (VALUES 'x', 'y', NULL) a (x) FULL JOIN (VALUES 'x', 'z', '') b (y) ON a.x = b.y AND try(1 / (CAST(length(b.y) AS integer)) > 0);
SELECT count(a.x), count(b.y), count(*) FROM (VALUES 'x', 'y', NULL) a (x) FULL JOIN (VALUES 'x', 'z', '') b (y) ON a.x = b.y AND try(1 / (CAST(length(b.y) AS integer)) > 0);
SELECT abs(CAST(NULL AS decimal(4, 2)) * x), -(CAST(NULL AS decimal(4, 2)) * x), abs(-1.5 * x), -(0.5 * x) FROM (VALUES 1, 2) t (x);
