// Package dialect understands Trino's SELECT: lexer, parser, tree and checker, and writers that put a checked statement into an
// engine's own SQL. It knows no engine, storage or store: names resolve through a Catalog.
package dialect
