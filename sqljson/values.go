package sqljson

import (
	"errors"
	"strconv"
	"strings"

	"github.com/lochlake/loch/javatext"
)

// Sort is the sort of an SQL value that is handed to a path or put into JSON, as one letter.
type Sort byte

// The sorts of values. The text of a value is Trino's cast to varchar, of a Real or Double any text of the number.
const (
	Null     Sort = 'n'
	Bool     Sort = 'b'
	Tinyint  Sort = '1'
	Smallint Sort = '2'
	Integer  Sort = '4'
	Bigint   Sort = '8'
	Real     Sort = 'r'
	Double   Sort = 'd'
	Decimal  Sort = 'm'
	Varchar  Sort = 's'
	Char     Sort = 'c'
	Moment   Sort = 'o' // a date, a time or a timestamp
	JSON     Sort = 'j' // a text to be read as JSON
)

var sortKinds = map[Sort]kind{Tinyint: tinyKind, Smallint: smallKind, Integer: integerKind, Bigint: bigintKind, Real: realKind, Double: doubleKind,
	Decimal: decimalKind}

// errInput is a value that is to be read as JSON and is none.
var errInput = errors.New("conversion to JSON failed: ")

// itemOf makes an item of an SQL value.
func itemOf(s Sort, text, typ string) (*item, error) {
	it := &item{typed: true, text: text, kind: sortKinds[s]}
	var err error
	switch s {
	case Null:
		return &item{kind: nullKind}, nil
	case JSON:
		it, err = parse(text, maxDepth)
		if errors.Is(err, errJSON) {
			err = errInput
		}
		return it, err
	case Bool:
		it.kind = boolKind
		if text == "true" {
			it.num = 1
		}
	case Tinyint, Smallint, Integer, Bigint:
		it.num, err = strconv.ParseInt(text, 10, 64)
	case Real:
		it.float, err = strconv.ParseFloat(text, 32)
	case Double:
		it.float, err = strconv.ParseFloat(text, 64)
	case Decimal:
		d, ok := readDecimal(text)
		if !ok {
			return nil, errors.New("a decimal's text is none")
		}
		if it.dec = d; typ != "" {
			// the type says how many digits it may have
			p, _, _ := strings.Cut(strings.TrimPrefix(typ, "decimal("), ",")
			if it.dec.precision, err = strconv.Atoi(p); err != nil {
				return nil, err
			}
		}
	case Varchar:
		it.kind = textKind
	case Char:
		it.kind, it.other = textKind, "char"
	case Moment:
		it.kind, it.other = otherKind, typ
	default:
		return nil, errors.New("a value of no sort")
	}
	return it, err
}

// sqlText is a scalar as an SQL value: its sort and the text of Trino's cast to varchar. It is false for what no SQL value can be.
func (it *item) sqlText() (Sort, string, bool) {
	switch it.kind {
	case nullKind:
		return Null, "", true
	case boolKind:
		return Bool, strconv.FormatBool(it.num != 0), true
	case textKind:
		if it.other == "char" {
			return Char, it.text, true
		}
		return Varchar, plain(it.text), true
	case realKind:
		return Real, string(javatext.AppendCast(nil, it.float, 32)), true
	case doubleKind:
		return Double, string(javatext.AppendCast(nil, it.float, 64)), true
	case decimalKind:
		return Decimal, it.dec.String(), true
	case otherKind:
		return Moment, it.text, true
	case tinyKind, smallKind, integerKind, bigintKind:
		s := map[kind]Sort{tinyKind: Tinyint, smallKind: Smallint, integerKind: Integer, bigintKind: Bigint}[it.kind]
		return s, strconv.FormatInt(it.num, 10), true
	}
	return 0, "", false
}

// Fields are texts in one text, each with its length before it.
type Fields string

// Encode puts texts into one.
func Encode(texts ...string) Fields {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(strconv.Itoa(len(t)))
		b.WriteByte(':')
		b.WriteString(t)
	}
	return Fields(b.String())
}

// Decode takes the texts apart.
func (f Fields) Decode() ([]string, error) {
	var out []string
	for rest := string(f); rest != ""; {
		size, after, ok := strings.Cut(rest, ":")
		n, err := strconv.Atoi(size)
		if !ok || err != nil || n < 0 || n > len(after) {
			return nil, errors.New("sqljson: fields that are none")
		}
		out, rest = append(out, after[:n]), after[n:]
	}
	return out, nil
}
