-- DISTINCT and ORDER BY in aggregates of several arguments.

SELECT max_by(DISTINCT x, y) FROM (VALUES (1,1),(1,1),(2,3)) t(x,y);
SELECT map_agg(DISTINCT x, y) FROM (VALUES (1,1),(1,1),(2,3)) t(x,y);
SELECT transform_values(multimap_agg(DISTINCT x, y), (k, v) -> array_sort(v)) FROM (VALUES (1,1),(1,1),(1,2),(2,3)) t(x,y);
SELECT map_agg(x, y ORDER BY y DESC) FROM (VALUES (1,1),(1,2),(2,3)) t(x,y);
SELECT multimap_agg(x, y ORDER BY y DESC) FROM (VALUES (1,1),(1,2),(2,3)) t(x,y);
SELECT multimap_agg(DISTINCT x, y ORDER BY y DESC) FROM (VALUES (1,1),(1,2),(1,1),(2,3)) t(x,y);
SELECT max_by(x, y ORDER BY x) FROM (VALUES (1,1),(3,3),(2,3)) t(x,y);
SELECT corr(DISTINCT x, y), covar_pop(DISTINCT x, y) FROM (VALUES (1,1),(1,1),(3,2),(2,3)) t(x,y);
SELECT corr(x, y ORDER BY x) FROM (VALUES (1,1),(1,1),(3,2),(2,3)) t(x,y);
SELECT count_if(DISTINCT x) FROM (VALUES true, true, false) t(x);
SELECT approx_distinct(DISTINCT x) FROM (VALUES 1, 1, 2) t(x);
SELECT approx_percentile(DISTINCT x, 0.5) FROM (VALUES 1, 1, 1, 2, 3) t(x);
SELECT histogram(DISTINCT x) FROM (VALUES 1, 1, 2) t(x);
SELECT max(DISTINCT x, 2), min(DISTINCT x, 2) FROM (VALUES 1, 1, 2) t(x);
SELECT listagg(DISTINCT x, ',') WITHIN GROUP (ORDER BY x) FROM (VALUES 'a','b','a') t(x);
SELECT count(DISTINCT x, y) FROM (VALUES (1,2)) t(x,y);
SELECT count(DISTINCT ROW(x, y)), count(DISTINCT ARRAY[x]) FROM (VALUES (1,2),(1,2),(1,NULL),(1,NULL)) t(x,y);
SELECT array_agg(DISTINCT x ORDER BY y) FROM (VALUES (1,2)) t(x,y);
SELECT max_by(DISTINCT x, y ORDER BY z) FROM (VALUES (1,2,3)) t(x,y,z);
