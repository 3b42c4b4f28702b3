SELECT abs(x) FROM (VALUES 5, -5, 0, NULL) t(x);
SELECT abs(-5.25), abs(-5e0), abs(-0e0), abs(TINYINT '-5'), abs(BIGINT '-9223372036854775807');
SELECT abs(x) FROM (VALUES -9223372036854775807 - 1) t(x);
SELECT ceil(x), ceiling(x), floor(x), truncate(x), round(x) FROM (VALUES 1.5e0, -1.5e0, 2.5e0, -2.5e0, 0.5e0, -0.5e0, 0.49999999999999994e0, 1e300, NULL) t(x);
SELECT ceil(x), floor(x), truncate(x), round(x) FROM (VALUES 1.5, -1.5, 2.5, -2.5, 0.5, -0.5, 0.0, NULL) t(x);
SELECT ceil(5), floor(-5), round(7), truncate(8e0), ceil(nan()), floor(infinity()), round(nan()), round(-infinity());
SELECT round(x, 2) FROM (VALUES 1.005e0, 2.675e0, -1.005e0, 1234.5678e0, 0.125e0, -0.125e0) t(x);
SELECT round(x, 1), round(x, 0), round(x, -1), round(x, -3) FROM (VALUES 1234.5678, -1234.5678, 15.55, 5.05) t(x);
SELECT round(x, -1), round(x, -2), round(x, 2) FROM (VALUES 1234, -1255, 5, 15, -15, NULL) t(x);
SELECT typeof(round(1.25, 1)), typeof(round(1.25)), typeof(ceil(1.25)), typeof(floor(123.45)), typeof(round(5)), typeof(truncate(1.25)), typeof(truncate(1.25, 1)), typeof(abs(1.25)), typeof(sign(1.25));
SELECT truncate(12.349, 2), truncate(-12.349, 1), truncate(1234.5, -2), truncate(REAL '1.7'), truncate(-1.9e0);
SELECT sign(x) FROM (VALUES 5, -5, 0, NULL) t(x);
SELECT sign(-2.5e0), sign(0e0), sign(nan()), sign(-3.50), sign(0.00), sign(infinity());
-- near
SELECT sqrt(2), sqrt(-1), sqrt(0), cbrt(27), cbrt(-8), exp(1), exp(0), exp(710), ln(10), ln(0), ln(-1), log2(8), log10(1000), log(2, 8), log(10, 100);
-- near
SELECT power(2, 10), pow(2, 0.5), power(0, 0), power(-8, 1e0/3), power(2, -1), power(10, 400), power(NULL, 2);
-- near
SELECT sin(1), cos(1), tan(1), asin(1), acos(1), atan(1), atan2(1, 2), sinh(1), cosh(1), tanh(1), asin(2), acos(2);
SELECT pi(), e(), nan(), infinity(), -infinity(), degrees(pi()), radians(180);
SELECT is_nan(nan()), is_nan(1e0), is_finite(infinity()), is_finite(1), is_infinite(infinity()), is_infinite(nan()), is_nan(NULL);
SELECT mod(10, 3), mod(-10.5, 3), mod(10e0, 3), mod(5.5e0, -2);
SELECT width_bucket(x, 0, 10, 5) FROM (VALUES -1, 0, 1.9, 2, 9.99, 10, 11) t(x);
SELECT width_bucket(x, ARRAY[0e0, 1e0, 2e0]) FROM (VALUES -1e0, 0e0, 1.5e0, 2e0, 5e0) t(x);
SELECT width_bucket(1, 0, 10, 0);
SELECT to_base(255, 16), to_base(-255, 2), to_base(35, 36), to_base(0, 2), from_base('ff', 16), from_base('-101', 2), from_base('ZZ', 36);
SELECT from_base('xyz', 16);
SELECT to_base(1, 37);
SELECT normal_cdf(0, 1, 1.96), inverse_normal_cdf(0, 1, 0.975), beta_cdf(3, 4, 0.1), inverse_beta_cdf(2, 5, 0.5);
SELECT wilson_interval_lower(1250, 1310, 1.96e0), wilson_interval_upper(1250, 1310, 1.96e0);
SELECT cosine_similarity(MAP(ARRAY['a'], ARRAY[1.0]), MAP(ARRAY['a'], ARRAY[2.0])), cosine_similarity(ARRAY[1e0, 2e0], ARRAY[2e0, 3e0]);
SELECT rand() >= 0, random(10) < 10, random(5, 6), rand() < 1;
SELECT random(0);
-- rough
SELECT t_cdf(1, 10), t_pdf(1, 10);
SELECT crc32(to_utf8('audit')), crc32(X''), from_ieee754_64(to_ieee754_64(1.5e0)), to_ieee754_32(REAL '1.5');
