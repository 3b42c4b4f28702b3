package functions

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// aggregates are what DuckDB has no aggregate for, over the list of a group's values.
func aggregates(d definer) {
	d.define("loch_skewness(array(double)) double", func(a Row, r *Result) {
		n, m2, m3, _ := moments(a.At(0))
		if n < 3 {
			r.Null()
			return
		}
		r.Double(math.Sqrt(n) * m3 / math.Pow(m2, 1.5))
	})
	d.define("loch_kurtosis(array(double)) double", func(a Row, r *Result) {
		n, m2, _, m4 := moments(a.At(0))
		if n < 4 {
			r.Null()
			return
		}
		r.Double((n-1)*n*(n+1)/((n-2)*(n-3))*m4/(m2*m2) - 3*((n-1)*(n-1))/((n-2)*(n-3)))
	})
	d.failing("loch_numeric_histogram(bigint, array(double), array(double)) map(double, double)", numericHistogram)
	checksum := func(signature string, hash func(Value) uint64) {
		d.define(signature, func(a Row, r *Result) {
			list, sum := a.At(0), uint64(0)
			for i := range list.Len() {
				h := uint64(1)
				if x := list.Elem(i); !x.Null() {
					h = hash(x)
				}
				sum += h * 0x9E3779B185EBCA87
			}
			r.Bytes(binary.LittleEndian.AppendUint64(nil, sum))
		})
	}
	number := func(n uint64) uint64 { return xxhash.Sum64(binary.LittleEndian.AppendUint64(nil, n)) }
	checksum("loch_checksum_text(array(varchar)) varbinary", func(x Value) uint64 { return xxhash.Sum64(x.Bytes()) })
	checksum("loch_checksum_bytes(array(varbinary)) varbinary", func(x Value) uint64 { return xxhash.Sum64(x.Bytes()) })
	checksum("loch_checksum_number(array(bigint)) varbinary", func(x Value) uint64 { return number(uint64(x.Int())) })
	checksum("loch_checksum_double(array(double)) varbinary", func(x Value) uint64 {
		f := x.Double()
		switch {
		case f == 0:
			f = 0 // not -0
		case f != f:
			return number(0x7ff8000000000000)
		}
		return number(math.Float64bits(f))
	})
}

// moments are how many values there are and their central moments, brought up to date with each value as Trino does it.
func moments(list Value) (n, m2, m3, m4 float64) {
	m1 := 0.0
	for i := range list.Len() {
		x := list.Elem(i)
		if x.Null() {
			continue
		}
		before := n
		n++
		delta := x.Double() - m1
		share := delta / n
		square := share * share
		step := delta * share * before
		m1 += share
		m4 += step*square*(n*n-3*n+3) + 6*square*m2 - 4*share*m3
		m3 += step*share*(n-2) - 3*share*m2
		m2 += step
	}
	return n, m2, m3, m4
}

// bucket is one of a histogram's: where its values lie on average, and their weight.
type bucket struct {
	value, weight float64
	id            int
	cost          float64 // of merging it with the next one
	left, right   *bucket
	gone          bool
}

type buckets []*bucket

func (b buckets) Len() int { return len(b) }
func (b buckets) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(b[i].cost, b[j].cost), cmp.Compare(b[i].id, b[j].id)) < 0
}
func (b buckets) Swap(i, j int) { b[i], b[j] = b[j], b[i] }
func (b *buckets) Push(x any)   { *b = append(*b, x.(*bucket)) }
func (b *buckets) Pop() any {
	old := *b
	x := old[len(old)-1]
	*b = old[:len(old)-1]
	return x
}

// waiting is how many values a histogram takes before it merges buckets.
const waiting = 100

// numericHistogram is Trino's approximate histogram, after Ben-Haim and Yom-Tov, "A streaming parallel decision tree algorithm": values are buckets of their own, and
// where there are too many, those two neighbours merge whose merging moves the values least.
func numericHistogram(a Row, r *Result) error {
	most := a.At(0).Int()
	if most < 2 {
		return errors.New("numeric_histogram bucket count must be greater than one")
	}
	if most > 1_000_000 {
		return errors.New("numeric_histogram bucket count must be at most 1000000")
	}
	values, weights := a.At(1), a.At(2)
	var list []bucket
	for i := range values.Len() {
		if len(list) == int(most)+waiting {
			list = compact(list, int(most))
		}
		list = append(list, bucket{value: values.Elem(i).Double(), weight: weights.Elem(i).Double()})
	}
	list = compact(list, int(most))
	if len(list) == 0 {
		r.Null()
		return nil
	}
	r.Begin()
	for _, b := range list {
		k, v := r.Entry()
		k.Double(b.value)
		v.Double(b.weight)
	}
	r.End()
	return nil
}

// compact sorts buckets and merges the equal ones, and then more until there are no more than most.
func compact(list []bucket, most int) []bucket {
	slices.SortStableFunc(list, func(a, b bucket) int { return cmp.Compare(a.value, b.value) })
	n := 0
	for i := range list {
		if n > 0 && list[n-1].value == list[i].value {
			list[n-1].weight += list[i].weight
			continue
		}
		list[n] = bucket{value: list[i].value, weight: list[i].weight}
		n++
	}
	if list = list[:n]; n <= most {
		return list
	}
	price := func(b *bucket) float64 {
		if b.right == nil {
			return math.Inf(1)
		}
		w := b.weight + b.right.weight
		apart := b.value - b.right.value
		return w * (apart * apart) * (b.weight * b.right.weight / (w * w))
	}
	queue := make(buckets, n)
	for i := range list {
		b := &list[i]
		b.id, queue[i] = i, b
		if i > 0 {
			b.left = &list[i-1]
		}
		if i+1 < n {
			b.right = &list[i+1]
		}
	}
	for _, b := range queue {
		b.cost = price(b)
	}
	heap.Init(&queue)
	next := n
	for n > most {
		b := heap.Pop(&queue).(*bucket)
		if b.gone || b.right == nil {
			continue
		}
		right := b.right
		b.gone, right.gone = true, true
		w := b.weight + right.weight
		merged := &bucket{value: (b.value*b.weight + right.value*right.weight) / w, weight: w, id: next, left: b.left, right: right.right}
		next++
		n--
		if merged.right != nil {
			merged.right.left = merged
		}
		merged.cost = price(merged)
		heap.Push(&queue, merged)
		if left := b.left; left != nil {
			// its cost is another now: a bucket that is equal takes its place in the queue
			left.gone = true
			again := &bucket{value: left.value, weight: left.weight, id: left.id, left: left.left, right: merged}
			merged.left = again
			if again.left != nil {
				again.left.right = again
			}
			again.cost = price(again)
			heap.Push(&queue, again)
		}
	}
	out := make([]bucket, 0, most)
	for _, b := range queue {
		if !b.gone {
			out = append(out, bucket{value: b.value, weight: b.weight})
		}
	}
	slices.SortStableFunc(out, func(a, b bucket) int { return cmp.Compare(a.value, b.value) })
	return out
}
