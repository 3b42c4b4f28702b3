package sqljson

import (
	"errors"
	"unicode/utf16"
)

// Build is a JSON_OBJECT or a JSON_ARRAY without its values.
type Build struct {
	Object bool
	Absent bool // ABSENT ON NULL
	Unique bool // WITH UNIQUE KEYS
	Sorts  []Sort
}

// Encode is the form as one text, which DecodeBuild reads.
func (b *Build) Encode() string {
	flags := ""
	for _, f := range []bool{b.Object, b.Absent, b.Unique} {
		if f {
			flags += "1"
		} else {
			flags += "0"
		}
	}
	sorts := make([]byte, len(b.Sorts))
	for i, s := range b.Sorts {
		sorts[i] = byte(s)
	}
	return string(Encode(flags, string(sorts)))
}

// DecodeBuild reads a form.
func DecodeBuild(text string) (*Build, error) {
	list, err := Fields(text).Decode()
	if err != nil {
		return nil, err
	}
	if len(list) != 2 || len(list[0]) != 3 {
		return nil, errors.New("sqljson: a form that is none")
	}
	b := &Build{Object: list[0][0] == '1', Absent: list[0][1] == '1', Unique: list[0][2] == '1'}
	for i := range len(list[1]) {
		b.Sorts = append(b.Sorts, Sort(list[1][i]))
	}
	return b, nil
}

// Make makes the text of values, which are written as Query.Run's params are; those of an object follow their keys.
func (b *Build) Make(values string) (string, error) {
	list, err := Fields(values).Decode()
	if err != nil {
		return "", err
	}
	width := 1
	if b.Object {
		width = 2
	}
	if len(list) != width*len(b.Sorts) {
		return "", errors.New("sqljson: another number of values than of sorts")
	}
	out := &item{kind: arrayKind}
	if b.Object {
		out.kind = objectKind
	}
	for i, sort := range b.Sorts {
		text := list[width*i+width-1]
		if text == "n" {
			sort = Null
		}
		v := &item{kind: nullKind}
		if sort != Null {
			if v, err = itemOf(sort, text[1:], ""); err != nil {
				return "", err
			}
		}
		if b.Object {
			key := list[2*i]
			if key == "n" {
				return "", errors.New("null value passed for JSON object key to JSON_OBJECT function")
			}
			if sort == Null && b.Absent {
				continue
			}
			if out.get(key[1:]) != nil {
				if b.Unique {
					return "", errors.New("duplicate key passed to JSON_OBJECT function")
				}
				return "", errors.New("cannot construct a JSON object with duplicate key")
			}
			out.names = append(out.names, key[1:])
		} else if sort == Null && b.Absent {
			continue
		}
		out.elems = append(out.elems, v)
	}
	if b.Object {
		if err := out.hashed(); err != nil {
			return "", err
		}
	}
	return string(out.append(nil, style{})), nil
}

// hashed puts an object's members into the order in which Java's HashMap, where Trino gathers them, gives its entries: by their places in a table that
// grows with their number, and by when they came within one place.
func (it *item) hashed() error {
	size := 16
	for len(it.names) > size/4*3 {
		size *= 2
	}
	places := make([][]int, size)
	for i, n := range it.names {
		h := hashCode(n)
		k := int((h ^ h>>16) & uint32(size-1))
		if places[k] = append(places[k], i); len(places[k]) >= 8 { // from where on a place is a tree
			return errors.New("JSON_OBJECT of these keys is not supported yet")
		}
	}
	old := *it
	it.names, it.elems = nil, nil
	for _, p := range places {
		for _, i := range p {
			it.names, it.elems = append(it.names, old.names[i]), append(it.elems, old.elems[i])
		}
	}
	return nil
}

// hashCode is Java's of a string: over its UTF-16 units.
func hashCode(s string) (h uint32) {
	for s != "" {
		r, n := decodeRune(s)
		s = s[n:]
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			h, r = 31*h+uint32(high), low
		}
		h = 31*h + uint32(r)
	}
	return h
}
