package functions

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// mathematics are the mathematical functions, but for the statistical ones.
func mathematics(d definer) {
	d.failing("loch_from_base(varchar, bigint) bigint", func(a Row, r *Result) error {
		radix := a.At(1).Int()
		if radix < 2 || radix > 36 {
			return errRadix
		}
		text := a.At(0).Text()
		// strconv takes an underscore nowhere when the base is given, as Java does; both take one sign.
		n, err := strconv.ParseInt(text, int(radix), 64)
		if err != nil {
			return errorf("Not a valid base-%d number: %s", radix, text)
		}
		r.Int(n)
		return nil
	})
	d.failing("loch_to_base(bigint, bigint) varchar", func(a Row, r *Result) error {
		radix := a.At(1).Int()
		if radix < 2 || radix > 36 {
			return errRadix
		}
		text := strconv.FormatInt(a.At(0).Int(), int(radix))
		if len(text) > 64 {
			return errorf("Character count exceeds length limit 64: %s", text)
		}
		r.Text(text)
		return nil
	})
	d.failing("loch_bit_count(bigint, bigint) bigint", func(a Row, r *Result) error {
		n, size := a.At(0).Int(), a.At(1).Int()
		if size < 2 || size > 64 {
			return errorf("Bits specified in bit_count must be between 2 and 64, got %d", size)
		}
		if top := n >> (size - 1); top != 0 && top != -1 {
			return errorf("Number must be representable with the bits specified. %d cannot be represented with %d bits", n, size)
		}
		r.Int(int64(bits.OnesCount64(uint64(n) << (64 - size))))
		return nil
	})
	for name, size := range map[string]int{"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64} {
		shifts(d, name, size)
		random(d, name)
	}
	d.failing("loch_width_bucket(double, array(double)) bigint", widthBucket)
	d.failing("loch_dot_product(array(double), array(double)) double", func(a Row, r *Result) error {
		return overPairs(a, r, func(x, y float64, sum *[3]float64) { sum[0] += x * y }, func(sum [3]float64) (float64, error) { return sum[0], nil })
	})
	d.failing("loch_euclidean_distance(array(double), array(double)) double", func(a Row, r *Result) error {
		return overPairs(a, r, func(x, y float64, sum *[3]float64) { sum[0] += (x - y) * (x - y) },
			func(sum [3]float64) (float64, error) { return math.Sqrt(sum[0]), nil })
	})
	for name, of := range map[string]func(float64) float64{"similarity": func(f float64) float64 { return f }, "distance": func(f float64) float64 { return 1 - f }} {
		d.failing("loch_cosine_"+name+"(array(double), array(double)) double", func(a Row, r *Result) error {
			for i := range 2 {
				for j := range a.At(i).Len() {
					if a.At(i).Elem(j).Null() {
						r.Null()
						return nil
					}
				}
			}
			add := func(x, y float64, sum *[3]float64) {
				sum[0] += x * y
				sum[1] += x * x
				sum[2] += y * y
			}
			end := func(sum [3]float64) (float64, error) {
				if sum[1] == 0 || sum[2] == 0 {
					return 0, errorf("Vector magnitude cannot be zero")
				}
				return of(sum[0] / (math.Sqrt(sum[1]) * math.Sqrt(sum[2]))), nil
			}
			return overPairs(a, r, add, end)
		})
	}
	d.define("loch_cosine_similarity_map(map(varchar, double), map(varchar, double)) double", cosineOfMaps)
}

var errRadix = errorf("Radix must be between 2 and 36")

