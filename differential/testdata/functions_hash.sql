SELECT crc32(X''), crc32(to_utf8('abc')), crc32(X'00ff80'), crc32(NULL), crc32(to_utf8('日本'));
SELECT sha512(X''), to_hex(sha512(to_utf8('é'))), sha512(NULL);
SELECT to_hex(sha512(to_utf8(x))), crc32(to_utf8(x)) FROM (VALUES 'abc', NULL, '', 'a longer text than twelve bytes') t(x);
