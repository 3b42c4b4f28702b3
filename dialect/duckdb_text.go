package dialect

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// What the written SQL is made of. Names and strings of the statement reach the engine only through quote and quoteName.

func itoa(n int) string { return strconv.Itoa(n) }

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// quote is a string literal. The parser lets no NUL in.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName is an identifier.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// memberName is the name that the i-th field of a row has in DuckDB: its own in lower case, where that is a plain word which no other field has.
func memberName(row Type, i int) string {
	name := strings.ToLower(row.Fields[i].Name)
	for j := range len(name) {
		if !wordByte(name[j]) {
			name = ""
			break
		}
	}
	if name == "" {
		return "f" + itoa(i)
	}
	for j, f := range row.Fields {
		if j != i && (strings.EqualFold(f.Name, name) || "f"+itoa(j) == name) {
			return "f" + itoa(i) + "_"
		}
	}
	return name
}

// duckType is the type in DuckDB that holds values of t.
func duckType(t Type) string {
	switch t.Kind {
	case Unknown:
		return "INTEGER"
	case Boolean:
		return "BOOLEAN"
	case Tinyint:
		return "TINYINT"
	case Smallint:
		return "SMALLINT"
	case Integer, IntervalYearMonth: // a number of months
		return "INTEGER"
	case Bigint, IntervalDaySecond: // a number of milliseconds
		return "BIGINT"
	case Real:
		return "FLOAT"
	case Double:
		return "DOUBLE"
	case Decimal:
		return "DECIMAL(" + itoa(t.Precision) + "," + itoa(t.Scale) + ")"
	case Varbinary, IPAddress: // of an address its 16 bytes
		return "BLOB"
	case Date:
		return "DATE"
	case Time:
		return "TIME"
	case Timestamp, TimestampZoned: // an instant, in UTC
		return "TIMESTAMP"
	case UUID:
		return "UUID"
	case Array:
		return duckType(*t.Elem) + "[]"
	case Map:
		return "MAP(" + duckType(*t.Key) + ", " + duckType(*t.Elem) + ")"
	case Row:
		var b strings.Builder
		b.WriteString("STRUCT(")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoteName(memberName(t, i)))
			b.WriteByte(' ')
			b.WriteString(duckType(f.Type))
		}
		b.WriteByte(')')
		return b.String()
	}
	return "VARCHAR" // varchar, char, json
}

// castTo writes a cast without any guard.
func castTo(sql string, t Type) string { return "CAST(" + sql + " AS " + duckType(t) + ")" }

// raise is an expression of type t that fails with a message when it is evaluated, and not before. (DuckDB's error() may not stand in TRY and
// keeps conditions around it from being moved to where they cost least; a cast that cannot succeed does neither.)
func raise(message string, t Type) string {
	return raiseText(quote(message), t)
}

// raiseText does the same with a message that is an expression.
func raiseText(sql string, t Type) string {
	failing, d := "CAST("+quote(raised)+" || "+sql+" AS INTEGER)", duckType(t)
	refusal := strings.Contains(sql, notYet)
	if refusal {
		failing = "epoch_ms(timezone(" + quote(raised) + " || " + sql + ", TIMESTAMP '1970-01-01 00:00:00'))"
	}
	if refusal || d != "INTEGER" {
		// An element of the type wanted, could it be reached. (In the condition of a CASE DuckDB would evaluate a constant before it knows that it must.)
		return "[CAST(NULL AS " + d + ")][" + failing + "]"
	}
	return failing
}

// raised marks a message that the written SQL raises itself.
const raised = "loch: "

// fallible writes the call of one of the worker's functions that may fail. Its result in DuckDB is a struct of the value, v, and of an error's text, e;
// the cast of that text fails as a raise does, in the rows whose value is asked for and in no other.
func fallible(call string, t Type) string {
	return "struct_extract(CAST(" + call + " AS STRUCT(v " + duckType(t) + ", e INTEGER)), 'v')"
}

// notYet ends the messages of what Loch refuses for some data only. They are raised by an error that DuckDB's TRY does not catch (an unknown time
// zone), as TRY would make a wrong NULL of a refusal.
const notYet = "not supported yet"

// EngineMessage is what a failed run of a written statement is to tell its user: the message of an error that the statement raised itself as
// Trino words it, or the engine's own, shortened to its first line.
func EngineMessage(message string) string {
	if i := strings.Index(message, raised); i >= 0 {
		message = message[i+len(raised):]
		if refused, _, ok := strings.Cut(message, notYet+"'!"); ok {
			return refused + notYet
		}
		j := strings.Index(message, "' to INT32\n")
		if j < 0 { // the first line alone
			j = strings.LastIndex(message, "' to ")
		}
		if j >= 0 {
			message = message[:j]
		}
		return message
	}
	if strings.Contains(message, "More than one row returned by a subquery") {
		return "Scalar sub-query has returned multiple rows"
	}
	if i := strings.IndexByte(message, '\n'); i >= 0 {
		message = message[:i]
	}
	for _, class := range []string{"Conversion Error: ", "Out of Range Error: ", "Invalid Input Error: ", "Binder Error: "} {
		message = strings.TrimPrefix(message, class)
	}
	return strings.TrimSpace(message)
}

// balanced joins terms with an operator so that they nest only as deep as a tree over them must.
func balanced(terms []string, op string) string {
	switch len(terms) {
	case 1:
		return terms[0]
	case 2:
		return "(" + terms[0] + op + terms[1] + ")"
	}
	half := len(terms) / 2
	return "(" + balanced(terms[:half], op) + op + balanced(terms[half:], op) + ")"
}
