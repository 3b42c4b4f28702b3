package functions

import (
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// vector is a column of arguments in DuckDB's memory; it holds while its chunk is computed.
type vector struct {
	typ   *typ
	data  unsafe.Pointer
	valid unsafe.Pointer // bit mask in 64-bit words, nil where all rows are valid
	parts []vector       // an array's elements; a map's keys and values
}

func (v *vector) bind(t *typ, d duckdb.Vector) {
	v.typ, v.data, v.valid = t, duckdb.VectorGetData(d), duckdb.VectorGetValidity(d)
	v.parts = make([]vector, len(t.elems))
	switch t.kind {
	case array:
		v.parts[0].bind(t.elems[0], duckdb.ListVectorGetChild(d))
	case mapping:
		entries := duckdb.ListVectorGetChild(d)
		for i := range v.parts {
			v.parts[i].bind(t.elems[i], duckdb.StructVectorGetChild(entries, duckdb.IdxT(i)))
		}
	}
}

// Row is one row of arguments.
type Row struct {
	cols []vector
	row  int
}

// At is the i-th argument, from 0.
func (a Row) At(i int) Value { return Value{&a.cols[i], a.row} }

func (a Row) anyNull() bool {
	for i := range a.cols {
		if a.At(i).Null() {
			return true
		}
	}
	return false
}

// Value is an argument's value, or a part of one.
type Value struct {
	v   *vector
	row int
}

// Null tells whether the value is NULL; nothing else may be asked of it then.
func (x Value) Null() bool {
	return x.v.valid != nil && *(*uint64)(unsafe.Add(x.v.valid, x.row/64*8))>>(x.row%64)&1 == 0
}

func at[T any](x Value) T {
	var zero T
	return *(*T)(unsafe.Add(x.v.data, uintptr(x.row)*unsafe.Sizeof(zero)))
}

// Bool is a boolean.
func (x Value) Bool() bool { return at[bool](x) }

// Int is a tinyint, smallint, integer or bigint, the days of a date or the microseconds of a timestamp.
func (x Value) Int() int64 {
	switch x.v.typ.kind {
	case tinyint:
		return int64(at[int8](x))
	case smallint:
		return int64(at[int16](x))
	case integer, date:
		return int64(at[int32](x))
	}
	return at[int64](x)
}

// Double is a double or a real.
func (x Value) Double() float64 {
	if x.v.typ.kind == real {
		return float64(at[float32](x))
	}
	return at[float64](x)
}

// stringT is duckdb_string_t: up to 12 bytes lie in it, longer strings behind a pointer.
type stringT struct {
	length uint32
	prefix [4]byte
	ptr    unsafe.Pointer
}

// Bytes is a varchar's or a varbinary's, without copying: they may be neither changed nor kept.
func (x Value) Bytes() []byte {
	s := (*stringT)(unsafe.Add(x.v.data, uintptr(x.row)*unsafe.Sizeof(stringT{})))
	if s.length <= 12 {
		return unsafe.Slice(&s.prefix[0], s.length)
	}
	return unsafe.Slice((*byte)(s.ptr), s.length)
}

// Text is Bytes as a string, which may not be kept either.
func (x Value) Text() string {
	b := x.Bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

type listEntry struct{ offset, length uint64 }

// Len is how many elements an array or a map has.
func (x Value) Len() int { return int(at[listEntry](x).length) }

// Elem is an array's i-th element, from 0.
func (x Value) Elem(i int) Value { return Value{&x.v.parts[0], int(at[listEntry](x).offset) + i} }

// Entry is a map's i-th key and its value, from 0.
func (x Value) Entry(i int) (key, value Value) {
	n := int(at[listEntry](x).offset) + i
	return Value{&x.v.parts[0], n}, Value{&x.v.parts[1], n}
}
