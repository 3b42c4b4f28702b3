package event

import (
	"math"
	"strconv"
	"unsafe"
)

// Decoder decodes events: one pass over the text that checks it (RFC 8259) and fills the Fields of its schema. It keeps slabs of memory that
// it hands out pieces of, so that an event costs no allocation of its own; a Record keeps the slabs that it lies in alive. A Decoder belongs to
// one goroutine at a time.
//
// What becomes of values that do not have their column's type:
//   - a string column keeps the JSON text of a number, boolean, object or list;
//   - a map's value is a string unescaped, else its JSON text exactly as it stands; a null value is a Field with Val nil;
//   - a boolean may be given as "true" or "false", a number as a string that holds one;
//   - where a struct is due and a list stands, the list's first object fills it (the attributions of Insights and the relationships of configuration
//     items are lists in the text and structs in AWS's schemas);
//   - a timestamp that is not ISO 8601, and anything else, leaves the column null. Nothing of this refuses an event.
//
// Members that no column has are checked and passed over. Elements of a list after the 65,535th are left out of its column.
type Decoder struct {
	buf     []byte // from the event's first byte, no longer than MaxEventSize
	limited bool   // buf was cut to that size
	err     *Error

	layout *layout
	fields []Field // slab; the event's own begin at first
	first  int
	dead   int              // fields of the event that a later duplicate has overtaken
	seen   [4]uint64        // nodes that have had a value; below a list, in the element at hand
	at     [256]int32       // where in the event's fields the node's value begins, -1 where it is null
	keys   map[string]int32 // of a map with many entries: where each key's field is
	timeAt int              // where eventTime's value stands, -1 where there is none
	arena  []byte           // unescaped strings; the event's own begin at mark
	mark   int
	ids    []byte            // identities, in memory of their own: they are kept longer than events
	names  map[string]string // accounts and regions, which recur

	// For DecodeActivity, which holds a sender to the types and sizes of AWS's page:
	strict   bool
	mistyped Node       // the first node whose value was not of its type, else gone
	width    [256]int32 // length of a map's text
}

const gone = Node(math.MaxUint16)

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder {
	return &Decoder{layout: layouts[CloudTrail], keys: map[string]int32{}, names: map[string]string{}}
}

