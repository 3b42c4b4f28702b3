package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkLookup looks up in 40,000 events of nine days, in files of 2,000.
func BenchmarkLookup(b *testing.B) {
	r := newRig(b)
	pad := strings.Repeat("x", 600)
	for i := range 20 {
		batch := make([]string, 2000)
		for j := range batch {
			n := i*2000 + j
			batch[j] = record(fmt.Sprintf("e%06d", n), []string{"GetObject", "AssumeRole", "DescribeInstances"}[n%3], now.Add(-time.Duration(n)*20*time.Second),
				fmt.Sprintf(`"eventSource":"s3.amazonaws.com","userIdentity":{"type":"IAMUser","userName":"u%d"},"requestParameters":{"bucketName":"b%d","x":%q}`, n%500, n%20000, pad))
		}
		r.put(batch...)
	}
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"all", Query{}},
		{"deep", Query{To: now.AddDate(0, 0, -5)}},
		{"id", Query{Attribute: EventID, Value: "e030000"}},
		{"name", Query{Attribute: EventName, Value: "AssumeRole"}},
		{"user", Query{Attribute: Username, Value: "u7"}},
		{"resource", Query{Attribute: ResourceName, Value: "b17"}},
		{"nothing", Query{Attribute: ResourceName, Value: "none"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r.lookup(c.q)
			}
		})
	}
}
