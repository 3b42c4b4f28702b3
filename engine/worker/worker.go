package worker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/lochlake/loch/engine/worker/functions"
)

// Argument is the hidden command that makes a process a worker.
const Argument = "engine-worker"

// answerFD is the file descriptor of the pipe that a worker answers on.
const answerFD = 3

// init takes the process over before the rest of the program is initialised, which takes five times as long and as much memory as all that a worker
// needs. Go initialises packages in the order of their import paths as far as imports allow, so what this package imports must stay few and early.
func init() {
	if len(os.Args) == 2 && os.Args[1] == Argument {
		work()
	}
}

// work is a worker's whole life: it opens DuckDB, where no nursery has, reads one job from standard input, confines itself, runs the statement and answers on file
// descriptor 3. It never returns. The process ends when standard input closes, so that no worker outlives its parent.
func work() {
	// The walls of an older kernel hold for this thread and those that it starts, as DuckDB's will be.
	runtime.LockOSThread()
	confineEarly()
	out := Writer{os.NewFile(answerFD, "answers")}
	w := &worker{out: out, in: make(chan frame, 1)}
	err := w.run()
	if err == nil {
		os.Exit(0)
	}
	report := Failure{Text: err.Error()}
	if told, ok := errors.AsType[*told](err); ok {
		report.Message, report.Resources = told.message, told.resources
	} else if duck, ok := errors.AsType[duckError](err); ok {
		report.Duck = string(duck)
	}
	if err := out.WriteJSON(FrameError, report); err != nil {
		fmt.Fprintln(os.Stderr, report.Text, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// told is an error that the caller is told as it is.
type told struct {
	message   string
	resources bool // the query took more than it may; else a value of it cannot be told
}

func (e *told) Error() string { return e.message }

var (
	errRange = &told{message: "A value of the answer is out of the range of its type."}
	errRow   = &told{message: "A row of the answer is larger than 32 MiB.", resources: true}
)

// duckError is an error's text as DuckDB wrote it.
type duckError string

func (e duckError) Error() string { return string(e) }

type frame struct {
	kind    byte
	payload []byte
}

type worker struct {
	out  Writer
	in   chan frame
	conn duckdb.Connection
	buf  []byte
}

// listen passes the parent's frames on and ends the process when the parent goes.
func (w *worker) listen() {
	r := NewReader(os.Stdin)
	for {
		kind, payload, err := r.Next()
		if err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, "reading the job:", err)
			}
			os.Exit(2)
		}
		w.in <- frame{kind, append([]byte(nil), payload...)}
	}
}

func (w *worker) run() error {
	if err := w.open(); err != nil {
		return err
	}
	if err := w.out.Write(FrameReady, nil); err != nil {
		return err
	}
	go w.listen()
	j, err := receiveJob(<-w.in)
	if err != nil {
		return err
	}
	// DuckDB may have called functions as soon as it knows them, and for as long as an answer of its lives.
	defer functions.Serve(j.Threads)()
	if err := functions.Register(w.conn, j.SQL); err != nil {
		return err
	}
	if err := w.prepare(j); err != nil {
		return err
	}
	releaseMemory()
	for _, s := range j.Steps {
		if err := w.out.WriteJSON(FrameNext, s); err != nil {
			return err
		}
		if f := <-w.in; f.kind != FrameStaged {
			return fmt.Errorf("a frame %q where files were due", f.kind)
		}
		if err := w.exec(s.Insert); err != nil {
			return err
		}
	}
	return w.answer(j)
}

// prepare raises the walls: first the kernel's, then DuckDB's own, and locks them.
func (w *worker) prepare(j *Job) error {
	walls := confine(j)
	if err := w.out.WriteJSON(FrameWalls, walls); err != nil {
		return err
	}
	settings := []string{
		"SET max_temp_directory_size = " + Quote(strconv.FormatInt(j.TempMax, 10)+"B"),
		"SET memory_limit = " + Quote(strconv.FormatInt(j.Memory, 10)+"B"),
		"SET threads = " + strconv.Itoa(j.Threads),
		"SET allowed_paths = " + QuoteList(j.Paths),
	}
	settings = append(settings, j.Setup...)
	settings = append(settings, "SET enable_external_access = false", "SET lock_configuration = true")
	return w.exec(strings.Join(settings, "; "))
}

// exec runs statements of ours to their end.
func (w *worker) exec(sql string) error {
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.Query(w.conn, sql, &res) == duckdb.StateError {
		return duckError(duckdb.ResultError(&res))
	}
	return nil
}

// batch is how many bytes of rows go into one frame, at least.
const batch = 128 << 10

