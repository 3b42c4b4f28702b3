SELECT crc32(X''), crc32(to_utf8('abc')), crc32(X'00ff80'), crc32(NULL), crc32(to_utf8('日本'));
SELECT sha512(X''), to_hex(sha512(to_utf8('é'))), sha512(NULL);
SELECT to_hex(sha512(to_utf8(x))), crc32(to_utf8(x)) FROM (VALUES 'abc', NULL, '', 'a longer text than twelve bytes') t(x);
SELECT xxhash64(X''), murmur3(X''), spooky_hash_v2_32(X''), spooky_hash_v2_64(X''), xxhash64(NULL), murmur3(NULL), spooky_hash_v2_32(NULL), spooky_hash_v2_64(NULL);
SELECT n, to_hex(xxhash64(x)), to_hex(murmur3(x)), to_hex(spooky_hash_v2_32(x)), to_hex(spooky_hash_v2_64(x)) FROM (SELECT n, to_utf8(array_join(transform(sequence(1, n), i -> chr(33 + (i * 7) % 90)), '')) x FROM UNNEST(ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 63, 64, 65, 95, 96, 97, 127, 128, 150, 191, 192, 193, 200, 287, 288, 289, 300, 500, 1000]) t(n));
SELECT to_hex(hmac_md5(x, k)), to_hex(hmac_sha1(x, k)), to_hex(hmac_sha256(x, k)), to_hex(hmac_sha512(x, k)) FROM (VALUES (to_utf8('abc'), to_utf8('key')), (X'', X'00'), (NULL, X'01'), (X'01', NULL), (X'ff', to_utf8('a key that is longer than the block of 64 bytes that most of these hashes have: 0123456789'))) t(x, k);
SELECT hmac_sha256(X'00', X'');
SELECT hmac_md5('abc', X'00');
SELECT xxhash64('abc');
