package lake

import (
	"container/list"
	"sync"
)

// lru keeps values by key up to a total size in bytes; the least recently used leaves first.
type lru[V any] struct {
	mu    sync.Mutex
	limit int64
	held  int64
	order *list.List // of *lruItem[V], the most recently used in front
	items map[string]*list.Element
}

type lruItem[V any] struct {
	key   string
	value V
	size  int64
}

func newLRU[V any](limit int64) *lru[V] {
	return &lru[V]{limit: limit, order: list.New(), items: make(map[string]*list.Element)}
}

func (c *lru[V]) get(key string) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[V]).value, true
}

// put keeps a value, unless it would take more than a quarter of the room.
func (c *lru[V]) put(key string, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	if size > c.limit/4 {
		return
	}
	c.items[key] = c.order.PushFront(&lruItem[V]{key, v, size})
	for c.held += size; c.held > c.limit; {
		c.drop(c.order.Back().Value.(*lruItem[V]).key)
	}
}

func (c *lru[V]) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
}

// drop is called with mu held.
func (c *lru[V]) drop(key string) {
	if e, ok := c.items[key]; ok {
		c.held -= e.Value.(*lruItem[V]).size
		c.order.Remove(e)
		delete(c.items, key)
	}
}
