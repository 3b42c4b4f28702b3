package lru

import (
	"fmt"
	"sync"
	"testing"
)

func TestForgetsWhatWasUsedLongestAgo(t *testing.T) {
	var gone []string
	c, err := NewWithEvict(2, func(k string, v int) { gone = append(gone, fmt.Sprint(k, v)) })
	if err != nil {
		t.Fatal(err)
	}
	c.Add("a", 1)
	c.Add("b", 2)
	c.Get("a")
	if !c.Add("c", 3) || c.Add("c", 4) || fmt.Sprint(gone) != "[b2]" {
		t.Errorf("evicted %v", gone)
	}
	if v, ok := c.Get("c"); !ok || v != 4 {
		t.Errorf("c is %d, %v", v, ok)
	}
	if _, ok := c.Get("b"); ok {
		t.Error("b is still there")
	}
	if k, v, ok := c.RemoveOldest(); !ok || k != "a" || v != 1 || c.Len() != 1 {
		t.Errorf("the oldest was %s %d %v", k, v, ok)
	}
	c.Add("d", 5)
	if n := c.Resize(1); n != 1 || c.Len() != 1 {
		t.Errorf("resized away %d, %d left", n, c.Len())
	}
	c.RemoveOldest()
	if _, _, ok := c.RemoveOldest(); ok {
		t.Error("an empty cache had an oldest entry")
	}
	if _, err := New[int, int](0); err == nil {
		t.Error("a cache of no entries")
	}
}

func TestManyGoroutines(t *testing.T) {
	c, err := New[int, int](8)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				c.Add(i%16+g, i)
				c.Get(i % 16)
			}
		})
	}
	wg.Wait()
	if c.Len() > 8 {
		t.Errorf("%d entries", c.Len())
	}
}
