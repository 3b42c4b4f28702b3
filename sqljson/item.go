// Package sqljson is JSON as Trino reads, writes and queries it: its reader with the limits and the leniency of the one that Trino uses, its texts,
// the paths of json_extract, and the path language of SQL/JSON (ISO/IEC 9075-2, https://trino.io/docs/current/functions/json.html).
package sqljson

import (
	"errors"
	"math/big"
)

// kind is what an item is. The kinds from tinyKind to decimalKind are numbers.
type kind uint8

const (
	nullKind kind = iota
	boolKind
	textKind
	tinyKind
	smallKind
	integerKind
	bigintKind
	realKind
	doubleKind
	decimalKind
	hugeKind  // an integer of JSON beyond 64 bits, which is no number to a path
	otherKind // a date, a time or a timestamp that was passed to a path, as text
	arrayKind
	objectKind
)

func (k kind) integral() bool { return k >= tinyKind && k <= bigintKind }
func (k kind) numeric() bool  { return k >= tinyKind && k <= decimalKind }

// item is one JSON value, or one SQL value that a path made or was passed.
type item struct {
	kind  kind
	typed bool   // an SQL value; it differs from JSON where a number becomes an index
	text  string // of a string, with lone surrogates as three bytes each; the digits of a hugeKind; the text of an otherKind
	other string // the type of an otherKind
	num   int64  // an integer, or a boolean's 0 and 1
	float float64
	dec   decimal
	elems []*item  // of an array, or the values of an object
	names []string // of an object, each once
}

func (it *item) scalar() bool { return it.kind != arrayKind && it.kind != objectKind }

// get is an object's member, nil where it has none of the name.
func (it *item) get(name string) *item {
	for i, n := range it.names {
		if n == name {
			return it.elems[i]
		}
	}
	return nil
}

// decimal is an exact number: digits/10^scale, of at most 38 digits.
type decimal struct {
	digits    *big.Int
	precision int
	scale     int
}

// ErrNotYet is an answer that Trino has and that is not worked out here; a caller must not take it for a failure that SQL can handle.
var ErrNotYet = errors.New("not supported yet")

// errJSON is a text that is no JSON.
var errJSON = errors.New("not JSON")

// How deep values may lie in one another: in a text that a path is asked of or that json_extract writes, as in Trino, and in one that json_parse reads.
const (
	maxDepth   = 1000
	parseDepth = 100_000
)

var errDepth = errors.New("Document nesting depth exceeds the maximum allowed (1000)")
