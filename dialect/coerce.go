package dialect

// The implicit coercions of Trino (https://trino.io/docs/current/language/types.html and its TypeCoercion): which type two types have in
// common, and whether a value of one may stand where another is expected.

func (t Type) numeric() bool  { return t.Kind >= Tinyint && t.Kind <= Decimal }
func (t Type) integral() bool { return t.Kind >= Tinyint && t.Kind <= Bigint }
func (t Type) floating() bool { return t.Kind == Real || t.Kind == Double }

// asDecimal is the decimal that holds every value of an integral type or decimal.
func (t Type) asDecimal() Type {
	switch t.Kind {
	case Tinyint:
		return DecimalOf(3, 0)
	case Smallint:
		return DecimalOf(5, 0)
	case Integer:
		return DecimalOf(10, 0)
	case Bigint:
		return DecimalOf(19, 0)
	}
	return t
}

// DecimalOf is decimal(precision, scale).
func DecimalOf(precision, scale int) Type {
	return Type{Kind: Decimal, Precision: precision, Scale: scale}
}

// VarcharOf is varchar(length).
func VarcharOf(length int) Type {
	if length == 0 {
		return Type{Kind: Varchar, Length: emptyVarchar}
	}
	return Type{Kind: Varchar, Length: length}
}

// TimestampOf is timestamp(precision).
func TimestampOf(precision int) Type { return Type{Kind: Timestamp, Precision: precision} }

// zonedOf is timestamp(precision) with time zone, whose values lie in zone.
func zonedOf(precision int, zone string) Type {
	return Type{Kind: TimestampZoned, Precision: precision, Zone: zone}
}

// CharOf is char(length).
func CharOf(length int) Type { return Type{Kind: Char, Length: length} }

// maxChar is the length of the longest char.
const maxChar = 65536

// unknownZone is the zone of values that may lie in several.
const unknownZone = "?"

// equal compares types as Trino does: the zone of values is no part of the type.
func (t Type) equal(u Type) bool {
	if t.Kind != u.Kind || t.Length != u.Length || t.Precision != u.Precision || t.Scale != u.Scale || len(t.Fields) != len(u.Fields) {
		return false
	}
	switch t.Kind {
	case Array:
		return t.Elem.equal(*u.Elem)
	case Map:
		return t.Key.equal(*u.Key) && t.Elem.equal(*u.Elem)
	case Row:
		for i := range t.Fields {
			if t.Fields[i].Name != u.Fields[i].Name || !t.Fields[i].Type.equal(u.Fields[i].Type) {
				return false
			}
		}
	}
	return true
}

