// Package event holds one audit event: how its text is decoded, which columns it fills, and its identity.
// It knows nothing of storage or HTTP.
package event

import "unsafe"

// Kind says which schema an event has, and so in which kind of event data store it may lie.
// The values are written to metadata and never change.
type Kind uint8

// The kinds of event, by the eventCategory that marks them.
const (
	CloudTrail        Kind = 1 // Management, Data, NetworkActivity
	Activity          Kind = 2 // ActivityAuditLog: events from outside AWS, brought by PutAuditEvents
	Insight           Kind = 3 // Insight
	ConfigurationItem Kind = 4 // ConfigurationItem
	Evidence          Kind = 5 // Evidence
)

// Node is the index of a column or a part of one (struct member, list element, map key or value) in the
// pre-order walk of a kind's schema: Schema(kind).Nodes[node].
type Node uint16

// Field is one value found in an event. Record.Val and Record.Key give its texts.
//
// Scalars carry their value in Val (strings, unescaped) or Num (booleans 0/1, timestamps in microseconds since the
// Unix epoch UTC, integers; doubles as math.Float64bits). A member that is absent or JSON null has no Field.
// A struct, list or map that is present (an empty one too) has a Field of its own node with neither, save that Num of a list is
// the number of its elements; it precedes the fields below it, which follow it without a gap, in the text's order (a list's elements in theirs).
// A map entry has the map's value node, Key and Val; Val is nil where the value is null, and empty where it is "". A list element's
// parts carry its index in Elem; an element that is null or no object has no Field. No Field carries the event's text (TableSchema.Text).
// No two entries of one map have the same key (of duplicates the last in the text wins, as does the last of
// duplicate members; the text keeps them all).
//
// A Field holds no pointer: an event has dozens, which the garbage collector need not look into.
type Field struct {
	Num  int64
	key  span
	val  span
	Node Node
	Elem uint16
}

// span is where a text lies: in the event's text or, with the bit inPlain in from, in Record.plain. The zero span is none.
type span struct{ from, size uint32 } // from is counted from 1

const inPlain = 1 << 31

var empty = []byte{}

// at gives the text that lies at s.
func (s span) at(text, plain []byte) []byte {
	switch {
	case s.from == 0:
		return nil
	case s.size == 0:
		return empty
	}
	from := s.from&^inPlain - 1
	if s.from&inPlain != 0 {
		text = plain
	}
	return text[from : from+s.size : from+s.size]
}

// Record is one decoded event. Its slices share memory with the batch that it was decoded in and must not be changed.
type Record struct {
	Kind     Kind
	Category string   // eventCategory, or what it must have been where an old record has none
	Text     []byte   // the exact text as it came, byte for byte
	Hash     [32]byte // SHA-256 of Text
	ID       string   // the event's identity: eventID, or hex SHA-256 of Text where a record of version 1.00 has none
	Time     int64    // eventTime in microseconds since the Unix epoch, UTC
	Account  string   // recipientAccountId, "" where the record has none
	Region   string   // awsRegion, "" where the record has none
	Offset   int64    // where Text began in the (inflated) source
	Fields   []Field
	plain    []byte // the texts of Fields that stand otherwise in Text, or not at all
}

// Val is the field's text, nil where it has none. f is one of r's Fields.
func (r *Record) Val(f *Field) []byte { return f.val.at(r.Text, r.plain) }

// Key is the key of a map's entry, nil where the field is none. f is one of r's Fields.
func (r *Record) Key(f *Field) []byte { return f.key.at(r.Text, r.plain) }

// Add adds a field with copies of key and val, nil for none. Decoders do without; it is for records that stand for no JSON.
func (r *Record) Add(n Node, elem uint16, num int64, key, val []byte) {
	keep := func(b []byte) span {
		if b == nil {
			return span{}
		}
		s := span{uint32(len(r.plain)+1) | inPlain, uint32(len(b))}
		r.plain = append(r.plain, b...)
		return s
	}
	r.plain = r.plain[:len(r.plain):len(r.plain)] // what lies behind belongs to other records
	r.Fields = append(r.Fields, Field{Node: n, Elem: elem, Num: num, key: keep(key), val: keep(val)})
}

// Memory is about how many bytes the record takes, its texts included.
func (r *Record) Memory() int64 {
	return int64(unsafe.Sizeof(*r)) + int64(len(r.Text)+len(r.plain)+len(r.ID)) + int64(len(r.Fields))*int64(unsafe.Sizeof(Field{}))
}

// Day is the number of days from the Unix epoch to the record's eventTime (Iceberg's day transform).
func (r *Record) Day() int32 {
	const day = 24 * 3600 * 1_000_000
	d := r.Time / day
	if r.Time%day < 0 {
		d--
	}
	return int32(d)
}
