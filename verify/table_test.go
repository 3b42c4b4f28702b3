package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore"
)

// Files of several days are read at once, and what is found in them is told in one order, whichever is read first.
func TestFindingsComeInOrder(t *testing.T) {
	b := newBed(t)
	b.commit(8, 10)
	b.flush()
	var damaged []string
	b.ok(b.objects.List(t.Context(), "tables/", "", func(o objstore.Object) error {
		if strings.HasSuffix(o.Key, ".parquet") {
			damaged = append(damaged, o.Key)
			return tamper(b.objects.LocalPath(o.Key), []byte("PAR1"))
		}
		return nil
	}))
	first := b.verify(true, nil).Findings
	for _, key := range damaged {
		if !slices.ContainsFunc(first, func(f Finding) bool { return f.Object == key }) {
			t.Errorf("%s is not named", key)
		}
	}
	if !slices.IsSortedFunc(first, func(a, b Finding) int { return strings.Compare(a.Object, b.Object) }) {
		t.Errorf("%v", first)
	}
	for range 5 {
		if again := b.verify(true, nil).Findings; !slices.Equal(again, first) {
			t.Errorf("%v\n%v", again, first)
		}
	}
}
