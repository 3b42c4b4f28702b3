package functions

import (
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

type kind uint8

const (
	boolean kind = iota
	tinyint
	smallint
	integer
	bigint
	real
	double
	varchar
	varbinary
	date
	timestamp
	array
	mapping
	structure // of a failing function's result
)

// typ is the type of an argument or a result, in Trino's names. In a signature: "bigint", "array(varchar)", "map(varchar, double)". A date is a
// number of days, a timestamp one of microseconds, from 1970-01-01.
type typ struct {
	kind  kind
	elems []*typ   // of an array, a map (key, value), a structure
	names []string // of a structure's members
}

var kinds = map[string]kind{"boolean": boolean, "tinyint": tinyint, "smallint": smallint, "integer": integer, "bigint": bigint, "real": real, "double": double,
	"varchar": varchar, "varbinary": varbinary, "date": date, "timestamp": timestamp, "array": array, "map": mapping}

// duckKinds are the kinds in DuckDB.
var duckKinds = [...]duckdb.Type{boolean: duckdb.TypeBoolean, tinyint: duckdb.TypeTinyInt, smallint: duckdb.TypeSmallInt, integer: duckdb.TypeInteger, bigint: duckdb.TypeBigInt,
	real: duckdb.TypeFloat, double: duckdb.TypeDouble, varchar: duckdb.TypeVarchar, varbinary: duckdb.TypeBlob, date: duckdb.TypeDate, timestamp: duckdb.TypeTimestamp}

// logical is the type in DuckDB; the caller destroys it.
func (t *typ) logical() duckdb.LogicalType {
	var parts []duckdb.LogicalType
	for _, e := range t.elems {
		parts = append(parts, e.logical())
	}
	defer func() {
		for i := range parts {
			duckdb.DestroyLogicalType(&parts[i])
		}
	}()
	switch t.kind {
	case array:
		return duckdb.CreateListType(parts[0])
	case mapping:
		return duckdb.CreateMapType(parts[0], parts[1])
	case structure:
		return duckdb.CreateStructType(parts, t.names)
	}
	return duckdb.CreateLogicalType(duckKinds[t.kind])
}

// parseSignature reads "name(type, …) type". Signatures are ours: one that cannot be read is a mistake in this package.
func parseSignature(text string) *function {
	p := &signatureReader{text, text}
	f := &function{name: p.until("(")}
	for !p.skip(")") {
		f.args = append(f.args, p.read())
		p.skip(", ")
	}
	p.skip(" ")
	f.result = p.read()
	if p.rest != "" || !strings.HasPrefix(f.name, Prefix) {
		p.fail()
	}
	return f
}

type signatureReader struct{ text, rest string }

func (p *signatureReader) fail() { panic("functions: the signature " + p.text + " cannot be read") }

func (p *signatureReader) skip(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

func (p *signatureReader) until(any string) string {
	i := strings.IndexAny(p.rest, any)
	if i < 0 {
		i = len(p.rest)
	}
	word := p.rest[:i]
	p.rest = strings.TrimPrefix(p.rest[i:], "(")
	return word
}

func (p *signatureReader) read() *typ {
	open := strings.IndexAny(p.rest, "(),")
	nested := open >= 0 && p.rest[open] == '('
	k, ok := kinds[p.until("(),")]
	if !ok || nested != (k == array || k == mapping) {
		p.fail()
	}
	t := &typ{kind: k}
	if nested {
		for !p.skip(")") {
			t.elems = append(t.elems, p.read())
			p.skip(", ")
		}
	}
	return t
}
