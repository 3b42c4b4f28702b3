package lake

import (
	"encoding/binary"
	"math/bits"
)

// The encodings of Parquet that Loch writes itself: the RLE/bit-packed hybrid of levels and dictionary indices, and DELTA_BINARY_PACKED of lengths
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/).

// appendLevels appends levels (at most maxLevel) as a data page of version 1 has them: the length in four bytes, then the hybrid.
func appendLevels(dst []byte, levels []uint8, maxLevel uint8) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendHybrid8(dst, levels, bits.Len8(maxLevel))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// runOf is how many values from the start of v are equal to the first.
func runOf(v []uint8) int {
	first := v[0]
	n := 1
	wide := uint64(first) * 0x0101010101010101
	for n+8 <= len(v) && binary.LittleEndian.Uint64(v[n:]) == wide {
		n += 8
	}
	for n < len(v) && v[n] == first {
		n++
	}
	return n
}

// appendHybrid8 encodes values below 1<<width, width at most 8. Runs of eight or more become RLE; what lies between is bit-packed
// in groups of eight.
func appendHybrid8(dst []byte, v []uint8, width int) []byte {
	for len(v) > 0 {
		if n := runOf(v); n >= 8 || n == len(v) {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			dst = append(dst, v[0])
			v = v[n:]
			continue
		}
		// Groups of eight, until one begins with a run that is worth its own header.
		head := len(dst)
		dst = append(dst, 0)
		groups := 0
		for len(v) > 0 && groups < 63 { // 63 groups: the header stays one byte
			if groups > 0 && len(v) >= 16 && runOf(v[:16]) == 16 {
				break
			}
			var g uint64
			n := min(8, len(v))
			for i := range n {
				g |= uint64(v[i]) << (i * width)
			}
			for range width {
				dst = append(dst, byte(g))
				g >>= 8
			}
			v = v[n:]
			groups++
		}
		dst[head] = byte(groups<<1 | 1)
	}
	return dst
}

// appendHybrid32 encodes values below 1<<width, width from 1 to 32, the same way.
func appendHybrid32(dst []byte, v []uint32, width int) []byte {
	bytesWide := (width + 7) / 8
	for len(v) > 0 {
		n := 1
		for n < len(v) && v[n] == v[0] {
			n++
		}
		if n >= 8 || n == len(v) {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			for i := range bytesWide {
				dst = append(dst, byte(v[0]>>(8*i)))
			}
			v = v[n:]
			continue
		}
		head := len(dst)
		dst = append(dst, 0)
		groups := 0
		for len(v) > 0 && groups < 63 {
			n := min(8, len(v))
			if groups > 0 && len(v) >= 16 {
				same := 1
				for same < 16 && v[same] == v[0] {
					same++
				}
				if same == 16 {
					break
				}
			}
			dst = packEight(dst, v[:n], width)
			v = v[n:]
			groups++
		}
		dst[head] = byte(groups<<1 | 1)
	}
	return dst
}

// packEight appends up to eight values of width bits each as width bytes, the missing ones zero.
func packEight(dst []byte, v []uint32, width int) []byte {
	var acc uint64
	held := 0
	end := len(dst) + width
	for _, x := range v {
		acc |= uint64(x) << held
		held += width
		for held >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			held -= 8
		}
	}
	if held > 0 && len(dst) < end {
		dst = append(dst, byte(acc))
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// Blocks of DELTA_BINARY_PACKED as every writer makes them: 128 values in four miniblocks of 32.
const (
	deltaBlock = 128
	deltaMinis = 4
	deltaMini  = deltaBlock / deltaMinis
)

// appendDelta appends values as DELTA_BINARY_PACKED.
func appendDelta(dst []byte, values []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	prev := values[0]
	values = values[1:]
	var deltas [deltaBlock]int64
	for len(values) > 0 {
		n := min(deltaBlock, len(values))
		least := values[0] - prev // differences wrap around, as the format says
		for i := range n {
			deltas[i] = values[i] - prev
			least = min(least, deltas[i])
			prev = values[i]
		}
		values = values[n:]
		dst = binary.AppendVarint(dst, least)
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for m := 0; m*deltaMini < n; m++ {
			mini := deltas[m*deltaMini : min((m+1)*deltaMini, n)]
			var packed [deltaMini]uint64
			var all uint64
			for i, d := range mini {
				packed[i] = uint64(d) - uint64(least)
				all |= packed[i]
			}
			width := bits.Len64(all)
			dst[widths+m] = byte(width)
			dst = pack64(dst, packed[:], width)
		}
	}
	return dst
}

// pack64 appends values of width bits each, 0 to 64; their number times width is whole bytes.
func pack64(dst []byte, v []uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64
	held := 0
	for _, x := range v {
		acc |= x << held
		if held += width; held >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			held -= 64
			acc = x >> (width - held) // a shift by 64 gives 0
		}
	}
	for ; held > 0; held -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}