// shifts are the bitwise shifts of an integer of so many bits. A shift counts by its lowest six bits, as Java's of a long, where it is below 64.
func shifts(d definer, name string, size int) {
	fit := func(n int64) int64 { return n << (64 - size) >> (64 - size) }
	shift := func(of string, f func(n int64, by uint) int64) {
		d.define("loch_bitwise_"+of+"_"+name+"("+name+", integer) "+name, func(a Row, r *Result) {
			n, by := a.At(0).Int(), a.At(1).Int()
			if by >= 64 {
				if of == "right_shift_arithmetic" && n < 0 {
					r.Int(-1)
				} else {
					r.Int(0)
				}
				return
			}
			r.Int(fit(f(n, uint(by)&63)))
		})
	}
	shift("left_shift", func(n int64, by uint) int64 { return n << by })
	shift("right_shift", func(n int64, by uint) int64 {
		if by == 0 {
			return n
		}
		return int64(uint64(n) << (64 - size) >> (64 - size) >> by)
	})
	shift("right_shift_arithmetic", func(n int64, by uint) int64 { return n >> by })
}

// random adds random(below) and random(from, below) of an integer type.
func random(d definer, name string) {
	d.failing("loch_random_below_"+name+"("+name+") "+name, func(a Row, r *Result) error {
		n := a.At(0).Int()
		if n <= 0 {
			return errorf("bound must be positive")
		}
		r.Int(rand.Int64N(n))
		return nil
	}).volatile = true
	d.failing("loch_random_between_"+name+"("+name+", "+name+") "+name, func(a Row, r *Result) error {
		from, below := a.At(0).Int(), a.At(1).Int()
		if from >= below {
			return errorf("start value must be less than stop value")
		}
		r.Int(int64(uint64(from) + rand.Uint64N(uint64(below)-uint64(from))))
		return nil
	}).volatile = true
}

// widthBucket looks for the value among the bins by halving, and sees only those bins that this takes it to.
func widthBucket(a Row, r *Result) error {
	x, bins := a.At(0).Double(), a.At(1)
	if bins.Len() == 0 {
		return errorf("Bins cannot be an empty array")
	}
	if math.IsNaN(x) {
		return errorf("Operand cannot be NaN")
	}
	bin := func(i int) float64 { return orZero(bins.Elem(i)) }
	low, high := 0, bins.Len()
	for low < high {
		if bin(low) > bin(high-1) {
			return errorf("Bin values are not sorted in ascending order")
		}
		middle := (low + high) / 2
		b := bin(middle)
		if math.IsInf(b, 0) || math.IsNaN(b) {
			return errorf("Bin value must be finite, got %s", javaDouble(b))
		}
		if x < b {
			high = middle
		} else {
			low = middle + 1
		}
	}
	r.Int(int64(low))
	return nil
}

// orZero is a double, 0 where it is NULL.
func orZero(x Value) float64 {
	if x.Null() {
		return 0
	}
	return x.Double()
}

func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case f > 0:
		return "Infinity"
	}
	return "-Infinity"
}

// overPairs adds up over two arrays of the same length. A NULL among the elements counts as 0.
func overPairs(a Row, r *Result, add func(x, y float64, sum *[3]float64), end func([3]float64) (float64, error)) error {
	left, right := a.At(0), a.At(1)
	if left.Len() != right.Len() {
		return errorf("The arguments must have the same length")
	}
	var sum [3]float64
	for i := range left.Len() {
		add(orZero(left.Elem(i)), orZero(right.Elem(i)), &sum)
	}
	f, err := end(sum)
	r.Double(f)
	return err
}

// cosineOfMaps takes the maps for sparse vectors.
func cosineOfMaps(a Row, r *Result) {
	left, right := a.At(0), a.At(1)
	var norms [2]float64
	values := map[string]float64{}
	for i, m := range []Value{left, right} {
		for j := range m.Len() {
			k, v := m.Entry(j)
			if v.Null() {
				r.Null()
				return
			}
			norms[i] += v.Double() * v.Double()
			if i == 1 {
				values[k.Text()] = v.Double()
			}
		}
	}
	dot := 0.0
	for j := range left.Len() {
		k, v := left.Entry(j)
		if y, ok := values[k.Text()]; ok {
			dot += v.Double() * y
		}
	}
	r.Double(dot / (math.Sqrt(norms[0]) * math.Sqrt(norms[1])))
}
