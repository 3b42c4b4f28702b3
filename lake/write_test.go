package lake

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/lochlake/loch/event"
)

// What is written is what the library's reader reads, for every kind and every shape of value.
func TestRoundTrip(t *testing.T) {
	b := openBed(t)
	for _, kind := range event.Kinds() {
		for _, size := range []struct{ rows, days int }{{1, 1}, {7, 1}, {300, 3}, {2500, 1}} {
			t.Run(fmt.Sprintf("%s/%d", kind, size.rows), func(t *testing.T) {
				store := b.store(t, kind)
				rows := randomRows(rand.New(rand.NewPCG(uint64(kind), uint64(size.rows))), kind, size.rows, size.days)
				b.mustCommit(t, store, rows, 9)
				want := make(map[string]map[string]any)
				for i := range rows {
					want[string(rows[i].Event.Text)] = expected(&rows[i])
				}
				p := b.mustPlan(t, store)
				if p.Rows != int64(size.rows) || p.TableRows != p.Rows || len(p.Files) > size.days {
					t.Fatalf("planned %d rows in %d files", p.Rows, len(p.Files))
				}
				text := p.Schema.Nodes[p.Schema.Text].Path
				seen := 0
				for _, f := range p.Files {
					day := int64(-1)
					for _, got := range stored(t, f.Local) {
						w := want[got[text].(string)]
						if !reflect.DeepEqual(w, got) {
							for k := range w {
								if !reflect.DeepEqual(w[k], got[k]) {
									t.Errorf("column %s: want %#v, got %#v", k, w[k], got[k])
								}
							}
							t.FailNow()
						}
						d := got["eventtime"].(int64) / 86_400_000_000
						if day >= 0 && d != day {
							t.Fatalf("file %s holds two days", f.Key)
						}
						day = d
						seen++
					}
				}
				if seen != size.rows {
					t.Fatalf("read %d rows, wrote %d", seen, size.rows)
				}
			})
		}
	}
}
