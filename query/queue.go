package query

import "slices"

// caller is whom the queue is fair between.
type caller struct{ account, principal string }

// queue holds the queries that wait. The callers take turns, each with its oldest query.
type queue struct {
	turns   []caller // those with queries, the next one first
	waiting map[caller][]*job
	n       int
}

func newQueue() *queue { return &queue{waiting: map[caller][]*job{}} }

func (q *queue) push(j *job) {
	c := j.caller()
	if len(q.waiting[c]) == 0 {
		q.turns = append(q.turns, c)
	}
	q.waiting[c] = append(q.waiting[c], j)
	q.n++
}

// pop takes the next query, nil where none waits.
func (q *queue) pop() *job {
	if len(q.turns) == 0 {
		return nil
	}
	c := q.turns[0]
	q.turns = q.turns[1:]
	j := q.waiting[c][0]
	q.left(c, q.waiting[c][1:])
	if len(q.waiting[c]) > 0 {
		q.turns = append(q.turns, c)
	}
	return j
}

// remove takes a query out; false where it does not wait.
func (q *queue) remove(j *job) bool {
	c := j.caller()
	i := slices.Index(q.waiting[c], j)
	if i < 0 {
		return false
	}
	q.left(c, slices.Delete(q.waiting[c], i, i+1))
	if len(q.waiting[c]) == 0 {
		q.turns = slices.DeleteFunc(q.turns, func(t caller) bool { return t == c })
	}
	return true
}

func (q *queue) left(c caller, rest []*job) {
	q.n--
	if len(rest) == 0 {
		delete(q.waiting, c)
		return
	}
	q.waiting[c] = rest
}
