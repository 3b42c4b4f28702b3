SELECT CAST(REAL '1.5' AS varchar), CAST(REAL '1e7' AS varchar), CAST(REAL '1e-5' AS varchar), CAST(REAL '16777217' AS varchar), CAST(REAL '0' AS varchar), CAST(REAL '-0.1' AS varchar), CAST(REAL '123.456' AS varchar), CAST(CAST(nan() AS real) AS varchar), CAST(CAST(-infinity() AS real) AS varchar), CAST(REAL '-0' AS varchar);
SELECT CAST(x AS varchar) FROM (VALUES REAL '8388608.5', REAL '8388609.5', REAL '3.4028235e38', REAL '9999999', REAL '99999995', REAL '1234567.8', REAL '0.3333333', NULL) t(x);
SELECT CAST(REAL '1.5' AS varchar(3)), CAST(REAL '1.5' AS varchar(5));
SELECT 'x' || CAST(REAL '2' AS varchar), CAST(ARRAY[REAL '1.25'] AS array(varchar));
SELECT CAST(x AS varchar) FROM (VALUES REAL '1.4e-45') t(x);
SELECT CAST(REAL '1.1754944e-38' AS varchar);
