package duckdbtest

import "testing"

// answer is a statement and what Trino answers: rows separated by "; ", columns by " | ", or how it fails. Where the answer begins with "refused",
// Loch refuses rather than answer otherwise than Trino.
type answer struct{ sql, want string }

func TestAnswers(t *testing.T) {
	c := open(t)
	for _, list := range [][]answer{queries, expressions, functions} {
		for _, a := range list {
			if got := run(t, c, a.sql); got != a.want {
				t.Errorf("%s\n\tgot  %s\n\twant %s", a.sql, got, a.want)
			}
		}
	}
}