// Decode decodes text, which must be one event and nothing else but white space around it. The error is an *Error. The Record and its Fields
// share text's memory, so text must not change any more.
func (d *Decoder) Decode(text []byte) (Record, error) {
	var r Record
	start := 0
	for start < len(text) && isSpace(text[start]) {
		start++
	}
	end, err := d.DecodeAt(&r, text, start)
	if err != nil {
		return Record{}, err
	}
	for i := end; i < len(text); i++ {
		if !isSpace(text[i]) {
			return Record{}, &Error{Fault: Malformed, Offset: i - start, Message: "something follows the event: " + printable(text[i])}
		}
	}
	r.Offset = int64(start)
	return r, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// DecodeAt decodes the event that begins at buf[pos] and gives the position after it. Where it fails with an *Error and the text is a whole JSON value
// all the same (no object, no good eventTime), end is the position after that value; else end is -1. A Fault of Cut says that buf ends within the
// value; a number that reaches buf's end may go on, too. r.Offset is set to pos.
func (d *Decoder) DecodeAt(r *Record, buf []byte, pos int) (end int, err error) {
	d.open(buf, pos)
	if len(d.buf) > 0 && d.buf[0] != '{' {
		return d.notObject(pos)
	}
	for {
		size := d.event()
		if size < 0 {
			d.drop()
			return -1, d.err
		}
		*r = Record{Kind: d.layout.schema.Kind, Text: d.buf[:size:size], Offset: int64(pos)}
		k, e := d.finish(r)
		if k != r.Kind { // its category is of another schema than the event before it
			d.layout = layouts[k]
			d.drop()
			continue
		}
		if e != nil {
			d.drop()
			return pos + size, e
		}
		d.first = len(d.fields)
		return pos + size, nil
	}
}

func (d *Decoder) open(buf []byte, pos int) {
	d.buf, d.limited = buf[pos:], false
	if len(d.buf) > MaxEventSize {
		d.buf, d.limited = d.buf[:MaxEventSize], true
	}
	d.err = nil
}

func (d *Decoder) notObject(pos int) (int, error) {
	size := d.skip(0, 0)
	if size < 0 {
		return -1, d.err
	}
	d.fail(NotObject, 0, "the record is not a JSON object but begins with %s", printable(d.buf[0]))
	return pos + size, d.err
}

// drop forgets the fields of the event at hand.
func (d *Decoder) drop() { d.fields = d.fields[:d.first] }

// event decodes the object at the start of buf and gives its length, or -1.
func (d *Decoder) event() int {
	d.dead, d.timeAt = 0, -1
	d.seen, d.mark = [4]uint64{}, len(d.arena)
	end := d.object(d.layout.top, 0, 0, 1)
	if end >= 0 && d.dead > 0 {
		d.sweep()
	}
	return end
}

// object decodes the object at i, of that depth, into the fields that o has for its members.
func (d *Decoder) object(o *object, i int, elem uint16, depth int) int {
	if i >= len(d.buf) {
		return d.cut()
	}
	i = d.space(i + 1)
	if i < len(d.buf) && d.buf[i] == '}' {
		return i + 1
	}
	for {
		from, to, escaped, next := d.memberName(i)
		if next < 0 {
			return -1
		}
		name := d.buf[from:to]
		if escaped {
			name = d.bytes(d.unescaped(name))
		}
		if p := o.find(name); p != nil {
			i = d.value(p, next, elem, depth)
		} else {
			i = d.skip(next, depth)
		}
		if i < 0 {
			return -1
		}
		var last bool
		if i, last = d.separator(i, '}', "',' or '}'"); i < 0 || last {
			return i
		}
	}
}

// value decodes the value at i by its plan.
func (d *Decoder) value(p *plan, i int, elem uint16, depth int) int {
	if i >= len(d.buf) {
		return d.cut()
	}
	if !p.quiet {
		d.claim(p)
	}
	c := d.buf[i]
	if p.typ == Timestamp && p.node == d.layout.nodes[timeRole] {
		d.timeAt = i
		if c == 'n' {
			d.timeAt = -1
		}
	}
	if c == 'n' {
		return d.literal(i, "null")
	}
	if d.strict && d.mistyped == gone && c != opening(p.typ) {
		d.mistyped = p.node
	}
	switch p.typ {
	case String:
		val, end := d.text(i, depth)
		if end >= 0 {
			d.put(p.node, elem, 0, val)
		}
		return end
	case Struct:
		return d.structure(p, i, elem, depth)
	case Map:
		if c == '{' {
			d.put(p.node, elem, 0, span{})
			end := d.entries(p, i, elem, depth+1)
			d.width[p.node] = int32(end - i)
			return end
		}
		return d.skip(i, depth)
	case List:
		if c == '[' {
			return d.elements(p, i, depth+1)
		}
		return d.skip(i, depth)
	}
	val, end := d.text(i, depth)
	if end < 0 {
		return -1
	}
	if num, ok := number(p.typ, d.bytes(val)); ok {
		d.put(p.node, elem, num, span{})
	}
	return end
}

// opening is what the values of a type in eventData begin with: it has strings, structs and maps.
func opening(t Type) byte {
	if t == String {
		return '"'
	}
	return '{'
}

// text reads the value at i as a string column has it: a string unescaped, anything else as it stands.
func (d *Decoder) text(i, depth int) (val span, end int) {
	if d.buf[i] == '"' {
		q, escaped := d.str(i + 1)
		switch {
		case q < 0:
			return span{}, -1
		case escaped:
			return d.unescaped(d.buf[i+1 : q]), q + 1
		}
		return stretch(i+1, q), q + 1
	}
	if end = d.skip(i, depth); end < 0 {
		return span{}, -1
	}
	return stretch(i, end), end
}

// number reads val as a value of type t.
func number(t Type, val []byte) (int64, bool) {
	switch t {
	case Timestamp:
		return ParseTime(val)
	case Boolean:
		switch string(val) {
		case "true":
			return 1, true
		case "false":
			return 0, true
		}
		return 0, false
	case Int, Long:
		size := 64
		if t == Int {
			size = 32
		}
		n, err := strconv.ParseInt(view(val), 10, size)
		return n, err == nil
	case Double:
		f, err := strconv.ParseFloat(view(val), 64)
		return int64(math.Float64bits(f)), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return 0, false
}

// structure decodes the object at i, or the first object of the list at i.
func (d *Decoder) structure(p *plan, i int, elem uint16, depth int) int {
	switch d.buf[i] {
	case '{':
		if !p.quiet {
			d.put(p.node, elem, 0, span{})
		}
		if depth+1 > MaxDepth {
			return d.tooDeep(i)
		}
		return d.object(p.obj, i, elem, depth+1)
	case '[':
		if depth+2 > MaxDepth {
			return d.tooDeep(i)
		}
		i = d.space(i + 1)
		if i < len(d.buf) && d.buf[i] == ']' {
			return i + 1
		}
		for found := false; ; {
			if !found && i < len(d.buf) && d.buf[i] == '{' {
				found = true
				i = d.structure(p, i, elem, depth+1)
			} else {
				i = d.skip(i, depth+1)
			}
			if i < 0 {
				return -1
			}
			var last bool
			if i, last = d.separator(i, ']', "',' or ']'"); i < 0 || last {
				return i
			}
		}
	}
	return d.skip(i, depth)
}

// elements decodes the list of objects at i.
func (d *Decoder) elements(p *plan, i, depth int) int {
	head := d.put(p.node, 0, 0, span{})
	i = d.space(i + 1)
	if i < len(d.buf) && d.buf[i] == ']' {
		return i + 1
	}
	for n := 0; ; n++ {
		if n < math.MaxUint16 {
			d.forget(p.elem)
			if i < len(d.buf) && d.buf[i] == '{' {
				i = d.value(p.elem, i, uint16(n), depth)
			} else {
				i = d.skip(i, depth)
			}
			d.fields[d.first+head].Num = int64(n + 1)
		} else {
			i = d.skip(i, depth)
		}
		if i < 0 {
			return -1
		}
		var last bool
		if i, last = d.separator(i, ']', "',' or ']'"); i < 0 || last {
			return i
		}
	}
}

// fewKeys is the number of entries up to which a map's keys are compared one by one.
const fewKeys = 16

// entries decodes the object at i as a map's entries.
func (d *Decoder) entries(p *plan, i int, elem uint16, depth int) int {
	if depth > MaxDepth {
		return d.tooDeep(i)
	}
	i = d.space(i + 1)
	if i < len(d.buf) && d.buf[i] == '}' {
		return i + 1
	}
	head := len(d.fields) - d.first
	for {
		from, to, escaped, next := d.memberName(i)
		if next < 0 {
			return -1
		}
		key := stretch(from, to)
		if escaped {
			key = d.unescaped(d.buf[from:to])
		}
		if next >= len(d.buf) {
			return d.cut()
		}
		var val span
		if d.buf[next] == 'n' {
			i = d.literal(next, "null")
		} else {
			val, i = d.text(next, depth)
		}
		if i < 0 {
			return -1
		}
		d.enter(p.value, elem, head, key, val)
		var last bool
		if i, last = d.separator(i, '}', "',' or '}'"); i < 0 || last {
			return i
		}
	}
}

// stretch is the span of buf[from:to].
func stretch(from, to int) span { return span{uint32(from + 1), uint32(to - from)} }

// unescaped unescapes s into the arena.
func (d *Decoder) unescaped(s []byte) span {
	d.room(len(s)) // unescaped it is shorter
	from := len(d.arena)
	d.arena = unescape(d.arena, s)
	return d.since(from)
}

// since is the span of the arena from a place on.
func (d *Decoder) since(from int) span {
	return span{uint32(from-d.mark+1) | inPlain, uint32(len(d.arena) - from)}
}

// room makes sure that the arena can take n bytes more. An event's strings lie together: a new arena begins with those that it has.
func (d *Decoder) room(n int) {
	if cap(d.arena)-len(d.arena) < n {
		own := d.arena[d.mark:]
		d.arena = append(make([]byte, 0, max(64<<10, 2*(len(own)+n))), own...)
		d.mark = 0
	}
}

// plain is the part of the arena that the event at hand has.
func (d *Decoder) plain() []byte { return d.arena[d.mark:len(d.arena):len(d.arena)] }

// bytes gives a text of the event at hand.
func (d *Decoder) bytes(s span) []byte { return s.at(d.buf, d.arena[d.mark:]) }

// view reads bytes as a string that lasts no longer than they stay as they are.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
