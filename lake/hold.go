package lake

import (
	"context"
	"errors"
	"sync"

	"github.com/lochlake/loch/objstore"
)

// hold keeps every object of the lake where it is while somebody copies the lake. What would be removed meanwhile is removed at its end; a crash
// before makes orphans of it.
type hold struct {
	mu      sync.Mutex
	holders int
	keys    []string // to be removed
}

// deferred tells whether somebody holds the objects; then the key is remembered.
func (h *hold) deferred(key string) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holders == 0 {
		return false
	}
	h.keys = append(h.keys, key)
	return true
}

func (h *hold) held() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holders > 0
}

// Hold keeps every object that a table names, now or until release is called, from being removed: dropping a table answers ErrBusy, other removals wait. Commits, compaction
// and queries go on. release is to be called once; it removes what has waited.
func (l *Lake) Hold() (release func(context.Context) error) {
	l.held.mu.Lock()
	defer l.held.mu.Unlock()
	l.held.holders++
	return func(ctx context.Context) error { return l.held.end(ctx, l.objects) }
}

func (h *hold) end(ctx context.Context, objects objstore.Store) error {
	h.mu.Lock()
	var keys []string
	if h.holders--; h.holders == 0 {
		keys, h.keys = h.keys, nil
	}
	h.mu.Unlock()
	var errs []error
	for _, key := range keys {
		if err := objects.Delete(ctx, key); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
