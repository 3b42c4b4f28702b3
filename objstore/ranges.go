package objstore

import (
	"cmp"
	"slices"
)

// ranges are runs of bytes in order, none empty, none touching the next.
type ranges []Range

// normal sorts and joins.
func normal(in []Range) ranges {
	sorted := slices.DeleteFunc(slices.Clone(in), func(r Range) bool { return r.Len <= 0 })
	slices.SortFunc(sorted, func(a, b Range) int { return cmp.Compare(a.Off, b.Off) })
	out := sorted[:0]
	for _, r := range sorted {
		if n := len(out); n > 0 && r.Off <= out[n-1].Off+out[n-1].Len {
			out[n-1].Len = max(out[n-1].Len, r.Off+r.Len-out[n-1].Off)
			continue
		}
		out = append(out, r)
	}
	return out
}

// with adds a run.
func (a ranges) with(r Range) ranges { return normal(append(slices.Clone(a), r)) }

// without gives what of a is not in b.
func (a ranges) without(b ranges) ranges {
	var out ranges
	for _, r := range a {
		off, end := r.Off, r.Off+r.Len
		for _, x := range b {
			if x.Off+x.Len <= off {
				continue
			}
			if x.Off >= end {
				break
			}
			if x.Off > off {
				out = append(out, Range{off, x.Off - off})
			}
			off = x.Off + x.Len
		}
		if off < end {
			out = append(out, Range{off, end - off})
		}
	}
	return out
}

func (a ranges) overlap(x Range) bool {
	return slices.ContainsFunc(a, func(r Range) bool { return r.Off < x.Off+x.Len && x.Off < r.Off+r.Len })
}

func (a ranges) bytes() (n int64) {
	for _, r := range a {
		n += r.Len
	}
	return n
}

// blocks is how many bytes the runs take on disk. They begin on block borders, as Cache fetches them.
func (a ranges) blocks() (n int64) {
	for _, r := range a {
		n += (r.Len + cacheBlock - 1) / cacheBlock * cacheBlock
	}
	return n
}
