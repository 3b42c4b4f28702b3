-- literals
SELECT TIME '1:2:3', TIME '01:02', TIME '23:59:59.999999', TIME '10:00:00.12 ';
SELECT typeof(TIME '1:2:3'), typeof(TIME '01:02:03.12'), typeof(TIME '01:02:03.123456');
SELECT TIME '24:00:00';
SELECT TIME ' 10:00:00 ';
SELECT TIME '10:60:00';
-- casts
SELECT CAST('10:00:00.5555' AS time(3)), CAST('1:2' AS time), CAST('10:20:30.9996' AS time(3)), CAST('23:59:59.9996' AS time(3)), CAST('23:59:59.999' AS time(0));
SELECT CAST(' 10:00:00' AS time);
SELECT try_cast(x AS time) FROM (VALUES '10:00:00 ', '+10:00', '10', '25:00', '10:60', '10:00:60', '10:00:00.', '10:00:00.1234567890123', '010:00:00', '10:0:0', '', '10:00:00.000499999999', '10:00:00.0005', NULL) t(x);
SELECT CAST(TIME '10:20:30.456' AS time(0)), CAST(TIME '23:59:59.9' AS time(0)), CAST(TIME '10:20:30' AS time(6)), CAST(TIME '10:20:30.45' AS varchar), CAST(TIME '10:20' AS varchar), CAST(CAST(TIME '10:20' AS time(9)) AS varchar);
SELECT CAST(TIMESTAMP '2026-01-02 03:04:05.678' AS time), CAST(TIMESTAMP '2026-01-02 23:59:59.9996' AS time(3)), CAST(TIMESTAMP '2026-01-02 03:04:05.678 UTC' AS time(0)), CAST(TIMESTAMP '1969-12-31 23:59:59.999' AS time(3));
SELECT CAST(x AS time(3)) FROM (VALUES TIMESTAMP '2026-01-02 03:04:05.678', NULL) t(x);
SELECT CAST(DATE '2026-01-02' AS time);
-- arithmetic
SELECT TIME '10:00:00' + INTERVAL '15' HOUR, TIME '10:00:00' - INTERVAL '11' HOUR, INTERVAL '1' SECOND + TIME '23:59:59.5', TIME '10:00:00' + INTERVAL '0.001' SECOND, TIME '10:00:00' - INTERVAL '3' DAY;
SELECT TIME '10:00:00' + INTERVAL '1' MONTH;
SELECT TIME '10:00:00' - TIME '09:00:00', TIME '09:00:00' - TIME '10:00:00.5';
SELECT typeof(TIME '10:00:00' + INTERVAL '1' SECOND), typeof(TIME '10:00:00.123456' + INTERVAL '1' SECOND);
SELECT x + y, x - y FROM (VALUES (TIME '10:00:00', INTERVAL '25' HOUR), (TIME '00:00:00', INTERVAL '1' SECOND), (NULL, INTERVAL '1' HOUR), (TIME '01:00:00', NULL)) t(x, y);
-- functions
SELECT hour(TIME '03:04:05.678'), minute(TIME '03:04:05.678'), second(TIME '03:04:05.678'), millisecond(TIME '03:04:05.678'), extract(HOUR FROM TIME '10:00');
SELECT date_trunc('hour', TIME '13:14:15.678'), date_trunc('second', TIME '13:14:15.678'), date_trunc('millisecond', TIME '13:14:15.678901'), date_trunc('minute', TIME '13:14:15.678');
SELECT date_trunc('day', TIME '13:14:15');
SELECT date_add('minute', 90, TIME '23:00:00'), date_add('hour', -25, TIME '00:30:00'), date_add('second', 100000, TIME '23:00:00'), date_add('millisecond', 5, TIME '23:00:00'), date_add('millisecond', 500, TIME '23:00:00');
SELECT date_diff('minute', TIME '01:00:00', TIME '02:30:59'), date_diff('hour', TIME '10:30:00', TIME '09:00:00'), date_diff('millisecond', TIME '10:00:00', TIME '10:00:00.1239'), date_diff('second', TIME '10:00:00.9', TIME '10:00:00');
SELECT date_add('day', 1, TIME '23:00:00');
SELECT date_add('minute', n, x) FROM (VALUES (1, TIME '23:59:30'), (-1, TIME '00:00:30'), (NULL, TIME '00:00:30'), (5, NULL)) t(n, x);
-- comparison, grouping, order
SELECT TIME '10:00:00' < TIME '10:00:00.1', TIME '10:00:00' = TIME '10:00:00.000', greatest(TIME '10:00', TIME '11:00:00.5'), TIME '10:00' BETWEEN TIME '09:00' AND TIME '11:00';
SELECT x, count(*) FROM (VALUES TIME '10:00:00', TIME '09:00:00', TIME '10:00:00', NULL) t(x) GROUP BY x ORDER BY x;
SELECT max(x), min(x), array_agg(x ORDER BY x DESC) FROM (VALUES TIME '10:00:00', TIME '09:00:00') t(x);
SELECT ARRAY[TIME '10:00:00'], MAP(ARRAY['a'], ARRAY[TIME '10:00:00.123']), ROW(TIME '01:02:03');
