package functions

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/murmur3"
)

// hashes are the checksums and digests of binary values.
func hashes(d definer) {
	d.define("loch_crc32(varbinary) bigint", func(a Row, r *Result) { r.Int(int64(crc32.ChecksumIEEE(a.At(0).Bytes()))) })
	d.define("loch_sha512(varbinary) varbinary", func(a Row, r *Result) {
		sum := sha512.Sum512(a.At(0).Bytes())
		r.Bytes(sum[:])
	})
	for name, algorithm := range map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New} {
		// The second argument is the key.
		d.failing("loch_hmac_"+name+"(varbinary, varbinary) varbinary", func(a Row, r *Result) error {
			key := a.At(1).Bytes()
			if len(key) == 0 {
				return errorf("Empty key")
			}
			h := hmac.New(algorithm, key)
			h.Write(a.At(0).Bytes())
			r.Bytes(h.Sum(r.Scratch[:0]))
			return nil
		})
	}
	d.define("loch_xxhash64(varbinary) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint64(r.Scratch[:0], xxhash.Sum64(a.At(0).Bytes())))
	})
	d.define("loch_murmur3(varbinary) varbinary", func(a Row, r *Result) {
		x, y := murmur3.Sum128(a.At(0).Bytes())
		r.Bytes(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(r.Scratch[:0], x), y))
	})
	d.define("loch_spooky_hash_v2_64(varbinary) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint64(r.Scratch[:0], spooky(a.At(0).Bytes())))
	})
	d.define("loch_spooky_hash_v2_32(varbinary) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint32(r.Scratch[:0], uint32(spooky(a.At(0).Bytes()))))
	})
}
