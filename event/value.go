package event

import "iter"

// Value gives the scalar at a node that lies below no list and no map: val of a string, num of anything else. It is not ok where the event has none.
func (r *Record) Value(n Node) (val []byte, num int64, ok bool) {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Node == n {
			return r.Val(f), f.Num, true
		}
	}
	return nil, 0, false
}

// Values gives every field of a node: one of each element that has it (resources.element.type), or a map's entries (requestparameters.value).
func (r *Record) Values(n Node) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for i := range r.Fields {
			if r.Fields[i].Node == n && !yield(&r.Fields[i]) {
				return
			}
		}
	}
}