// answer runs the job's statement, which must be exactly one and a SELECT, and streams its rows.
func (w *worker) answer(j *Job) error {
	var stmts duckdb.ExtractedStatements
	n := duckdb.ExtractStatements(w.conn, j.SQL, &stmts)
	defer duckdb.DestroyExtracted(&stmts)
	if n == 0 {
		return duckError(duckdb.ExtractStatementsError(stmts))
	}
	if n != 1 {
		return fmt.Errorf("%d statements where one was due", n)
	}
	var stmt duckdb.PreparedStatement
	state := duckdb.PrepareExtractedStatement(w.conn, stmts, 0, &stmt)
	defer duckdb.DestroyPrepare(&stmt)
	if state == duckdb.StateError {
		return duckError(duckdb.PrepareError(stmt))
	}
	if k := duckdb.PreparedStatementType(stmt); k != duckdb.StatementTypeSelect {
		return fmt.Errorf("a statement of type %d where a SELECT was due", k)
	}
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(stmt, &pending) == duckdb.StateError {
		return duckError(duckdb.PendingError(pending))
	}
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePending(pending, &res) == duckdb.StateError {
		return duckError(duckdb.ResultError(&res))
	}
	cols, err := columnsOf(&res, j.Columns)
	if err != nil {
		return err
	}
	if err := w.stream(&res, cols); err != nil {
		return err
	}
	return w.out.WriteJSON(FrameDone, w.stats())
}

// columnsOf makes the renderers of an answer's columns.
func columnsOf(res *duckdb.Result, want []Column) ([]*column, error) {
	if n := int(duckdb.ColumnCount(res)); n != len(want) {
		return nil, fmt.Errorf("%w: %d columns, not %d", errTypes, n, len(want))
	}
	cols := make([]*column, len(want))
	for i, c := range want {
		t, err := parseTrinoType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
		z, err := loadZone(c.Zone)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
		l := duckdb.ColumnLogicalType(res, duckdb.IdxT(i))
		cols[i], err = newColumn(t, l)
		duckdb.DestroyLogicalType(&l)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
		cols[i].setZone(z)
	}
	return cols, nil
}

// stream sends every row. The pipe's fullness is the back-pressure: DuckDB computes no further than its streaming buffer.
func (w *worker) stream(res *duckdb.Result, cols []*column) error {
	var scratch []byte
	w.buf = w.buf[:0]
	for {
		chunk := duckdb.FetchChunk(*res)
		if chunk.Ptr == nil {
			if text := duckdb.ResultError(res); text != "" {
				return duckError(text)
			}
			break
		}
		rows := int(duckdb.DataChunkGetSize(chunk))
		for i, c := range cols {
			c.bind(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)))
		}
		for row := range rows {
			start := len(w.buf)
			for _, c := range cols {
				var err error
				if w.buf, err = c.cell(w.buf, row, &scratch); err != nil {
					duckdb.DestroyDataChunk(&chunk)
					return err
				}
			}
			if n := len(w.buf) - start; n > maxFrame/2 {
				duckdb.DestroyDataChunk(&chunk)
				return errRow
			}
			if len(w.buf) >= batch {
				if err := w.flush(); err != nil {
					return err
				}
			}
		}
		duckdb.DestroyDataChunk(&chunk)
		if rows == 0 {
			break
		}
	}
	return w.flush()
}

func (w *worker) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.out.Write(FrameRows, w.buf)
	w.buf = w.buf[:0]
	return err
}

// stats reads the profile of the statement that has just ended.
func (w *worker) stats() Done {
	info := duckdb.GetProfilingInfo(w.conn)
	if info.Ptr == nil {
		return Done{}
	}
	d := Done{HasStats: true, Read: metric(info, "TOTAL_BYTES_READ")}
	for i := range duckdb.ProfilingInfoGetChildCount(info) {
		d.Matched += matched(duckdb.ProfilingInfoGetChild(info, i), -1)
	}
	return d
}

// matched adds up what came out of the scans, or out of the filters right above them. above is what the lowest filter over
// this operator let through, -1 where there is none.
func matched(op duckdb.ProfilingInfo, above int64) int64 {
	rows := metric(op, "OPERATOR_CARDINALITY")
	children := duckdb.ProfilingInfoGetChildCount(op)
	switch kind := text(op, "OPERATOR_TYPE"); {
	case kind == "FILTER":
		if above < 0 {
			above = rows
		}
	case kind == "PROJECTION":
	case children == 0 && strings.Contains(kind, "SCAN"):
		if above >= 0 {
			return above
		}
		return rows
	default:
		above = -1
	}
	var n int64
	for i := range children {
		n += matched(duckdb.ProfilingInfoGetChild(op, i), above)
	}
	return n
}

func text(info duckdb.ProfilingInfo, key string) string {
	v := duckdb.ProfilingInfoGetValue(info, key)
	if v.Ptr == nil {
		return ""
	}
	defer duckdb.DestroyValue(&v)
	return duckdb.GetVarchar(v)
}

func metric(info duckdb.ProfilingInfo, key string) int64 {
	n, err := strconv.ParseInt(text(info, key), 10, 64)
	if err != nil {
		return 0 // a metric that this operator does not have
	}
	return n
}
