package lake

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// readHybrid decodes the RLE/bit-packed hybrid as the format describes it.
func readHybrid(t *rapid.T, b []byte, width, n int) (out []uint32) {
	for len(out) < n {
		head, w := binary.Uvarint(b)
		if w <= 0 {
			t.Fatalf("no header after %d of %d values", len(out), n)
		}
		b = b[w:]
		if head&1 == 0 {
			wide := (width + 7) / 8
			var v uint32
			for i := range wide {
				v |= uint32(b[i]) << (8 * i)
			}
			b = b[wide:]
			out = append(out, slices.Repeat([]uint32{v}, int(head>>1))...)
			continue
		}
		groups := int(head >> 1)
		out = append(out, unpack(b, 8*groups, width)...)
		b = b[groups*width:]
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes too many", len(b))
	}
	return out[:n] // the last group is filled up
}

func unpack(b []byte, n, width int) []uint32 {
	out := make([]uint32, n)
	for i := range n * width {
		if b[i/8]>>(i%8)&1 != 0 {
			out[i/width] |= 1 << (i % width)
		}
	}
	return out
}

// runs draws values in runs, as levels and dictionary numbers come.
func runs(t *rapid.T, most uint32) []uint32 {
	var out []uint32
	for range rapid.IntRange(1, 12).Draw(t, "runs") {
		v := rapid.Uint32Range(0, most).Draw(t, "value")
		out = append(out, slices.Repeat([]uint32{v}, rapid.SampledFrom([]int{1, 1, 1, 2, 7, 8, 9, 16, 500}).Draw(t, "length"))...)
	}
	return out
}

func TestHybrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]uint32{1, 2, 3, 7, 200, 255, 256, 70_000, 1<<32 - 1}).Draw(t, "most")
		want := runs(t, most)
		width := bits.Len32(most)
		if got := readHybrid(t, appendHybrid32(nil, want, width), width, len(want)); !slices.Equal(got, want) {
			t.Fatalf("got %v", got)
		}
		if most > 255 {
			return
		}
		levels := make([]uint8, len(want))
		for i, v := range want {
			levels[i] = uint8(v)
		}
		if got := readHybrid(t, appendHybrid8(nil, levels, width), width, len(want)); !slices.Equal(got, want) {
			t.Fatalf("as bytes: got %v", got)
		}
	})
}

func TestDelta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.OneOf(rapid.Int64(), rapid.Int64Range(30, 40)), 1, 400).Draw(t, "values")
		b := appendDelta(nil, want)
		uvarint := func() uint64 {
			v, w := binary.Uvarint(b)
			b = b[w:]
			return v
		}
		varint := func() int64 {
			v, w := binary.Varint(b)
			b = b[w:]
			return v
		}
		if block, minis, n := uvarint(), uvarint(), uvarint(); block != 128 || minis != 4 || n != uint64(len(want)) {
			t.Fatalf("header %d %d %d", block, minis, n)
		}
		got := []int64{varint()}
		for len(got) < len(want) {
			least := varint()
			widths := b[:4]
			b = b[4:]
			for _, w := range widths {
				if len(got) >= len(want) {
					break
				}
				var mini [32]uint64
				for i := range 32 * int(w) {
					if b[i/8]>>(i%8)&1 != 0 {
						mini[i/int(w)] |= 1 << (i % int(w))
					}
				}
				b = b[4*int(w):]
				for _, d := range mini {
					if len(got) < len(want) {
						got = append(got, int64(uint64(got[len(got)-1])+uint64(least)+d))
					}
				}
			}
		}
		if !slices.Equal(got, want) || len(b) > 0 {
			t.Fatalf("got %v, %d bytes left", got, len(b))
		}
	})
}
