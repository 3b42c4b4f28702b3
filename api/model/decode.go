package model

import (
	"encoding/base64"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lochlake/loch/awserr"
)

// maxDepth bounds how deep arrays and objects may lie in one another. The model's own shapes need fewer than ten.
const maxDepth = 64

// decoder reads one request. Errors that it returns end it; violations of limits are gathered, so that the caller learns them all at once.
type decoder struct {
	op         *Operation
	b          []byte
	i          int
	depth      int
	path       []string
	violations violations
}

func (d *decoder) document(query url.Values, v reflect.Value) error {
	if !utf8.Valid(d.b) {
		return d.malformed("the body is not UTF-8")
	}
	present := map[string]bool{}
	for name, m := range d.op.input.members {
		if m.query == "" || len(query[m.query]) == 0 {
			continue
		}
		if len(query[m.query]) > 1 {
			return awserr.New("SerializationException", "the query has %s more than once", m.query)
		}
		d.path = append(d.path, lowerFirst(name))
		text := query[m.query][0]
		d.checkString(m.shape, text)
		f := v.Field(fieldsOf(v.Type())[name])
		f.Set(reflect.ValueOf(&text))
		d.path = d.path[:0]
		present[name] = true
	}
	d.space()
	if d.i == len(d.b) {
		d.require(d.op.input, present)
		return d.violated()
	}
	if d.b[d.i] != '{' {
		return d.malformed("the body must be a JSON object, not %s", d.next())
	}
	if err := d.structure(d.op.input, v, present); err != nil {
		return err
	}
	if d.space(); d.i != len(d.b) {
		return d.malformed("something follows the JSON object")
	}
	return d.violated()
}

// value reads one value of the shape into v, which is settable. It tells whether there was one: null is none.
func (d *decoder) value(s *shape, v reflect.Value) (bool, error) {
	if d.null() {
		v.SetZero()
		return false, nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.kind {
	case "structure":
		if d.peek() != '{' {
			return true, d.wrongType("a structure")
		}
		return true, d.structure(s, v, map[string]bool{})
	case "list":
		return true, d.list(s, v)
	case "map":
		return true, d.mapping(s, v)
	case "string":
		text, err := d.text("String")
		if err != nil {
			return true, err
		}
		d.checkString(s, text)
		v.SetString(text)
	case "blob":
		text, err := d.text("Blob")
		if err != nil {
			return true, err
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return true, d.malformed("not base64: %v", err)
		}
		d.checkLimits(s, len(b), "")
		v.SetBytes(b)
	case "boolean":
		switch {
		case d.literal("true"):
			v.SetBool(true)
		case d.literal("false"):
			v.SetBool(false)
		default:
			return true, d.wrongType("Boolean")
		}
	default:
		return true, d.number(s, v)
	}
	return true, nil
}

func (d *decoder) structure(s *shape, v reflect.Value, present map[string]bool) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	fields := fieldsOf(v.Type())
	err := d.object(func(name string) error {
		m := s.members[name]
		if m == nil || m.query != "" {
			return d.skip()
		}
		d.path = append(d.path, lowerFirst(name))
		f := v.Field(fields[name])
		f.SetZero()
		there, err := d.value(m.shape, f)
		present[name] = there
		d.path = d.path[:len(d.path)-1]
		return err
	})
	if err != nil {
		return err
	}
	d.require(s, present)
	return nil
}

func (d *decoder) require(s *shape, present map[string]bool) {
	for _, name := range s.required {
		if !present[name] {
			d.path = append(d.path, lowerFirst(name))
			d.add(s.members[name].shape, "", true, "Member must not be null")
			d.path = d.path[:len(d.path)-1]
		}
	}
}

