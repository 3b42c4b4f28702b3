package lake

import (
	"strings"
	"testing"

	"github.com/lochlake/loch/event"
)

// elsewhere is a store whose locations are of one's choice.
type elsewhere struct {
	lax
	at string
}

func (e elsewhere) URI(key string) string { return e.at + key }

func (e elsewhere) Key(uri string) (string, bool) { return strings.CutPrefix(uri, e.at) }

func TestOpenRefusesLocationsThatNoCommitCouldUse(t *testing.T) {
	b := openBed(t)
	for at, good := range map[string]bool{"s3://b/": true, "s3://b/p-1/q_2/": true, "s3://b/a b/": false, "s3://b/a#b/": false, "s3://b/a?b/": false, "s3://b/a%zb/": false, "s3://b/ü/": false} {
		l, err := Open(t.Context(), Config{Objects: elsewhere{b.objects.(lax), at}, Meta: b.db})
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), at) {
			t.Errorf("%s: %v", at, err)
		}
		if l != nil {
			l.Close()
		}
	}
}

func TestOpenRefusesAMovedLake(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	_, err := Open(t.Context(), Config{Objects: elsewhere{b.objects.(lax), "file:///elsewhere/"}, Meta: b.db})
	if err == nil || !strings.Contains(err.Error(), store) || !strings.Contains(err.Error(), "file:///elsewhere/") {
		t.Errorf("a lake whose tables lie elsewhere: %v", err)
	}
}
