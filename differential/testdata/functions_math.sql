SELECT from_base('ff', 16), from_base('FF', 16), from_base('-80', 16), from_base('+7', 8), from_base('z', 36), from_base('1010', 2), from_base('9223372036854775807', 10), from_base('-8000000000000000', 16), from_base(NULL, 16), from_base('1', NULL);
SELECT from_base('8000000000000000', 16);
SELECT from_base('', 10);
SELECT from_base('2', 2);
SELECT from_base(' 1', 10);
SELECT from_base('1_000', 10);
SELECT from_base('-', 10);
SELECT from_base('1', 1);
SELECT from_base('1', 37);
SELECT to_base(255, 16), to_base(-255, 16), to_base(0, 2), to_base(-9223372036854775807, 3), to_base(9223372036854775807, 36), to_base(NULL, 16), to_base(35, 36);
SELECT to_base(-9223372036854775808, 2);
SELECT to_base(-4611686018427387904, 2), length(to_base(9223372036854775807, 2));
SELECT to_base(1, 1);
SELECT to_base(1, 37);
SELECT try(from_base(x, 16)) FROM (VALUES 'a', 'g', '', NULL, 'dead') t(x);
SELECT bit_count(9, 64), bit_count(9, 8), bit_count(-7, 64), bit_count(-7, 8), bit_count(0, 2), bit_count(-1, 2), bit_count(1, 2), bit_count(127, 8), bit_count(-128, 8), bit_count(-9223372036854775808, 64), bit_count(NULL, 8);
SELECT bit_count(128, 8);
SELECT bit_count(-129, 8);
SELECT bit_count(1, 1);
SELECT bit_count(1, 65);
SELECT bitwise_left_shift(1, 2), bitwise_left_shift(TINYINT '7', 2), bitwise_left_shift(TINYINT '127', 1), bitwise_left_shift(SMALLINT '-1', 15), bitwise_left_shift(2147483647, 1), bitwise_left_shift(BIGINT '1', 63), bitwise_left_shift(BIGINT '1', 64), bitwise_left_shift(1, 32), bitwise_left_shift(TINYINT '-7', 2), bitwise_left_shift(1, 100), bitwise_left_shift(NULL, 1), bitwise_left_shift(1, NULL);
SELECT bitwise_right_shift(TINYINT '7', 2), bitwise_right_shift(TINYINT '-8', 2), bitwise_right_shift(SMALLINT '-8', 2), bitwise_right_shift(-8, 2), bitwise_right_shift(BIGINT '-8', 2), bitwise_right_shift(TINYINT '-8', 0), bitwise_right_shift(BIGINT '-1', 63), bitwise_right_shift(-1, 64), bitwise_right_shift(-1, 33), bitwise_right_shift(TINYINT '-1', 7);
SELECT bitwise_right_shift_arithmetic(TINYINT '-8', 2), bitwise_right_shift_arithmetic(SMALLINT '7', 2), bitwise_right_shift_arithmetic(-8, 1), bitwise_right_shift_arithmetic(BIGINT '-1', 64), bitwise_right_shift_arithmetic(5, 70), bitwise_right_shift_arithmetic(TINYINT '-1', 100), bitwise_right_shift_arithmetic(-8, 40);
SELECT bitwise_left_shift(5, -1), bitwise_right_shift(BIGINT '5', -1), bitwise_right_shift_arithmetic(BIGINT '-5', -63), bitwise_left_shift(BIGINT '3', -63);
SELECT typeof(bitwise_left_shift(TINYINT '1', 1)), typeof(bitwise_right_shift(SMALLINT '1', 1)), typeof(to_base(1, 2)), typeof(from_base('1', 2)), typeof(random(5)), typeof(random(BIGINT '5')), typeof(rand(TINYINT '1', TINYINT '5'));
SELECT random(1), rand(1), random(5, 6), random(-3, -2), random(BIGINT '9223372036854775806', BIGINT '9223372036854775807'), random(TINYINT '1'), random(SMALLINT '7', SMALLINT '8');
SELECT random(0);
SELECT random(5, 5);
SELECT random(-5);
SELECT count_if(r >= 10 AND r < 20) = count(*), min(r) < max(r) FROM (SELECT random(10, 20) r FROM UNNEST(sequence(1, 1000)) t(i));
SELECT min(r) < 0 AND max(r) > 0 FROM (SELECT random(-9223372036854775808, 9223372036854775807) r FROM UNNEST(sequence(1, 100)) t(i));
SELECT random(NULL), random(1, NULL);
SELECT width_bucket(3.5e0, ARRAY[1e0, 2e0, 4e0]), width_bucket(0e0, ARRAY[1e0, 2e0]), width_bucket(2e0, ARRAY[1e0, 2e0]), width_bucket(9e0, ARRAY[1e0]), width_bucket(infinity(), ARRAY[1e0, 2e0]), width_bucket(1, ARRAY[1, 2]), width_bucket(NULL, ARRAY[1e0]), width_bucket(1e0, NULL);
SELECT width_bucket(1e0, ARRAY[]);
SELECT width_bucket(nan(), ARRAY[1e0]);
SELECT width_bucket(1e0, ARRAY[2e0, 1e0]);
SELECT width_bucket(1e0, ARRAY[1e0, infinity()]);
SELECT width_bucket(1e0, ARRAY[infinity()]);
SELECT width_bucket(1e0, ARRAY[nan(), 1e0]);
SELECT width_bucket(-1e0, ARRAY[NULL, 1e0]), width_bucket(1e0, ARRAY[NULL, 1e0]);
SELECT dot_product(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0]), dot_product(ARRAY[], ARRAY[]), dot_product(ARRAY[1e0, NULL], ARRAY[1e0, 2e0]), dot_product(ARRAY[1, 2], ARRAY[3, 4]), dot_product(NULL, ARRAY[1e0]);
SELECT dot_product(ARRAY[1e0], ARRAY[1e0, 2e0]);
SELECT euclidean_distance(ARRAY[1e0, 2e0], ARRAY[4e0, 6e0]), euclidean_distance(ARRAY[], ARRAY[]), euclidean_distance(ARRAY[1e0, NULL], ARRAY[1e0, 2e0]), euclidean_distance(ARRAY[infinity()], ARRAY[1e0]);
SELECT euclidean_distance(ARRAY[1e0], ARRAY[]);
-- near
SELECT cosine_similarity(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0]), cosine_distance(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0]), cosine_similarity(ARRAY[1e0], ARRAY[-1e0]), cosine_similarity(ARRAY[NULL], ARRAY[1e0]), cosine_distance(ARRAY[1e0, 0e0], ARRAY[NULL, 1e0]);
SELECT cosine_similarity(ARRAY[0e0], ARRAY[1e0]);
SELECT cosine_distance(ARRAY[], ARRAY[]);
SELECT cosine_similarity(ARRAY[1e0], ARRAY[1e0, 2e0]);
-- near
SELECT cosine_similarity(MAP(ARRAY['a', 'b'], ARRAY[1e0, 2e0]), MAP(ARRAY['b', 'c'], ARRAY[3e0, 4e0])), cosine_similarity(MAP(ARRAY['a'], ARRAY[0e0]), MAP(ARRAY['a'], ARRAY[0e0])), cosine_similarity(MAP(ARRAY['a'], ARRAY[1e0]), MAP(ARRAY['b'], ARRAY[1e0])), cosine_similarity(MAP(ARRAY['a'], ARRAY[CAST(NULL AS double)]), MAP(ARRAY['a'], ARRAY[1e0]));
-- rough
SELECT normal_cdf(0e0, 1e0, 1.96e0), normal_cdf(10e0, 9e0, 10e0), normal_cdf(0e0, 1e0, -1.5e0), normal_cdf(0e0, 1e0, infinity()), normal_cdf(0, 1, 0.5), normal_cdf(NULL, 1, 1);
SELECT normal_cdf(0e0, 0e0, 1e0);
-- near
SELECT inverse_normal_cdf(0e0, 1e0, 0.3e0), inverse_normal_cdf(10e0, 9e0, 0.9e0), inverse_normal_cdf(0e0, 1e0, 0.975e0), inverse_normal_cdf(0, 1, 0.5);
SELECT inverse_normal_cdf(0e0, 1e0, 1e0);
SELECT inverse_normal_cdf(0e0, 1e0, 0e0);
SELECT inverse_normal_cdf(0e0, -1e0, 0.5e0);
-- rough
SELECT beta_cdf(3e0, 3.6e0, 0.3e0), beta_cdf(3e0, 3.6e0, 0e0), beta_cdf(3e0, 3.6e0, 1e0), beta_cdf(0.5e0, 0.5e0, 0.9e0), beta_cdf(1, 1, 0.25), beta_cdf(20e0, 3e0, 0.9e0), beta_cdf(200e0, 300e0, 0.4e0);
SELECT beta_cdf(3e0, 3.6e0, 1.1e0);
SELECT beta_cdf(0e0, 3.6e0, 0.5e0);
-- rough
SELECT t_cdf(0e0, 5e0), t_cdf(1e0, 5e0), t_cdf(-2.5e0, 3e0), t_cdf(1.5e0, 100e0), t_cdf(0.1e0, 1e0), t_pdf(0e0, 5e0), t_pdf(1e0, 5e0), t_pdf(-2.5e0, 3e0), t_pdf(1.5e0, 100e0);
SELECT t_cdf(1e0, 0e0);
SELECT t_pdf(1e0, -1e0);
-- near
SELECT wilson_interval_lower(1250, 1310, 1.96e0), wilson_interval_upper(1250, 1310, 1.96e0), wilson_interval_lower(0, 10, 1.96e0), wilson_interval_upper(10, 10, 2e0), wilson_interval_lower(5, 10, 0e0), wilson_interval_upper(NULL, 10, 1e0);
SELECT wilson_interval_lower(-1, 10, 1e0);
SELECT wilson_interval_lower(1, 0, 1e0);
SELECT wilson_interval_upper(11, 10, 1e0);
SELECT wilson_interval_upper(1, 10, -1e0);
