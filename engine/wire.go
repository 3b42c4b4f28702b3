package engine

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Parent and child speak frames over two pipes: a kind, a length (32 bits, little endian), and that many bytes.
const (
	frameJob    = 'J' // to the child: a workerJob
	frameStaged = 'G' // to the child: the group it asked for is readable
	frameReady  = 'H' // from the child: warm, waiting for its job
	frameWalls  = 'W' // from the child: a wallReport, once confined
	frameNext   = 'N' // from the child: a stageStep whose files it needs
	frameRows   = 'R' // from the child: rows, each value as a uvarint (0: NULL, else length + 1) and its text
	frameError  = 'E' // from the child: a workerError; nothing follows
	frameDone   = 'D' // from the child: a workerDone; nothing follows
)

// maxFrame bounds a frame, and so a row of an answer: 64 MiB.
const maxFrame = 64 << 20

// workerJob is all that a child is told.
type workerJob struct {
	Paths   []string    // every file it may read
	Temp    string      // its own directory, for temporary files
	Input   string      // directory where staged files appear, "" where all are local already
	Memory  int64       // bytes
	Threads int         //
	TempMax int64       // bytes
	Setup   []string    // statements before the steps: tables to stage into
	Steps   []stageStep // groups of remote files to load, in order
	Views   []string    // statements that give the relations their names
	SQL     string
	Columns []Column
}

// stageStep loads one group of files into a table of the child.
type stageStep struct {
	Group  int
	Insert string // the statement that loads it
}

// wallReport says how a child is confined.
type wallReport struct {
	Landlock int    // version of the kernel's Landlock, 0 where it has none
	Problem  string // why Landlock could not be applied, "" where it was or is not there
}

// workerError is a failure in the child.
type workerError struct {
	Text    string    // all of it, for the log
	Duck    string    // DuckDB's own text, where it was DuckDB that failed
	Kind    ErrorKind // where the worker itself knows what to tell the caller
	Message string
}

// workerDone is a statement's end.
type workerDone struct {
	Matched  int64 // rows out of the scans and the filters right above them
	Read     int64 // bytes
	HasStats bool
}

// receiveJob reads the first frame that a child gets.
func receiveJob(f frame) (*workerJob, error) {
	if f.kind != frameJob {
		return nil, fmt.Errorf("a frame %q where a job was due", f.kind)
	}
	j := &workerJob{}
	if err := json.Unmarshal(f.payload, j); err != nil {
		return nil, fmt.Errorf("the job: %w", err)
	}
	return j, nil
}

// frameWriter writes frames; it is used by one goroutine.
type frameWriter struct{ w io.Writer }

func (f frameWriter) write(kind byte, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("a frame of %d bytes is larger than %d", len(payload), maxFrame)
	}
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	if _, err := f.w.Write(head[:]); err != nil {
		return err
	}
	_, err := f.w.Write(payload)
	return err
}

func (f frameWriter) writeJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.write(kind, b)
}

// frameReader reads frames into one buffer that it reuses.
type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next gives the next frame; its payload is valid until the following call. io.EOF means that the other side closed between frames.
func (f *frameReader) next() (byte, []byte, error) {
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

// decodeRows gives each row of a rows frame to sink, in vals, which has one place for each column.
func decodeRows(b []byte, vals []Value, sink func([]Value) error) error {
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
