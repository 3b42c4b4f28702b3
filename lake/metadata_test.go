package lake

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

func TestMetadata(t *testing.T) {
	ctx, b := t.Context(), openBed(t)
	store := b.store(t, event.CloudTrail)
	rng := rand.New(rand.NewPCG(1, 2))
	for commits := range 3 {
		if commits > 0 {
			b.mustCommit(t, store, randomRows(rng, event.CloudTrail, 5, 2), int64(commits))
		}
		location, text, err := b.Metadata(ctx, store)
		if err != nil {
			t.Fatal(err)
		}
		row, err := b.db.Table(ctx, store)
		if err != nil || location != row.Location {
			t.Errorf("metadata at %s, the table stands at %s, %v", location, row.Location, err)
		}
		var m struct {
			Location  string            `json:"location"`
			Snapshots []json.RawMessage `json:"snapshots"`
			Refs      map[string]any    `json:"refs"`
		}
		if err := json.Unmarshal(text, &m); err != nil || m.Location != b.objects.URI("tables/"+store) || len(m.Snapshots) != commits || len(m.Refs) != min(commits, 1) {
			t.Errorf("after %d commits: %v %s", commits, err, text)
		}
	}
	if _, _, err := b.Metadata(ctx, uuid.NewString()); !errors.Is(err, ErrNoTable) || !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("no table: %v", err)
	}
	if err := b.DropTable(ctx, store); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Metadata(ctx, store); err == nil || errors.Is(err, ErrNoTable) {
		t.Errorf("half dropped: %v", err)
	}
}
