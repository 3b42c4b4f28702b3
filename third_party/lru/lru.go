// Package lru is a bounded cache that forgets what was used longest ago. It stands in for github.com/hashicorp/golang-lru/v2, which iceberg-go imports and whose
// licence (MPL-2.0) Loch keeps out of its binary: the same names for what iceberg-go calls, and nothing else. It was written from that use, not from that module's code.
package lru

import (
	"container/list"
	"errors"
	"sync"
)

// Cache holds the entries used last. It may be used from many goroutines; the evict function is called without the cache's lock.
type Cache[K comparable, V any] struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *entry[K, V]; front: used last
	items map[K]*list.Element
	evict func(K, V)
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New makes a cache of size entries, at least 1.
func New[K comparable, V any](size int) (*Cache[K, V], error) { return NewWithEvict[K, V](size, nil) }

// NewWithEvict makes a cache that tells evict what it forgets.
func NewWithEvict[K comparable, V any](size int, evict func(K, V)) (*Cache[K, V], error) {
	if size < 1 {
		return nil, errors.New("lru: the size must be at least 1")
	}
	return &Cache[K, V]{size: size, order: list.New(), items: map[K]*list.Element{}, evict: evict}, nil
}

// Get gives a value, which is then the one used last.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// Add enters a value, and tells whether another had to go for it.
func (c *Cache[K, V]) Add(key K, value V) (evicted bool) {
	c.mu.Lock()
	if e, ok := c.items[key]; ok {
		e.Value.(*entry[K, V]).value = value
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return false
	}
	c.items[key] = c.order.PushFront(&entry[K, V]{key, value})
	gone := c.shrink(c.size)
	c.mu.Unlock()
	c.tell(gone)
	return len(gone) > 0
}

// RemoveOldest forgets the entry used longest ago; false where there is none.
func (c *Cache[K, V]) RemoveOldest() (key K, value V, ok bool) {
	c.mu.Lock()
	gone := c.shrink(max(len(c.items)-1, 0))
	c.mu.Unlock()
	if len(gone) == 0 {
		return key, value, false
	}
	c.tell(gone)
	return gone[0].key, gone[0].value, true
}

// Resize changes how many entries there may be, and tells how many had to go.
func (c *Cache[K, V]) Resize(size int) (evicted int) {
	c.mu.Lock()
	c.size = max(size, 1)
	gone := c.shrink(c.size)
	c.mu.Unlock()
	c.tell(gone)
	return len(gone)
}

// Len is how many entries there are.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.items)
}

// shrink takes entries out until at most n are left. The caller holds mu.
func (c *Cache[K, V]) shrink(n int) (gone []*entry[K, V]) {
	for len(c.items) > n {
		e := c.order.Back()
		c.order.Remove(e)
		it := e.Value.(*entry[K, V])
		delete(c.items, it.key)
		gone = append(gone, it)
	}
	return gone
}

func (c *Cache[K, V]) tell(gone []*entry[K, V]) {
	if c.evict == nil {
		return
	}
	for _, e := range gone {
		c.evict(e.key, e.value)
	}
}
