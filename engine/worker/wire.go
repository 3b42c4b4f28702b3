// Package worker is the child process of the embedded engine: it runs one statement in a DuckDB of its own, behind walls, and gives the rows. It is
// apart from the engine because a worker begins as soon as this package is initialised, long before the rest of the program.
package worker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Parent and child speak frames over two pipes: a kind, a length (32 bits, little endian), and that many bytes.
const (
	FrameJob    = 'J' // to the child: a Job
	FrameStaged = 'G' // to the child: the group it asked for is readable
	FrameReady  = 'H' // from the child: warm, waiting for its job
	FrameWalls  = 'W' // from the child: a Walls, once confined
	FrameNext   = 'N' // from the child: a Step whose files it needs
	FrameRows   = 'R' // from the child: rows, each value as a uvarint (0: NULL, else length + 1) and its text
	FrameError  = 'E' // from the child: a Failure; nothing follows
	FrameDone   = 'D' // from the child: a Done; nothing follows
)

// Column is one column of the answer, with its type as Trino writes it, for example "map(varchar, varchar)".
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Zone string `json:"zone,omitempty"` // where a timestamp with time zone lies: an IANA name or an offset such as "+02:00"; "" is UTC
}

// Value is one value of an answer in Trino's text form; Null where it is NULL.
type Value struct {
	Text []byte
	Null bool
}

// maxFrame bounds a frame, and so a row of an answer: 64 MiB.
const maxFrame = 64 << 20

// Job is all that a child is told.
type Job struct {
	Paths   []string // every file it may read
	Temp    string   // its own directory, for temporary files
	Input   string   // directory where staged files appear, "" where all are local already
	Memory  int64    // bytes
	Threads int      //
	TempMax int64    // bytes
	Setup   []string // statements before the steps: tables to stage into
	Steps   []Step   // groups of remote files to load, in order
	SQL     string
	Columns []Column
}

// Step loads one group of files into a table of the child.
type Step struct {
	Group  int
	Insert string // the statement that loads it
}

// Headroom is what a worker may have beyond DuckDB's memory limit, in bytes: DuckDB does not count the runtime of Go or its threads' stacks, and not all
// that it holds. Past it an allocation fails, and with it the query, before the machine runs out.
const Headroom = 1 << 30

// Walls says how a child is confined.
type Walls struct {
	Landlock int    // version of the kernel's Landlock, 0 where it has none
	Problem  string // why Landlock could not be applied, "" where it was or is not there
}

// Failure is a failure in the child.
type Failure struct {
	Text      string // all of it, for the log
	Duck      string // DuckDB's own text, where it was DuckDB that failed
	Message   string // where the worker itself knows what to tell the caller
	Resources bool   // the query took more than it may
}

// Done is a statement's end.
type Done struct {
	Matched  int64 // rows out of the scans and the filters right above them
	Read     int64 // bytes
	HasStats bool
}

// receiveJob reads the first frame that a child gets.
func receiveJob(f frame) (*Job, error) {
	if f.kind != FrameJob {
		return nil, fmt.Errorf("a frame %q where a job was due", f.kind)
	}
	j := &Job{}
	if err := json.Unmarshal(f.payload, j); err != nil {
		return nil, fmt.Errorf("the job: %w", err)
	}
	return j, nil
}

// Writer writes frames; it is used by one goroutine.
type Writer struct{ W io.Writer }

// Write writes one frame.
func (f Writer) Write(kind byte, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("a frame of %d bytes is larger than %d", len(payload), maxFrame)
	}
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	if _, err := f.W.Write(head[:]); err != nil {
		return err
	}
	_, err := f.W.Write(payload)
	return err
}

// WriteJSON writes one frame with v as JSON.
func (f Writer) WriteJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.Write(kind, b)
}

// Reader reads frames into one buffer that it reuses.
type Reader struct {
	r   *bufio.Reader
	buf []byte
}

// NewReader makes a Reader.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10)}
}

// Next gives the next frame; its payload is valid until the following call. io.EOF means that the other side closed between frames.
func (f *Reader) Next() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.LittleEndian.Uint32(head[1:]))
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes is larger than %d", n, maxFrame)
	}
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	f.buf = f.buf[:n]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return head[0], f.buf, nil
}

// DecodeRows gives each row of a rows frame to sink, in vals, which has one place for each column.
func DecodeRows(b []byte, vals []Value, sink func([]Value) error) error {
	for len(b) > 0 {
		for i := range vals {
			n, k := binary.Uvarint(b)
			if k <= 0 || n > uint64(len(b)-k)+1 {
				return fmt.Errorf("a row of the answer is cut")
			}
			b = b[k:]
			if n == 0 {
				vals[i] = Value{Null: true}
				continue
			}
			vals[i] = Value{Text: b[: n-1 : n-1]}
			b = b[n-1:]
		}
		if err := sink(vals); err != nil {
			return err
		}
	}
	return nil
}