func (d *decoder) list(s *shape, v reflect.Value) error {
	if d.peek() != '[' {
		return d.wrongType("a list")
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	start := d.i
	d.i++
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for n := 1; ; n++ {
		if n == 1 && d.peek() == ']' {
			d.i++
			break
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.path = append(d.path, strconv.Itoa(n), "member")
		there, err := d.value(s.elem, elem)
		if err != nil {
			return err
		}
		if !there {
			d.add(s.elem, "", true, "Member must not be null")
		}
		d.path = d.path[:len(d.path)-2]
		v.Set(reflect.Append(v, elem))
		if more, err := d.more(']'); err != nil {
			return err
		} else if !more {
			break
		}
	}
	d.checkCount(s, v.Len(), start)
	return nil
}

func (d *decoder) mapping(s *shape, v reflect.Value) error {
	if d.peek() != '{' {
		return d.wrongType("a map")
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	start := d.i
	v.Set(reflect.MakeMap(v.Type()))
	err := d.object(func(key string) error {
		d.path = append(d.path, key)
		d.checkString(s.key, key)
		d.path = append(d.path, "member")
		elem := reflect.New(v.Type().Elem()).Elem()
		there, err := d.value(s.value, elem)
		if err != nil {
			return err
		}
		if !there {
			d.add(s.value, "", true, "Member must not be null")
		}
		v.SetMapIndex(reflect.ValueOf(key), elem)
		d.path = d.path[:len(d.path)-2]
		return nil
	})
	if err != nil {
		return err
	}
	d.checkCount(s, v.Len(), start)
	return nil
}

// object reads an object whose brace is next, and calls member with each name before its value.
func (d *decoder) object(member func(name string) error) error {
	d.i++
	if d.peek() == '}' {
		d.i++
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.malformed("a member's name must come here, not %s", d.next())
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.malformed("a colon must come here, not %s", d.next())
		}
		d.i++
		d.space()
		if err := member(name); err != nil {
			return err
		}
		if more, err := d.more('}'); err != nil || !more {
			return err
		}
	}
}

func (d *decoder) number(s *shape, v reflect.Value) error {
	c := d.peek()
	if c != '-' && (c < '0' || c > '9') {
		return d.wrongType(map[string]string{"integer": "Integer", "long": "Long", "timestamp": "Timestamp"}[s.kind])
	}
	text, err := d.numeral()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return d.malformed("the number %.40s is out of range", text)
	}
	switch s.kind {
	case "timestamp":
		// Between the years 0001 and 9999, which is what the SDKs can hold.
		if f < -62135596800 || f > 253402300799 {
			return d.malformed("the timestamp %.40s is out of range", text)
		}
		v.Set(reflect.ValueOf(Time{time.UnixMilli(int64(math.Round(f * 1000))).UTC()}))
		return nil
	case "integer", "long":
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			// 5.0 and 5e0 are integers too, where nothing is lost.
			if f != math.Trunc(f) || math.Abs(f) > 1<<53 || v.OverflowInt(int64(f)) {
				return d.malformed("the number %.40s can not be converted to an %s", text, s.kind)
			}
			n = int64(f)
		}
		v.SetInt(n)
	default:
		v.SetFloat(f)
	}
	switch {
	case s.max != nil && f > *s.max:
		d.add(s, text, false, "Member must have value less than or equal to "+limit(s.max))
	case s.min != nil && f < *s.min:
		d.add(s, text, false, "Member must have value greater than or equal to "+limit(s.min))
	}
	return nil
}

func (d *decoder) checkString(s *shape, text string) {
	if s.min != nil || s.max != nil {
		n := float64(utf8.RuneCountInString(text))
		switch {
		case s.max != nil && n > *s.max:
			d.add(s, text, false, "Member must have length less than or equal to "+limit(s.max))
		case s.min != nil && n < *s.min:
			d.add(s, text, false, "Member must have length greater than or equal to "+limit(s.min))
		}
	}
	if s.pattern != nil && !s.pattern.MatchString(text) {
		d.add(s, text, false, "Member must satisfy regular expression pattern: "+s.written)
	}
	if s.enum != nil && !s.enum[text] {
		d.add(s, text, false, "Member must satisfy enum value set: ["+s.listed+"]")
	}
}

// checkCount checks the number of entries of a list or map whose text began at start.
func (d *decoder) checkCount(s *shape, n, start int) {
	d.checkLimits(s, n, string(d.b[start:min(d.i, start+echoed+1)]))
}

func (d *decoder) checkLimits(s *shape, n int, text string) {
	switch {
	case s.max != nil && float64(n) > *s.max:
		d.add(s, text, false, "Member must have length less than or equal to "+limit(s.max))
	case s.min != nil && float64(n) < *s.min:
		d.add(s, text, false, "Member must have length greater than or equal to "+limit(s.min))
	}
}

func limit(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }

// fieldIndexes has, by generated type, the field of each member.
var fieldIndexes sync.Map

func fieldsOf(t reflect.Type) map[string]int {
	if m, ok := fieldIndexes.Load(t); ok {
		return m.(map[string]int)
	}
	m := map[string]int{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m[name] = i
	}
	fieldIndexes.Store(t, m)
	return m
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
