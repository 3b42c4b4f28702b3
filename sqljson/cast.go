package sqljson

import "strings"

// Scalar is a JSON text as a cast reads it: a Sort (Varchar, Bool, Bigint, Double or Null) and the value's text, as Query.Run writes values. Huge is an
// integer beyond 64 bits. Nested stands for an array or object, Failed for a text that is no JSON.
func Scalar(s string) string {
	p := newScanner(s)
	if _, err := p.next(); err != nil {
		return string(Failed)
	}
	switch p.tok {
	case tokArray, tokObject:
		return string(Nested)
	case tokEnd:
		return string(Failed)
	}
	it, err := p.item()
	if err != nil {
		return string(Failed)
	}
	switch it.kind {
	case integerKind:
		it.kind = bigintKind
	case hugeKind:
		return string(Huge) + it.text
	}
	sort, text, _ := it.sqlText()
	return string(sort) + text
}

// What else a Scalar may begin with.
const (
	Nested = '['
	Huge   = 'h'
)

// Parts are the elements of a JSON text that is an array, or the names and values, in turns, of one that is an object, each as a JSON text; the names are
// plain. open is the text's first character, 'n' for null, '0' for other scalars.
func Parts(s string) (open byte, parts []string, err error) {
	p := newScanner(s)
	t, err := p.next()
	switch {
	case t == tokNull:
		return 'n', nil, err
	case err != nil || t != tokArray && t != tokObject:
		return '0', nil, err
	}
	for {
		t, err := p.next()
		if err != nil {
			return 0, nil, err
		}
		switch t {
		case tokArrayEnd:
			return '[', parts, nil
		case tokObjectEnd:
			return '{', parts, nil
		case tokName:
			parts = append(parts, plain(p.text()))
			continue
		}
		part, err := p.copy(nil, len(p.stack)-1)
		if err != nil {
			return 0, nil, err
		}
		parts = append(parts, string(part))
	}
}

// Quote is a string as JSON.
func Quote(s string) string { return string(appendString(nil, s, style{})) }

// Object is a JSON object of names and of texts that are JSON already, sorted by name as Trino's cast from map sorts them.
func Object(names, values []string) string {
	o := &item{kind: objectKind, names: names}
	for _, v := range values {
		o.elems = append(o.elems, &item{kind: hugeKind, text: v}) // written as it is
	}
	return string(o.append(nil, style{sorted: true}))
}

// Row are the values of a JSON text for a row with these fields: of an array its elements, of an object its members by their names without regard to
// case, "" for one that is missing. open is '{' for both, 'n' for null, and 'E' for what is no such row.
func Row(s string, fields []string) (open byte, values []string) {
	kind, parts, err := Parts(s)
	switch {
	case err != nil:
	case kind == '[' && len(parts) == len(fields):
		return '{', parts
	case kind == '{' && fields[0] != "":
		values = make([]string, len(fields))
		for i := 0; i+1 < len(parts); i += 2 {
			for k, f := range fields {
				if strings.ToLower(f) != strings.ToLower(parts[i]) {
					continue
				}
				if values[k] != "" {
					return 'E', nil
				}
				values[k] = parts[i+1]
				break
			}
		}
		return '{', values
	case kind == 'n':
		return 'n', nil
	}
	return 'E', nil
}
