package protocol

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type object struct {
			Head
			data []byte
		}
		var want []object
		var body []byte
		for i := range rapid.IntRange(0, 5).Draw(t, "frames") {
			o := object{Head{Name: rapid.StringMatching(`[a-zé/ "\\]{0,30}`).Draw(t, "name"), Offset: int64(i)}, rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")}
			o.Size = int64(len(o.data))
			var err error
			if body, err = AppendFrame(body, o.Head, o.data); err != nil {
				t.Fatal(err)
			}
			want = append(want, o)
		}
		i := 0
		err := Frames(body, func(h Head, data []byte) error {
			if h != want[i].Head || !bytes.Equal(data, want[i].data) {
				t.Fatalf("frame %d: %+v %q, want %+v %q", i, h, data, want[i].Head, want[i].data)
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Fatalf("%d of %d frames: %v", i, len(want), err)
		}
		if len(body) > 0 { // a body that is cut anywhere but between frames is noticed
			cut := body[:len(body)-1]
			n := 0
			if err := Frames(cut, func(Head, []byte) error { n++; return nil }); err == nil && n == len(want) {
				t.Fatal("a cut body passed")
			}
		}
	})
}

func FuzzFrames(f *testing.F) {
	body, err := AppendFrame(nil, Head{Name: "a"}, []byte("data"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("\x00\x00\x00\x0c{\"Size\":-1}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		total := 0
		err := Frames(body, func(h Head, data []byte) error {
			if int64(len(data)) != h.Size {
				t.Fatalf("%d bytes for a size of %d", len(data), h.Size)
			}
			total += len(data)
			return nil
		})
		if total > len(body) || (err == nil && len(body) > 0 && len(body) < 6) {
			t.Fatalf("%d bytes out of %d, %v", total, len(body), err)
		}
	})
}