// common is the type that values of both types are coerced to.
func common(a, b Type) (Type, bool) {
	if a.Kind == b.Kind {
		switch a.Kind {
		case Varchar:
			switch {
			case a.Length == Unbounded || b.Length == Unbounded:
				return TypeVarchar, true
			case b.Length > a.Length:
				return b, true
			}
		case Char, Timestamp, Time, TimeZoned:
			a.Length, a.Precision = max(a.Length, b.Length), max(a.Precision, b.Precision)
		case TimestampZoned:
			a.Precision = max(a.Precision, b.Precision)
			if a.Zone != b.Zone {
				a.Zone = unknownZone
			}
		case Decimal:
			scale := max(a.Scale, b.Scale)
			return DecimalOf(min(38, max(a.Precision-a.Scale, b.Precision-b.Scale)+scale), scale), true
		case Array:
			e, ok := common(*a.Elem, *b.Elem)
			return ArrayOf(e), ok
		case Map:
			k, ok := common(*a.Key, *b.Key)
			v, ok2 := common(*a.Elem, *b.Elem)
			return MapOf(k, v), ok && ok2
		case Row:
			if len(a.Fields) != len(b.Fields) {
				return a, false
			}
			r := Type{Kind: Row}
			for i, f := range a.Fields {
				t, ok := common(f.Type, b.Fields[i].Type)
				if !ok {
					return a, false
				}
				if f.Name != b.Fields[i].Name {
					f.Name = ""
				}
				r.Fields = append(r.Fields, Field{f.Name, t})
			}
			return r, true
		}
		return a, true
	}
	if b.Kind == Unknown {
		return a, true
	}
	if a.Kind > b.Kind {
		a, b = b, a
	}
	switch {
	case a.Kind == Unknown:
		return b, true
	case a.integral() && b.integral(), a.integral() && b.floating(), a.Kind == Real && b.Kind == Double:
		return b, true
	case a.integral() && b.Kind == Decimal:
		return common(a.asDecimal(), b)
	case a.floating() && b.Kind == Decimal:
		return a, true
	case a.Kind == Varchar && b.Kind == Char:
		if b.Length = max(b.Length, a.Length); a.Length == Unbounded || b.Length > maxChar {
			b.Length = maxChar
		}
		return b, true
	case a.Kind == Date && (b.Kind == Timestamp || b.Kind == TimestampZoned):
		if b.Kind == TimestampZoned && b.Zone != "UTC" {
			b.Zone = unknownZone
		}
		return b, true
	case a.Kind == Timestamp && b.Kind == TimestampZoned:
		b.Precision = max(a.Precision, b.Precision)
		if b.Zone != "UTC" {
			b.Zone = unknownZone
		}
		return b, true
	case a.Kind == Time && b.Kind == TimeZoned:
		b.Precision = max(a.Precision, b.Precision)
		return b, true
	}
	return a, false
}

// coercible tells whether a value of from may stand where to is expected, and how far the two are from each other: 0 where nothing changes.
func coercible(from, to Type) (distance int, ok bool) {
	if from.Kind == Unknown && to.Kind != Unknown {
		return 1, true
	}
	if from.Kind == to.Kind {
		switch from.Kind {
		case Varchar:
			if to.Length == Unbounded {
				return 0, true
			}
			return 0, from.Length != Unbounded && from.Length <= to.Length
		case Decimal:
			c, _ := common(from, to)
			if from.equal(to) {
				return 0, true
			}
			return 1, c.equal(to)
		case Char:
			return 0, from.Length <= to.Length
		case Timestamp, Time, TimestampZoned, TimeZoned:
			return 0, from.Precision <= to.Precision
		case Array:
			return coercible(*from.Elem, *to.Elem)
		case Map:
			k, ok := coercible(*from.Key, *to.Key)
			v, ok2 := coercible(*from.Elem, *to.Elem)
			return k + v, ok && ok2
		case Row:
			if len(from.Fields) != len(to.Fields) {
				return 0, false
			}
			for i, f := range from.Fields {
				d, ok := coercible(f.Type, to.Fields[i].Type)
				if !ok {
					return 0, false
				}
				distance += d
			}
			return distance, true
		}
		return 0, from.equal(to)
	}
	c, ok := common(from, to)
	if !ok || c.Kind != to.Kind || (to.Kind == Decimal || to.Kind == Char) && !c.equal(to) || c.Precision > to.Precision && to.Kind != Decimal {
		return 0, false
	}
	if from.Kind == Decimal { // real comes before double, and both after every decimal
		return 10 + int(to.Kind), true
	}
	return int(to.Kind) - int(from.Kind), true
}

// comparable and orderable tell what = and < may be asked of.
func (t Type) comparable() bool { return t.every(func(k Kind) bool { return k != Function }) }
func (t Type) orderable() bool {
	return t.every(func(k Kind) bool { return k != Map && k != Function && k != JSON })
}

func (t Type) every(is func(Kind) bool) bool {
	if !is(t.Kind) || t.Elem != nil && !t.Elem.every(is) || t.Key != nil && !t.Key.every(is) {
		return false
	}
	for _, f := range t.Fields {
		if !f.Type.every(is) {
			return false
		}
	}
	return true
}
