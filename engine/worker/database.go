package worker

/*
#cgo linux LDFLAGS: -ldl
#include "database.h"
#include "memory.h"
*/
import "C"

import (
	"errors"
	"os"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// NurseryArgument is the hidden command that makes a process a nursery of workers, where the system can have one (nursery_linux.c).
const NurseryArgument = C.LOCH_NURSERY

// open makes the worker's connection, to the database that the nursery brought or to one of its own.
func (w *worker) open() error {
	temp, err := os.Getwd() // a worker starts in its own directory
	if err != nil {
		return err
	}
	db := C.loch_nursery_database
	if db == nil {
		if problem := C.loch_database_open(&db); problem != nil {
			return errors.New(C.GoString(problem))
		}
	}
	if duckdb.Connect(duckdb.Database{Ptr: db}, &w.conn) == duckdb.StateError {
		return errors.New("DuckDB gave no connection")
	}
	C.loch_memory_reserve()
	return w.exec(strings.Join([]string{
		"SET temp_directory = " + Quote(temp),
		"SET streaming_buffer_size = '256KB'",     // it counts 16 bytes a string, however long
		"SET order_by_non_integer_literal = true", // Trino takes constants in ORDER BY inside an aggregate
		"SET enable_profiling = 'no_output'",
		`SET custom_profiling_settings = '{"OPERATOR_TYPE": "true", "OPERATOR_CARDINALITY": "true", "TOTAL_BYTES_READ": "true"}'`,
	}, "; "))
}

// releaseMemory lets the statement have the memory that open reserved. DuckDB gives free memory back to the system when it is told its limits, so this comes after them.
func releaseMemory() { C.loch_memory_release() }
