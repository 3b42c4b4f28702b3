package dialect

func init() {
	for _, f := range []string{"md5", "sha1", "sha256"} {
		define(f+"(varbinary) varbinary", "unhex("+f+"($1))")
	}
	define("sha512(varbinary) varbinary", "loch_sha512($1)")
	define("crc32(varbinary) bigint", "loch_crc32($1)")
	for _, f := range []string{"xxhash64", "murmur3", "spooky_hash_v2_32", "spooky_hash_v2_64"} {
		define(f+"(varbinary) varbinary", "loch_"+f+"($1)")
	}
	for _, f := range []string{"hmac_md5", "hmac_sha1", "hmac_sha256", "hmac_sha512"} {
		define(f+"(varbinary, varbinary) varbinary", fallible("loch_"+f+"($1, $2)", TypeVarbinary))
	}

	define("to_hex(varbinary) varchar", "hex($1)")
	define("from_hex(varchar) varbinary", "CASE WHEN length($1) % 2 = 1 OR NOT regexp_full_match($1, '[0-9a-fA-F]*') THEN "+
		raise("Hex input is not valid", TypeVarbinary)+" ELSE unhex($1) END")
	define("to_base64(varbinary) varchar", "to_base64($1)")
	define("to_base64url(varbinary) varchar", "replace(replace(to_base64($1), '+', '-'), '/', '_')")
	define("to_base32(varbinary) varchar", "loch_to_base32($1)")
	for _, f := range []string{"from_base32", "from_base64", "from_base64url"} {
		for _, t := range []string{"varchar", "varbinary"} {
			define(f+"("+t+") varbinary", fallible("loch_"+f+"_"+t+"($1)", TypeVarbinary))
		}
	}
	define("to_big_endian_32(integer) varbinary", "loch_to_big_endian_32($1)")
	define("to_big_endian_64(bigint) varbinary", "loch_to_big_endian_64($1)")
	define("to_ieee754_32(real) varbinary", "loch_to_ieee754_32($1)")
	define("to_ieee754_64(double) varbinary", "loch_to_ieee754_64($1)")
	define("from_big_endian_32(varbinary) integer", fallible("loch_from_big_endian_32($1)", TypeInteger))
	define("from_big_endian_64(varbinary) bigint", fallible("loch_from_big_endian_64($1)", TypeBigint))
	define("from_ieee754_32(varbinary) real", fallible("loch_from_ieee754_32($1)", Type{Kind: Real}))
	define("from_ieee754_64(varbinary) double", fallible("loch_from_ieee754_64($1)", TypeDouble))

	define("reverse(varbinary) varbinary", "loch_reverse($1)")
	define("substr(varbinary, bigint) varbinary", "loch_substr($1, $2)")
	define("substr(varbinary, bigint, bigint) varbinary", fallible("loch_substr_length($1, $2, $3)", TypeVarbinary))
	define("lpad(varbinary, bigint, varbinary) varbinary", fallible("loch_lpad($1, $2, $3)", TypeVarbinary))
	define("rpad(varbinary, bigint, varbinary) varbinary", fallible("loch_rpad($1, $2, $3)", TypeVarbinary))
	define("to_utf8(varchar) varbinary", "encode($1)")
	define("from_utf8(varbinary) varchar", "loch_from_utf8($1)")
	define("from_utf8(varbinary, varchar) varchar", fallible("loch_from_utf8_text($1, $2)", TypeVarchar))
	define("from_utf8(varbinary, bigint) varchar", fallible("loch_from_utf8_code($1, $2)", TypeVarchar))
}
