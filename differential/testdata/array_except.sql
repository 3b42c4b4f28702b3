-- Arrays without those of an empty array.
SELECT array_except(ARRAY['x', 'x', 'a'], ARRAY[]), array_except(ARRAY[1, 1, NULL, NULL], CAST(ARRAY[] AS array(integer))), array_except(ARRAY[], ARRAY[1]);
SELECT array_except(a, b), array_except(a, array_intersect(a, b)), array_except(b, a), array_union(a, b), array_intersect(a, b) FROM (VALUES (ARRAY['x', 'x', NULL, NULL, 'a'], CAST(ARRAY[] AS array(varchar))), (ARRAY['x', 'x'], ARRAY['q']), (ARRAY['x', 'x'], ARRAY['x']), (ARRAY['b', 'b'], NULL), (NULL, ARRAY[])) AS t (a, b);
SELECT array_except(ARRAY[ROW(1, 'a'), ROW(1, 'a')], ARRAY[]), array_except(ARRAY[nan(), nan()], ARRAY[]), array_except(ARRAY[ARRAY[1], ARRAY[1]], ARRAY[ARRAY[2]]);
