package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/lochlake/loch/ipaddr"
	"github.com/lochlake/loch/javatext"
)

// column renders one column of an answer, or a part of one, from DuckDB's vectors.
type column struct {
	trino    *trinoType
	duck     duckdb.Type
	physical duckdb.Type // of a decimal or an enum
	empty    bool        // every value must be NULL
	scale    int         // of a decimal
	words    []string    // of an enum
	parts    []*column   // of a list, a map (key, value) or a struct
	zone     *zone       // of a timestamp with time zone; nil is UTC
	data     unsafe.Pointer
	valid    unsafe.Pointer // bit mask in 64-bit words, nil where all rows are valid
}

// errTypes says that the engine's type is not the one that the checker promised. The answer is refused rather than guessed at.
var errTypes = errors.New("the engine's type is another than the statement's")

// newColumn makes the renderer for DuckDB's type l as Trino's type t, or fails with errTypes where no value of l is one of t.
func newColumn(t *trinoType, l duckdb.LogicalType) (*column, error) {
	c := &column{trino: t, duck: duckdb.GetTypeId(l)}
	mismatch := func() error {
		if c.duck == duckdb.TypeInteger {
			// DuckDB gives this type to what it has found to be NULL throughout, whatever it was cast to.
			c.empty = true
			return nil
		}
		return fmt.Errorf("%w: type %d of DuckDB for %s", errTypes, c.duck, t.name)
	}
	if c.duck == duckdb.TypeSQLNull || t.name == "unknown" {
		c.duck = duckdb.TypeSQLNull
		return c, nil
	}
	want := ""
	switch c.duck {
	case duckdb.TypeBoolean:
		want = "boolean"
	case duckdb.TypeTinyInt, duckdb.TypeSmallInt, duckdb.TypeInteger, duckdb.TypeBigInt, duckdb.TypeHugeInt,
		duckdb.TypeUTinyInt, duckdb.TypeUSmallInt, duckdb.TypeUInteger, duckdb.TypeUBigInt, duckdb.TypeUHugeInt:
		switch t.name {
		case "tinyint", "smallint", "integer", "int", "bigint":
			return c, nil
		case "decimal":
			if t.param(1, 0) == 0 {
				return c, nil
			}
		}
		return c, mismatch()
	case duckdb.TypeFloat:
		if t.name == "double" {
			return c, nil
		}
		want = "real"
	case duckdb.TypeDouble:
		want = "double"
	case duckdb.TypeDecimal:
		c.physical, c.scale = duckdb.DecimalInternalType(l), int(duckdb.DecimalScale(l))
		if t.param(1, 0) != c.scale {
			return nil, fmt.Errorf("%w: scale %d, not %d", errTypes, c.scale, t.param(1, 0))
		}
		want = "decimal"
	case duckdb.TypeVarchar:
		switch t.name {
		case "varchar", "char", "json", "uuid":
			return c, nil
		}
		return c, mismatch()
	case duckdb.TypeEnum:
		c.physical = duckdb.EnumInternalType(l)
		for i := range duckdb.EnumDictionarySize(l) {
			c.words = append(c.words, duckdb.EnumDictionaryValue(l, duckdb.IdxT(i)))
		}
		want = "varchar"
	case duckdb.TypeUUID:
		if t.name == "varchar" {
			return c, nil
		}
		want = "uuid"
	case duckdb.TypeBlob:
		if t.name == "ipaddress" {
			return c, nil
		}
		want = "varbinary"
	case duckdb.TypeDate:
		want = "date"
	case duckdb.TypeTime, duckdb.TypeTimeNS:
		want = "time"
	case duckdb.TypeTimestamp, duckdb.TypeTimestampS, duckdb.TypeTimestampMS, duckdb.TypeTimestampNS:
		want = "timestamp"
	case duckdb.TypeTimestampTZ:
		want = "timestamp with time zone"
	case duckdb.TypeInterval:
		if t.name == "interval year to month" {
			return c, nil
		}
		want = "interval day to second"
	case duckdb.TypeList:
		if t.name != "array" {
			return c, mismatch()
		}
		return c, c.nest(t.elems[0], duckdb.ListTypeChildType(l))
	case duckdb.TypeMap:
		if t.name != "map" {
			return c, mismatch()
		}
		if err := c.nest(t.elems[0], duckdb.MapTypeKeyType(l)); err != nil {
			return nil, err
		}
		return c, c.nest(t.elems[1], duckdb.MapTypeValueType(l))
	case duckdb.TypeStruct:
		n := int(duckdb.StructTypeChildCount(l))
		if t.name != "row" || n != len(t.elems) {
			return c, mismatch()
		}
		for i := range n {
			if err := c.nest(t.elems[i], duckdb.StructTypeChildType(l, duckdb.IdxT(i))); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
	if want == "" || t.name != want {
		return c, mismatch()
	}
	return c, nil
}

// nest adds a part and frees its type.
func (c *column) nest(t *trinoType, l duckdb.LogicalType) error {
	defer duckdb.DestroyLogicalType(&l)
	p, err := newColumn(t, l)
	if err == nil {
		c.parts = append(c.parts, p)
	}
	return err
}

// bind points the renderer at a chunk's vector; it holds until the chunk is destroyed.
func (c *column) bind(v duckdb.Vector) {
	c.data, c.valid = duckdb.VectorGetData(v), duckdb.VectorGetValidity(v)
	switch c.duck {
	case duckdb.TypeStruct:
		for i, p := range c.parts {
			p.bind(duckdb.StructVectorGetChild(v, duckdb.IdxT(i)))
		}
	case duckdb.TypeList:
		c.parts[0].bind(duckdb.ListVectorGetChild(v))
	case duckdb.TypeMap:
		entries := duckdb.ListVectorGetChild(v)
		c.parts[0].bind(duckdb.StructVectorGetChild(entries, 0))
		c.parts[1].bind(duckdb.StructVectorGetChild(entries, 1))
	}
}

// at reads the row-th element of a vector's data.
func at[T any](c *column, row int) T {
	var zero T
	return *(*T)(unsafe.Add(c.data, uintptr(row)*unsafe.Sizeof(zero)))
}

// null tells whether the row is NULL.
func (c *column) null(row int) bool {
	if c.duck == duckdb.TypeSQLNull {
		return true
	}
	if c.valid == nil {
		return false
	}
	return *(*uint64)(unsafe.Add(c.valid, row/64*8))>>(row%64)&1 == 0
}

// stringT is duckdb_string_t: up to 12 bytes lie in it, longer strings behind a pointer.
type stringT struct {
	length uint32
	prefix [4]byte
	ptr    unsafe.Pointer
}

// bytes gives the row's string or blob without copying; it holds until the chunk is destroyed.
func (c *column) bytes(row int) []byte {
	s := (*stringT)(unsafe.Add(c.data, uintptr(row)*unsafe.Sizeof(stringT{})))
	if s.length <= 12 {
		return unsafe.Slice(&s.prefix[0], s.length)
	}
	return unsafe.Slice((*byte)(s.ptr), s.length)
}

// cell appends the row's value as a frame carries it: a uvarint (0: NULL, else length + 1) and its text. scratch is reused.
func (c *column) cell(dst []byte, row int, scratch *[]byte) ([]byte, error) {
	if c.empty && !c.null(row) {
		return dst, fmt.Errorf("%w: a value where only NULL can be", errTypes)
	}
	if c.null(row) {
		if c.duck == duckdb.TypeSQLNull && c.valid != nil && *(*uint64)(unsafe.Add(c.valid, row/64*8))>>(row%64)&1 == 1 {
			return dst, fmt.Errorf("%w: a value where only NULL can be", errTypes)
		}
		return append(dst, 0), nil
	}
	if c.duck == duckdb.TypeVarchar {
		b := c.bytes(row)
		dst = binary.AppendUvarint(dst, uint64(len(b))+1)
		return append(dst, b...), nil
	}
	text, err := c.text((*scratch)[:0], row)
	*scratch = text
	if err != nil {
		return dst, err
	}
	dst = binary.AppendUvarint(dst, uint64(len(text))+1)
	return append(dst, text...), nil
}

type hugeint struct {
	lo uint64
	hi int64
}

type interval struct {
	months, days int32
	micros       int64
}

type listEntry struct{ offset, length uint64 }

// infinite are the values with which DuckDB marks timestamps and dates beyond time, which Trino does not have.
const (
	infiniteTime = math.MaxInt64
	infiniteDate = math.MaxInt32
)

// text appends the text form of a row that is not NULL.
func (c *column) text(dst []byte, row int) ([]byte, error) {
	switch c.duck {
	case duckdb.TypeVarchar:
		return append(dst, c.bytes(row)...), nil
	case duckdb.TypeBoolean:
		return strconv.AppendBool(dst, at[bool](c, row)), nil
	case duckdb.TypeTinyInt, duckdb.TypeSmallInt, duckdb.TypeInteger, duckdb.TypeBigInt, duckdb.TypeHugeInt,
		duckdb.TypeUTinyInt, duckdb.TypeUSmallInt, duckdb.TypeUInteger, duckdb.TypeUBigInt, duckdb.TypeUHugeInt:
		return c.integer(dst, row)
	case duckdb.TypeFloat:
		f := at[float32](c, row)
		return javatext.AppendDouble(dst, float64(f), 32), nil
	case duckdb.TypeDouble:
		return javatext.AppendDouble(dst, at[float64](c, row), 64), nil
	case duckdb.TypeDecimal:
		switch c.physical {
		case duckdb.TypeSmallInt:
			return appendDecimal(dst, int64(at[int16](c, row)), c.scale), nil
		case duckdb.TypeInteger:
			return appendDecimal(dst, int64(at[int32](c, row)), c.scale), nil
		case duckdb.TypeBigInt:
			return appendDecimal(dst, at[int64](c, row), c.scale), nil
		}
		h := at[hugeint](c, row)
		return appendBigDecimal(dst, h.hi, h.lo, c.scale), nil
	case duckdb.TypeEnum:
		i := 0
		switch c.physical {
		case duckdb.TypeUTinyInt:
			i = int(at[uint8](c, row))
		case duckdb.TypeUSmallInt:
			i = int(at[uint16](c, row))
		default:
			i = int(at[uint32](c, row))
		}
		return append(dst, c.words[i]...), nil
	case duckdb.TypeUUID:
		h := at[hugeint](c, row)
		return appendUUID(dst, h.hi, h.lo), nil
	case duckdb.TypeBlob:
		if c.trino.name == "ipaddress" {
			b, ok := ipaddr.FromBytes(c.bytes(row))
			if !ok {
				return dst, errRange
			}
			return ipaddr.Append(dst, b), nil
		}
		return appendBinary(dst, c.bytes(row)), nil
	case duckdb.TypeInterval:
		v := at[interval](c, row)
		if c.trino.name == "interval year to month" {
			if v.days != 0 || v.micros != 0 {
				return dst, errRange
			}
			return appendYearMonth(dst, int64(v.months)), nil
		}
		if v.months != 0 {
			return dst, errRange
		}
		return appendDayTime(dst, int64(v.days)*24*3600*1_000_000+v.micros), nil
	case duckdb.TypeList:
		e := at[listEntry](c, row)
		dst = append(dst, '[')
		for i := range int(e.length) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			var err error
			if dst, err = c.parts[0].part(dst, int(e.offset)+i); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case duckdb.TypeMap:
		e := at[listEntry](c, row)
		dst = append(dst, '{')
		for i := range int(e.length) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			var err error
			if dst, err = c.parts[0].part(dst, int(e.offset)+i); err != nil {
				return dst, err
			}
			dst = append(dst, '=')
			if dst, err = c.parts[1].part(dst, int(e.offset)+i); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	case duckdb.TypeStruct:
		dst = append(dst, '{')
		for i, p := range c.parts {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			if name := c.trino.fields[i]; name != "" {
				dst = append(dst, name...)
			} else {
				dst = strconv.AppendInt(append(dst, "field"...), int64(i), 10)
			}
			dst = append(dst, '=')
			var err error
			if dst, err = p.part(dst, row); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return c.moment(dst, row)
}

// part appends a value inside another, where NULL is "null".
func (c *column) part(dst []byte, row int) ([]byte, error) {
	if c.empty && !c.null(row) {
		return dst, fmt.Errorf("%w: a value where only NULL can be", errTypes)
	}
	if c.null(row) {
		return append(dst, "null"...), nil
	}
	return c.text(dst, row)
}

// integer appends an integer, which must lie in the range of Trino's type.
func (c *column) integer(dst []byte, row int) ([]byte, error) {
	var n int64
	switch c.duck {
	case duckdb.TypeTinyInt:
		n = int64(at[int8](c, row))
	case duckdb.TypeUTinyInt:
		n = int64(at[uint8](c, row))
	case duckdb.TypeSmallInt:
		n = int64(at[int16](c, row))
	case duckdb.TypeUSmallInt:
		n = int64(at[uint16](c, row))
	case duckdb.TypeInteger:
		n = int64(at[int32](c, row))
	case duckdb.TypeUInteger:
		n = int64(at[uint32](c, row))
	case duckdb.TypeBigInt:
		n = at[int64](c, row)
	case duckdb.TypeUBigInt:
		u := at[uint64](c, row)
		if u > math.MaxInt64 {
			return dst, errRange
		}
		n = int64(u)
	default:
		h := at[hugeint](c, row)
		if c.trino.name == "decimal" && c.duck == duckdb.TypeHugeInt {
			return bigInt(h.hi, h.lo).Append(dst, 10), nil
		}
		n = int64(h.lo)
		if h.hi != n>>63 {
			return dst, errRange
		}
	}
	bits := map[string]int{"tinyint": 8, "smallint": 16, "integer": 32, "int": 32}[c.trino.name]
	if bits != 0 && n>>(bits-1) != 0 && n>>(bits-1) != -1 {
		return dst, errRange
	}
	return strconv.AppendInt(dst, n, 10), nil
}

// moment appends dates and times.
func (c *column) moment(dst []byte, row int) ([]byte, error) {
	switch c.duck {
	case duckdb.TypeDate:
		d := at[int32](c, row)
		if d >= infiniteDate || d <= -infiniteDate {
			return dst, errRange
		}
		return appendDate(dst, int64(d)), nil
	case duckdb.TypeTime, duckdb.TypeTimeNS:
		n := at[int64](c, row)
		if c.duck == duckdb.TypeTime {
			n *= 1000
		}
		p := c.trino.param(0, 3)
		return appendClock(dst, roundNanos(n, p)%nanosPerDay, p), nil
	}
	n := at[int64](c, row)
	if n == infiniteTime || n <= -infiniteTime {
		return dst, errRange
	}
	name := "UTC"
	if c.duck == duckdb.TypeTimestampTZ && c.zone != nil {
		name, n = c.zone.name, n+c.zone.offset(n)
	}
	perSecond := int64(1_000_000)
	switch c.duck {
	case duckdb.TypeTimestampS:
		perSecond = 1
	case duckdb.TypeTimestampMS:
		perSecond = 1000
	case duckdb.TypeTimestampNS:
		perSecond = nanosPerSecond
	}
	perDay := perSecond * 24 * 3600
	days, rest := n/perDay, n%perDay
	if rest < 0 {
		days, rest = days-1, rest+perDay
	}
	dst = appendTimestamp(dst, days, rest*(nanosPerSecond/perSecond), c.trino.param(0, 3))
	if c.duck == duckdb.TypeTimestampTZ {
		dst = append(append(dst, ' '), name...)
	}
	return dst, nil
}
