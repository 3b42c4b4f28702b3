package functions

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"errors"
	"sync"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// registered are the functions by the number that DuckDB gives back with a call.
var registered struct {
	sync.RWMutex
	list []*function
}

// register makes the function known to DuckDB.
func (f *function) register(conn duckdb.Connection) error {
	d := duckdb.CreateScalarFunction()
	defer duckdb.DestroyScalarFunction(&d)
	duckdb.ScalarFunctionSetName(d, f.name)
	for _, a := range f.args {
		l := a.logical()
		duckdb.ScalarFunctionAddParameter(d, l)
		duckdb.DestroyLogicalType(&l)
	}
	l := f.output().logical()
	duckdb.ScalarFunctionSetReturnType(d, l)
	duckdb.DestroyLogicalType(&l)
	if f.nulls {
		duckdb.ScalarFunctionSetSpecialHandling(d)
	}
	if f.volatile {
		duckdb.ScalarFunctionSetVolatile(d)
	}
	registered.Lock()
	number := (*C.int)(C.malloc(C.sizeof_int))
	*number = C.int(len(registered.list))
	registered.list = append(registered.list, f)
	registered.Unlock()
	duckdb.ScalarFunctionSetExtraInfo(d, unsafe.Pointer(number), C.free)
	duckdb.ScalarFunctionSetFunction(d, C.loch_ask)
	if duckdb.RegisterScalarFunction(conn, d) == duckdb.StateError {
		return errors.New("DuckDB does not take it")
	}
	return nil
}

// output is the type of the function's result in DuckDB.
func (f *function) output() *typ {
	if !f.fails {
		return f.result
	}
	return &typ{kind: structure, elems: []*typ{f.result, {kind: varchar}}, names: []string{"v", "e"}}
}

// Serve answers calls with n goroutines, which is as many as DuckDB has threads, until stop is called. No statement may run after that.
func Serve(n int) (stop func()) {
	C.loch_open()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				call := C.loch_take()
				if call == nil {
					return
				}
				answer(duckdb.FunctionInfo{Ptr: call.info}, duckdb.DataChunk{Ptr: call.input}, duckdb.Vector{Ptr: call.output})
				C.loch_answer(call)
			}
		})
	}
	return func() {
		C.loch_close()
		wg.Wait()
	}
}

// answer computes a chunk of rows.
func answer(info duckdb.FunctionInfo, input duckdb.DataChunk, output duckdb.Vector) {
	registered.RLock()
	f := registered.list[*(*C.int)(duckdb.ScalarFunctionGetExtraInfo(info))]
	registered.RUnlock()
	cols := make([]vector, len(f.args))
	for i, t := range f.args {
		cols[i].bind(t, duckdb.DataChunkGetVector(input, duckdb.IdxT(i)))
	}
	result := newResult(f.output(), output)
	value, problem := result, (*Result)(nil)
	rows := int(duckdb.DataChunkGetSize(input))
	if f.fails {
		value, problem = result.parts[0], result.parts[1]
		problem.allNull(rows)
	}
	for row := range rows {
		value.row = row
		a := Row{cols, row}
		if !f.nulls && a.anyNull() {
			value.Null()
			continue
		}
		if err := f.row(a, value); err != nil {
			value.Null()
			problem.row = row
			problem.notNull()
			problem.Text(Raised + err.Error())
		}
	}
}
