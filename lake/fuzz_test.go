package lake

import (
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
)

// Whatever the decoder makes of a text, the file says the same, in rows beside others too.
func FuzzShred(f *testing.F) {
	g := generate.New(generate.Options{Events: 40, Seed: 3, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Days: 1})
	for ev, ok := g.Next(); ok; ev, ok = g.Next() {
		f.Add(append([]byte(nil), ev.Text...))
	}
	for _, s := range []string{
		`{"eventTime":"2026-01-01T00:00:00Z"}`,
		`{"eventTime":"2026-01-01T00:00:00Z","resources":[],"requestParameters":{},"userIdentity":{},"tlsDetails":null}`,
		`{"eventTime":"2026-01-01T00:00:00Z","resources":[null,{"ARN":"a"},7,{},{"type":"t","ARN":null}],"eventID":"1","eventID":"2"}`,
		`{"eventTime":"2026-01-01T00:00:00Z","userIdentity":{"arn":"x","sessionContext":{"webIdFederationData":{"attributes":{"a":null,"b":[1]}}}},"userIdentity":{"type":"y"}}`,
		`{"eventTime":"2026-01-01T00:00:00Z","requestParameters":{"a":"1","a":"2","":"","b":{"c":[1,2]}},"readOnly":"true","eventName":7}`,
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Insight","insightDetails":{"state":"Start","insightContext":{"statistics":{"baseline":{"average":1.5}}}}}`,
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"ConfigurationItem","eventData":{"tags":{"k":"v"},"relationships":[{"name":"n"}]}}`,
	} {
		f.Add([]byte(s))
	}
	d := event.NewDecoder()
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := d.Decode(text)
		if err != nil {
			t.Skip()
		}
		lay, err := layoutOf(event.Schema(r.Kind))
		if err != nil {
			t.Fatal(err)
		}
		empty := event.Record{Kind: r.Kind, Time: r.Time, Text: []byte("{}")}
		rows := []Row{{Event: &r}, {Event: &empty}, {Event: &r, Envelope: Envelope{Provenance: "p", Conflict: true}}, {Event: &empty}}
		out := new(output)
		enc := lay.pool.Get().(*encoder)
		defer lay.pool.Put(enc)
		if _, err := enc.encode(out, rows, []int32{0, 1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		got := rowsOf(t, out.buf)
		for i := range rows {
			want := expected(&rows[i])
			for k := range want {
				if !reflect.DeepEqual(want[k], got[i][k]) && !sameNaN(want[k], got[i][k]) {
					t.Fatalf("row %d, column %s: want %#v, got %#v", i, k, want[k], got[i][k])
				}
			}
		}
	})
}

// sameNaN: the only value that is not equal to itself, in insights' numbers.
func sameNaN(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	return ok1 && ok2 && x != x && y != y
}

func FuzzBloomBits(f *testing.F) {
	f.Add([]byte{0x15, 0x40})
	f.Add(append([]byte{0x15, 0x40, 0x1c, 0x1c, 0, 0}, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		bits, err := bloomBits(raw)
		if err != nil {
			return
		}
		if len(bits)%32 != 0 || len(bits) == 0 {
			t.Fatalf("%d bytes of bits", len(bits))
		}
		bloomHas(bits, 1<<64-1)
	})
}

func FuzzPageHead(f *testing.F) {
	f.Add(appendPageHeader(nil, dataPage, parquet.Encodings.Plain, 1000, 1<<20, 1<<18))
	f.Add(appendPageHeader(nil, dictionaryPage, parquet.Encodings.Plain, 3, 70, 70))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readPageHead(b)
		if err == nil && (h.size <= 0 || h.size > len(b)) {
			t.Fatalf("%d of %d bytes", h.size, len(b))
		}
	})
}

func TestPageHead(t *testing.T) {
	b := appendPageHeader(nil, dataPage, parquet.Encodings.Plain, 1000, 1<<20, 1<<18)
	if h, err := readPageHead(append(b, 1, 2, 3)); err != nil || h != (pageHead{dataPage, 1 << 18, 1000, len(b)}) {
		t.Errorf("%+v, %v", h, err)
	}
	for n := range b {
		if _, err := readPageHead(b[:n]); err == nil {
			t.Errorf("%d bytes of %d are a header", n, len(b))
		}
	}
}
