package lake

import (
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
)

// generatedRows are realistic events in order of time, decoded, as ingest hands them over.
func generatedRows(t testing.TB, n int) (rows []Row, textBytes int64) {
	t.Helper()
	// 200,000 events would spread over the month: n of them over their share of it.
	g := generate.New(generate.Options{Events: n, Seed: 1, Start: time.Date(2026, 1, 5, 3, 0, 0, 0, time.UTC), Days: max(1, 30*n/200_000)})
	d := event.NewDecoder()
	for {
		ev, ok := g.Next()
		if !ok {
			break
		}
		text := append([]byte(nil), ev.Text...)
		r, err := d.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		textBytes += int64(len(text))
		rows = append(rows, Row{Event: &r, Envelope: Envelope{
			Writer: "0d9e3b9c-6a58-4b2a-9f2e-3d7f2f6a1c11", Epoch: 1, Sequence: int64(len(rows) / 500), Position: int32(len(rows) % 500),
			Accepted: time.Date(2026, 2, 1, 0, 0, 0, len(rows)*1000, time.UTC).UnixMicro(), Provenance: "s3://trail-logs/AWSLogs/1/CloudTrail/us-east-1/2026/01/05/file" + string(rune('a'+len(rows)/500%26)),
		}})
	}
	return rows, textBytes
}

// Shred, encode and put 16,000 rows of about two days.
func BenchmarkWrite(b *testing.B) {
	bed := openBed(b)
	store := bed.store(b, event.CloudTrail)
	rows, text := generatedRows(b, 16000)
	b.ReportAllocs()
	b.SetBytes(text)
	var out int64
	for b.Loop() {
		f, err := bed.Write(b.Context(), store, rows)
		if err != nil {
			b.Fatal(err)
		}
		out = f.Bytes
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/event")
	b.ReportMetric(float64(out)/float64(len(rows)), "bytes/event")
	b.ReportMetric(float64(text)/float64(len(rows)), "textbytes/event")
}

// Encode alone, on one core.
func BenchmarkEncode(b *testing.B) {
	lay, err := layoutOf(event.Schema(event.CloudTrail))
	if err != nil {
		b.Fatal(err)
	}
	rows, _ := generatedRows(b, 16000)
	index := make([]int32, len(rows))
	for i := range index {
		index[i] = int32(i)
	}
	enc, out := newEncoder(lay), new(output)
	b.ReportAllocs()
	for b.Loop() {
		out.buf = out.buf[:0]
		if _, err := enc.encode(out, rows, index); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/event")
	b.ReportMetric(float64(len(out.buf))/float64(len(rows)), "bytes/event")
}
