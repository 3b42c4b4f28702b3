package dialect

import (
	"strconv"
	"strings"
)

// Kind is a type without its parameters.
type Kind uint8

// Trino's types. Unknown is the type of NULL.
const (
	Unknown Kind = iota
	Boolean
	Tinyint
	Smallint
	Integer
	Bigint
	Real
	Double
	Decimal
	Varchar
	Char
	Varbinary
	JSON
	Date
	Time
	TimeZoned
	Timestamp
	TimestampZoned
	IntervalYearMonth
	IntervalDaySecond
	Array
	Map
	Row
	UUID
	IPAddress
	Function
)

// Unbounded is the length of a varchar without one.
const Unbounded = 0

// emptyVarchar stands for the length of varchar(0), the type of ”.
const emptyVarchar = -1

// Type is a type of Trino.
type Type struct {
	Kind      Kind
	Length    int // varchar(n), char(n); Unbounded for varchar, below 0 for varchar(0)
	Precision int // decimal; fractional digits of time and timestamp
	Scale     int // decimal
	Elem      *Type
	Key       *Type // of a map, whose values are Elem
	Fields    []Field
	// Zone is where a TimestampZoned's value lies. The engine's value is the instant; the zone is known when the statement is checked, or the
	// statement is refused.
	Zone string
}

// Field is one member of a row. Name is empty where it has none.
type Field struct {
	Name string
	Type Type
}

// The types without parameters, and those that tables have.
var (
	TypeUnknown   = Type{Kind: Unknown}
	TypeBoolean   = Type{Kind: Boolean}
	TypeInteger   = Type{Kind: Integer}
	TypeBigint    = Type{Kind: Bigint}
	TypeDouble    = Type{Kind: Double}
	TypeReal      = Type{Kind: Real}
	TypeVarchar   = Type{Kind: Varchar}
	TypeVarbinary = Type{Kind: Varbinary}
	TypeJSON      = Type{Kind: JSON}
	TypeDate      = Type{Kind: Date}
	TypeTimestamp = Type{Kind: Timestamp, Precision: 3}
)

// ArrayOf is array(elem).
func ArrayOf(elem Type) Type { return Type{Kind: Array, Elem: &elem} }

// MapOf is map(key, value).
func MapOf(key, value Type) Type { return Type{Kind: Map, Key: &key, Elem: &value} }

// RowOf is row(fields…).
func RowOf(fields ...Field) Type { return Type{Kind: Row, Fields: fields} }

var kindNames = [...]string{
	Unknown: "unknown", Boolean: "boolean", Tinyint: "tinyint", Smallint: "smallint", Integer: "integer", Bigint: "bigint",
	Real: "real", Double: "double", Decimal: "decimal", Varchar: "varchar", Char: "char", Varbinary: "varbinary", JSON: "json",
	Date: "date", Time: "time", TimeZoned: "time", Timestamp: "timestamp", TimestampZoned: "timestamp",
	IntervalYearMonth: "interval year to month", IntervalDaySecond: "interval day to second", Array: "array", Map: "map", Row: "row",
	UUID: "uuid", IPAddress: "ipaddress", Function: "function",
}

// String is the type as Trino writes it: "map(varchar, varchar)", "row(arn varchar, accountid varchar)", "timestamp(3)".
func (t Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t Type) write(b *strings.Builder) {
	b.WriteString(kindNames[t.Kind])
	num := func(n int) { b.WriteString(strconv.Itoa(n)) }
	switch t.Kind {
	case Varchar:
		if t.Length != Unbounded {
			b.WriteByte('(')
			num(max(t.Length, 0))
			b.WriteByte(')')
		}
	case Char:
		b.WriteByte('(')
		num(t.Length)
		b.WriteByte(')')
	case Decimal:
		b.WriteByte('(')
		num(t.Precision)
		b.WriteByte(',')
		num(t.Scale)
		b.WriteByte(')')
	case Time, Timestamp, TimeZoned, TimestampZoned:
		b.WriteByte('(')
		num(t.Precision)
		b.WriteByte(')')
		if t.Kind == TimeZoned || t.Kind == TimestampZoned {
			b.WriteString(" with time zone")
		}
	case Array:
		b.WriteByte('(')
		t.Elem.write(b)
		b.WriteByte(')')
	case Map:
		b.WriteByte('(')
		t.Key.write(b)
		b.WriteString(", ")
		t.Elem.write(b)
		b.WriteByte(')')
	case Row:
		b.WriteByte('(')
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			if f.Name != "" {
				b.WriteString(fieldName(f.Name))
				b.WriteByte(' ')
			}
			f.Type.write(b)
		}
		b.WriteByte(')')
	}
}

// fieldName is a member's name in a type's text: between quotes where it is no plain word.
func fieldName(name string) string {
	for i := range len(name) {
		if !wordByte(name[i]) || i == 0 && digit(name[i]) {
			return quoteName(name)
		}
	}
	return name
}
