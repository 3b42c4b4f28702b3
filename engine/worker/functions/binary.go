package functions

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// binaries are the functions that read and write the bytes of binary values.
func binaries(d definer) {
	d.define("loch_to_big_endian_32(integer) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint32(r.Scratch[:0], uint32(a.At(0).Int())))
	})
	d.define("loch_to_big_endian_64(bigint) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint64(r.Scratch[:0], uint64(a.At(0).Int())))
	})
	d.define("loch_to_ieee754_32(real) varbinary", func(a Row, r *Result) {
		r.Bytes(binary.BigEndian.AppendUint32(r.Scratch[:0], math.Float32bits(float32(a.At(0).Double()))))
	})
	d.define("loch_to_ieee754_64(double) varbinary", func(a Row, r *Result) {
		f := a.At(0).Double()
		if math.IsNaN(f) {
			f = math.Float64frombits(0x7ff8 << 48) // the only NaN that Java writes
		}
		r.Bytes(binary.BigEndian.AppendUint64(r.Scratch[:0], math.Float64bits(f)))
	})
	d.failing("loch_from_big_endian_32(varbinary) integer", func(a Row, r *Result) error {
		b := a.At(0).Bytes()
		if len(b) != 4 {
			return errorf("expected 4-byte input, but got instead: %d", len(b))
		}
		r.Int(int64(int32(binary.BigEndian.Uint32(b))))
		return nil
	})
	d.failing("loch_from_big_endian_64(varbinary) bigint", func(a Row, r *Result) error {
		b := a.At(0).Bytes()
		if len(b) != 8 {
			return errorf("expected 8-byte input, but got instead: %d", len(b))
		}
		r.Int(int64(binary.BigEndian.Uint64(b)))
		return nil
	})
	d.failing("loch_from_ieee754_32(varbinary) real", func(a Row, r *Result) error {
		b := a.At(0).Bytes()
		if len(b) != 4 {
			return errorf("Input floating-point value must be exactly 4 bytes long")
		}
		r.Double(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
		return nil
	})
	d.failing("loch_from_ieee754_64(varbinary) double", func(a Row, r *Result) error {
		b := a.At(0).Bytes()
		if len(b) != 8 {
			return errorf("Input floating-point value must be exactly 8 bytes long")
		}
		r.Double(math.Float64frombits(binary.BigEndian.Uint64(b)))
		return nil
	})
	d.define("loch_to_base32(varbinary) varchar", func(a Row, r *Result) {
		r.Bytes(base32.StdEncoding.AppendEncode(r.Scratch[:0], a.At(0).Bytes()))
	})
	for _, t := range []string{"varchar", "varbinary"} {
		d.failing("loch_from_base32_"+t+"("+t+") varbinary", fromBase32)
		d.failing("loch_from_base64_"+t+"("+t+") varbinary", func(a Row, r *Result) error { return fromBase64(a, r, base64.RawStdEncoding) })
		d.failing("loch_from_base64url_"+t+"("+t+") varbinary", func(a Row, r *Result) error { return fromBase64(a, r, base64.RawURLEncoding) })
	}
	d.define("loch_reverse(varbinary) varbinary", func(a Row, r *Result) {
		r.Scratch = append(r.Scratch[:0], a.At(0).Bytes()...)
		slices.Reverse(r.Scratch)
		r.Bytes(r.Scratch)
	})
	d.define("loch_substr(varbinary, bigint) varbinary", func(a Row, r *Result) { r.Bytes(substring(a.At(0).Bytes(), a.At(1).Int(), math.MaxInt64)) })
	d.failing("loch_substr_length(varbinary, bigint, bigint) varbinary", func(a Row, r *Result) error {
		b, start, length := a.At(0).Bytes(), a.At(1).Int(), a.At(2).Int()
		// Trino reckons with 32 bits here.
		if start < 0 {
			start = max(0, start+int64(len(b))+1)
		}
		if start > 0 && start <= int64(len(b)) && start-1+min(length, math.MaxInt32) > math.MaxInt32 {
			return errorf("Range [%d, %d + %d) out of bounds for length %d", start-1, start-1, min(length, math.MaxInt32), len(b))
		}
		r.Bytes(substring(b, start, length))
		return nil
	})
	d.failing("loch_lpad(varbinary, bigint, varbinary) varbinary", func(a Row, r *Result) error { return pad(a, r, true) })
	d.failing("loch_rpad(varbinary, bigint, varbinary) varbinary", func(a Row, r *Result) error { return pad(a, r, false) })
}

// fromBase32 decodes capitals and digits; padding may be missing.
func fromBase32(a Row, r *Result) error {
	text := strings.TrimRight(a.At(0).Text(), "=")
	for _, c := range text {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return errorf("Unrecognized character: %c", c)
		}
	}
	if n := len(text) % 8; n == 1 || n == 3 || n == 6 {
		return errorf("Invalid input length %d", len(text))
	}
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).AppendDecode(r.Scratch[:0], []byte(text))
	if err != nil {
		return err
	}
	r.Bytes(b)
	return nil
}

// fromBase64 decodes as Java's Base64.Decoder does: padding may be missing, but where it stands it must be complete and last.
func fromBase64(a Row, r *Result, encoding *base64.Encoding) error {
	text := a.At(0).Text()
	end := strings.TrimRight(text, "=")
	switch padding := len(text) - len(end); {
	case padding > 0 && (len(text)%4 != 0 || padding > 2), len(end)%4 == 1:
		return errorf("Input byte array has wrong 4-byte ending unit")
	}
	if i := strings.IndexAny(end, "\r\n"); i >= 0 { // which Go's decoder passes over
		return errorf("Illegal base64 character %x", end[i])
	}
	b, err := encoding.AppendDecode(r.Scratch[:0], []byte(end))
	if err != nil {
		return errorf("Illegal base64 character")
	}
	r.Bytes(b)
	return nil
}

// substring is the part of b that begins at start, from 1 or, where it is negative, from the end.
func substring(b []byte, start, length int64) []byte {
	n := int64(len(b))
	if start < 0 {
		start += n + 1
	}
	if start <= 0 || start > n || length <= 0 {
		return nil
	}
	return b[start-1 : start-1+min(length, n-start+1)]
}

func pad(a Row, r *Result, left bool) error {
	b, size, with := a.At(0).Bytes(), a.At(1).Int(), a.At(2).Bytes()
	switch {
	case size < 0 || size > math.MaxInt32:
		return errorf("Target length must be in the range [0..2147483647]")
	case len(with) == 0:
		return errorf("Padding bytes must not be empty")
	case size > maxResult:
		return errTooLarge
	case size <= int64(len(b)):
		r.Bytes(b[:size])
		return nil
	}
	out := r.Scratch[:0]
	if !left {
		out = append(out, b...)
	}
	for n := int(size) - len(b); n > 0; n -= len(with) {
		out = append(out, with[:min(n, len(with))]...)
	}
	if left {
		out = append(out, b...)
	}
	r.Scratch = out
	r.Bytes(out)
	return nil
}
