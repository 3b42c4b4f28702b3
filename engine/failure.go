package engine

import (
	"errors"
	"strings"
)

// ErrorKind says whose fault a failed run is.
type ErrorKind string

// The kinds of failure.
const (
	Statement ErrorKind = "statement" // the statement, on these events: a division by zero, a cast that fails
	Resources ErrorKind = "resources" // more memory, temporary space or time than one query may take
	Crashed   ErrorKind = "crashed"   // the child died; other queries are untouched
	Internal  ErrorKind = "internal"  // ours: the engine refused what it was given, or could not read a file
)

// Error is a run that failed. Message is for the caller and holds no path and no SQL of ours; the cause is for the log.
type Error struct {
	Kind    ErrorKind
	Message string
	Err     error
}

// Error gives the message for the caller.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// statementErrors are DuckDB's kinds of errors that tell of values, not of names or files.
var statementErrors = []string{"Conversion Error", "Out of Range Error", "Invalid Input Error", "Decimal Error", "Mismatch Type Error"}

// explain turns DuckDB's text into an Error. DuckDB shows the place in the SQL that it ran after the first line, which is ours and not the
// caller's, so only the first line counts; names of files never pass.
func explain(text string) *Error {
	cause := errors.New(text)
	kind, rest, _ := strings.Cut(text, ": ")
	line, _, _ := strings.Cut(rest, "\n")
	line = strings.TrimSpace(line)
	switch {
	case kind == "Out of Memory Error" && strings.Contains(text, "max_temp_directory_size"):
		return &Error{Resources, "The query needs more temporary space than one query may take.", cause}
	case kind == "Out of Memory Error":
		return &Error{Resources, "The query needs more memory than one query may take.", cause}
	case kind == "IO Error" && strings.Contains(text, "File too large"):
		return &Error{Resources, "The query needs more temporary space than one query may take.", cause}
	case strings.Contains(text, "Max expression depth"), strings.Contains(text, "stack overflow"):
		return &Error{Resources, "The statement nests too deeply.", cause}
	}
	for _, k := range statementErrors {
		if kind == k && line != "" && !leaks(line) {
			return &Error{Statement, sentence(line), cause}
		}
	}
	if kind == "Not implemented Error" && strings.HasPrefix(line, "Unknown TimeZone ") && !leaks(line) {
		return &Error{Statement, sentence(line), cause}
	}
	if kind == "Conversion Error" {
		return &Error{Statement, "A value could not be cast to the type that the statement asks for.", cause}
	}
	return &Error{Internal, "The query engine could not run the statement.", cause}
}

// leaks tells whether an error's line may hold what is ours: the name of a file, a setting, a function.
func leaks(line string) bool {
	for _, s := range []string{".parquet", "configuration", "Parquet", "parquet", "directory", "LINE ", "SELECT "} {
		if strings.Contains(line, s) {
			return true
		}
	}
	return false
}

// typeNames are DuckDB's names of types in its errors, and Trino's.
var typeNames = strings.NewReplacer("UINT8", "smallint", "UINT16", "integer", "UINT32", "bigint", "UINT64", "decimal(20,0)", "INT8", "tinyint", "INT16", "smallint",
	"INT32", "integer", "INT64", "bigint", "INT128", "decimal(38,0)", "FLOAT", "real", "DOUBLE", "double", "BOOL", "boolean", "TIMESTAMP", "timestamp", "DATE", "date")

// sentence ends a line with a point, speaks of Trino's types, and drops DuckDB's advice, which names what callers cannot use.
func sentence(line string) string {
	for _, advice := range []string{" when casting from source column", ". Try ", ". Consider ", ". You might", ". Use "} {
		if i := strings.Index(line, advice); i > 0 {
			line = line[:i]
		}
	}
	line = typeNames.Replace(line)
	if !strings.HasSuffix(line, ".") && !strings.HasSuffix(line, "!") {
		line += "."
	}
	return line
}
