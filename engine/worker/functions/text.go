package functions

import (
	"errors"
	"unicode/utf8"
)

// text are the functions over strings. Characters are code points, as to Trino.
func text(d definer) {
	d.failing("loch_levenshtein_distance(varchar, varchar) bigint", levenshtein)
	d.failing("loch_hamming_distance(varchar, varchar) bigint", func(a Row, r *Result) error {
		left, right := a.At(0).Text(), a.At(1).Text()
		n := int64(0)
		for left != "" && right != "" {
			x, i := utf8.DecodeRuneInString(left)
			y, j := utf8.DecodeRuneInString(right)
			left, right = left[i:], right[j:]
			if x != y {
				n++
			}
		}
		if left != right {
			return errors.New("The input strings to hamming_distance function must have the same length")
		}
		r.Int(n)
		return nil
	})
}

// levenshtein counts the insertions, deletions and changes of one character that make one string of another.
func levenshtein(a Row, r *Result) error {
	left, right := []rune(a.At(0).Text()), []rune(a.At(1).Text())
	switch {
	case len(left) == 0 || len(right) == 0:
		r.Int(int64(len(left) + len(right)))
		return nil
	case (len(left)-1)*(len(right)-1) >= 1_000_000:
		return errors.New("The combined inputs for Levenshtein distance are too large")
	}
	// One row of the table of distances between beginnings of the two.
	row := make([]int, len(right))
	for j := range row {
		row[j] = j + 1
	}
	for i, x := range left {
		diagonal, before := i, i+1
		for j, y := range right {
			change := diagonal
			if x != y {
				change++
			}
			diagonal = row[j]
			before = min(change, diagonal+1, before+1)
			row[j] = before
		}
	}
	r.Int(int64(row[len(row)-1]))
	return nil
}
