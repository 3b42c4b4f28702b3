package functions

import (
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Result takes one row's result, or a part of one. Exactly one of its methods is called for it.
type Result struct {
	// Scratch is for the function to build its result in; it is kept from row to row.
	Scratch []byte

	typ   *typ
	out   duckdb.Vector
	data  unsafe.Pointer
	valid unsafe.Pointer // nil as long as no row is NULL
	row   int
	parts []*Result // an array's elements; a map's keys and values; a structure's members
	size  int       // of an array or a map: elements so far, of all rows
	room  int       // how many there is room for
	begun int       // where this row's begin
}

func newResult(t *typ, v duckdb.Vector) *Result {
	r := &Result{typ: t, out: v}
	switch t.kind {
	case array:
		r.parts = []*Result{newResult(t.elems[0], duckdb.ListVectorGetChild(v))}
	case mapping, structure:
		members := v
		if t.kind == mapping {
			members = duckdb.ListVectorGetChild(v)
		}
		for i, e := range t.elems {
			r.parts = append(r.parts, newResult(e, duckdb.StructVectorGetChild(members, duckdb.IdxT(i))))
		}
	}
	r.refresh()
	return r
}

// refresh reads anew where the vector's memory lies.
func (r *Result) refresh() {
	r.data, r.valid = duckdb.VectorGetData(r.out), duckdb.VectorGetValidity(r.out)
}

// Null makes the result NULL.
func (r *Result) Null() {
	if r.valid == nil {
		duckdb.VectorEnsureValidityWritable(r.out)
		r.valid = duckdb.VectorGetValidity(r.out)
	}
	*(*uint64)(unsafe.Add(r.valid, r.row/64*8)) &^= 1 << (r.row % 64)
}

// notNull takes Null back.
func (r *Result) notNull() { *(*uint64)(unsafe.Add(r.valid, r.row/64*8)) |= 1 << (r.row % 64) }

func (r *Result) allNull(rows int) {
	for r.row = range rows {
		r.Null()
	}
}

func put[T any](r *Result, x T) {
	*(*T)(unsafe.Add(r.data, uintptr(r.row)*unsafe.Sizeof(x))) = x
}

// Bool is a boolean.
func (r *Result) Bool(b bool) { put(r, b) }

// Int is a tinyint, smallint, integer or bigint, which n must fit in, the days of a date or the microseconds of a timestamp.
func (r *Result) Int(n int64) {
	switch r.typ.kind {
	case tinyint:
		put(r, int8(n))
	case smallint:
		put(r, int16(n))
	case integer, date:
		put(r, int32(n))
	default:
		put(r, n)
	}
}

// Double is a double or a real.
func (r *Result) Double(f float64) {
	if r.typ.kind == real {
		put(r, float32(f))
		return
	}
	put(r, f)
}

// Bytes is a varchar, which must be valid UTF-8, or a varbinary. The bytes are copied.
func (r *Result) Bytes(b []byte) {
	duckdb.UnsafeVectorAssignStringElementLen(r.out, duckdb.IdxT(r.row), b)
}

// Text is Bytes of a string.
func (r *Result) Text(s string) { r.Bytes(unsafe.Slice(unsafe.StringData(s), len(s))) }

// Begin starts an array or a map; End ends it.
func (r *Result) Begin() { r.begun = r.size }

// Elem is the array's next element.
func (r *Result) Elem() *Result {
	r.grow()
	return r.parts[0]
}

// Entry is the map's next key and its value. Keys must differ.
func (r *Result) Entry() (key, value *Result) {
	r.grow()
	return r.parts[0], r.parts[1]
}

// End ends an array or a map.
func (r *Result) End() {
	put(r, listEntry{uint64(r.begun), uint64(r.size - r.begun)})
	duckdb.ListVectorSetSize(r.out, duckdb.IdxT(r.size))
}

// grow makes room for one more element and turns the parts to it.
func (r *Result) grow() {
	if r.size == r.room {
		r.room = max(64, 2*r.room)
		duckdb.ListVectorReserve(r.out, duckdb.IdxT(r.room))
		for _, p := range r.parts {
			p.refresh()
		}
	}
	for _, p := range r.parts {
		p.row = r.size
	}
	r.size++
}
