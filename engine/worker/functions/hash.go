package functions

import (
	"crypto/sha512"
	"hash/crc32"
)

// hashes are the checksums and digests of binary values.
func hashes(d definer) {
	d.define("loch_crc32(varbinary) bigint", func(a Row, r *Result) { r.Int(int64(crc32.ChecksumIEEE(a.At(0).Bytes()))) })
	d.define("loch_sha512(varbinary) varbinary", func(a Row, r *Result) {
		sum := sha512.Sum512(a.At(0).Bytes())
		r.Bytes(sum[:])
	})
}
