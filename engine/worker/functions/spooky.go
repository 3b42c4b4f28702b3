package functions

import (
	"encoding/binary"
	"math/bits"
)

// SpookyHash V2, Bob Jenkins' hash of the public domain (https://burtleburtle.net/bob/hash/spooky.html): the first 64 of its 128 bits, with seeds of 0.

const (
	spookyConst = 0xdeadbeefdeadbeef
	spookyBlock = 12 * 8
	spookyShort = 2 * spookyBlock // below this length another way of mixing is quicker
)

func spooky(b []byte) uint64 {
	if len(b) < spookyShort {
		return spookyOfShort(b)
	}
	var h [12]uint64
	for i := 2; i < 12; i += 3 {
		h[i] = spookyConst
	}
	rest := b
	for len(rest) >= spookyBlock {
		spookyMix(&h, rest)
		rest = rest[spookyBlock:]
	}
	var last [spookyBlock]byte
	copy(last[:], rest)
	last[spookyBlock-1] = byte(len(rest))
	for i := range h {
		h[i] += binary.LittleEndian.Uint64(last[8*i:])
	}
	for range 3 {
		spookyEnd(&h)
	}
	return h[0]
}

func spookyMix(h *[12]uint64, b []byte) {
	turns := [12]int{11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46}
	for i, turn := range turns {
		h[i] += binary.LittleEndian.Uint64(b[8*i:])
		h[(i+2)%12] ^= h[(i+10)%12]
		h[(i+11)%12] ^= h[i]
		h[i] = bits.RotateLeft64(h[i], turn)
		h[(i+11)%12] += h[(i+1)%12]
	}
}

func spookyEnd(h *[12]uint64) {
	turns := [12]int{44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54}
	for i, turn := range turns {
		at := (i + 1) % 12
		h[(i+11)%12] += h[at]
		h[(i+2)%12] ^= h[(i+11)%12]
		h[at] = bits.RotateLeft64(h[at], turn)
	}
}

func spookyOfShort(b []byte) uint64 {
	var h [4]uint64
	h[2], h[3] = spookyConst, spookyConst
	n := len(b)
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	for ; len(b) >= 32; b = b[32:] {
		h[2] += word(0)
		h[3] += word(1)
		spookyShortMix(&h)
		h[0] += word(2)
		h[1] += word(3)
	}
	if len(b) >= 16 {
		h[2] += word(0)
		h[3] += word(1)
		spookyShortMix(&h)
		b = b[16:]
	}
	h[3] += uint64(n) << 56
	if len(b) == 0 {
		h[2] += spookyConst
		h[3] += spookyConst
	} else {
		var last [16]byte
		copy(last[:], b)
		h[2] += binary.LittleEndian.Uint64(last[:])
		h[3] += binary.LittleEndian.Uint64(last[8:])
	}
	turns := [11]int{15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63}
	for i, turn := range turns {
		to, from := (i+3)%4, (i+2)%4
		h[to] ^= h[from]
		h[from] = bits.RotateLeft64(h[from], turn)
		h[to] += h[from]
	}
	return h[0]
}

func spookyShortMix(h *[4]uint64) {
	turns := [12]int{50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36}
	for i, turn := range turns {
		at, next, to := (i+2)%4, (i+3)%4, i%4
		h[at] = bits.RotateLeft64(h[at], turn)
		h[at] += h[next]
		h[to] ^= h[at]
	}
}
