package query

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync/atomic"

	"github.com/lochlake/loch/engine"
)

// A result file holds one answer. All numbers are little endian, checksums are CRC-32C.
//
//	header   magicHead, length (32 bits) and checksum (32 bits) of what follows, the columns as JSON
//	blocks   length of the payload, rows, checksum of rows and payload (32 bits each), payload: for each value a uvarint (0: NULL, else its length + 1) and its text
//	index    for each block its first row and its offset in the file (64 bits each)
//	trailer  offset of the index, number of rows (64 bits each), checksum of the index and these two (32 bits), magicTail
//
// A block ends at 1,000 rows or past 1 MiB, so that reading a page of any answer takes little memory.
const (
	magicHead  = "LOCHRES1"
	magicTail  = "LOCHEND1"
	blockRows  = 1000
	blockBytes = 1 << 20
	trailerLen = 8 + 8 + 4 + 8
	maxHeader  = 16 << 20
	maxBlock   = 128 << 20 // a block of one row of the largest kind that the engine gives
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errResultSpace: the results that are kept leave no room for this one.
var errResultSpace = &engine.Error{Kind: engine.Resources, Message: "The query's results need more room than is left for the results of queries."}

// room is the bytes that result files take, and may take.
type room struct {
	used  atomic.Int64
	bound int64
}

// take enters n bytes, or fails where they don't fit.
func (r *room) take(n int64) error {
	if r.used.Add(n) > r.bound {
		r.used.Add(-n)
		return errResultSpace
	}
	return nil
}

// resultWriter writes a result file aside, in constant memory but for 16 bytes a block.
type resultWriter struct {
	f     *os.File
	w     *bufio.Writer
	path  string // its name when it is whole
	room  *room
	taken int64
	off   int64
	block []byte
	rows  uint32 // of the block
	total int64
	index []byte
}

// partial is the suffix of files that are not whole.
const partial = ".part"

func newResultWriter(path string, columns []engine.Column, r *room) (*resultWriter, error) {
	head, err := json.Marshal(columns)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &resultWriter{f: f, w: bufio.NewWriterSize(f, 256<<10), path: path, room: r}
	b := append([]byte(magicHead), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(head)))
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(head, castagnoli))
	if err := w.write(append(b, head...)); err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	return w, nil
}

func (w *resultWriter) write(b []byte) error {
	if err := w.room.take(int64(len(b))); err != nil {
		return err
	}
	w.taken += int64(len(b))
	n, err := w.w.Write(b)
	w.off += int64(n)
	return err
}

// row adds a row.
func (w *resultWriter) row(vals []engine.Value) error {
	for _, v := range vals {
		if v.Null {
			w.block = append(w.block, 0)
			continue
		}
		w.block = binary.AppendUvarint(w.block, uint64(len(v.Text))+1)
		w.block = append(w.block, v.Text...)
	}
	w.rows++
	w.total++
	if w.rows == blockRows || len(w.block) >= blockBytes {
		return w.flush()
	}
	return nil
}

func (w *resultWriter) flush() error {
	if w.rows == 0 {
		return nil
	}
	w.index = binary.LittleEndian.AppendUint64(w.index, uint64(w.total)-uint64(w.rows))
	w.index = binary.LittleEndian.AppendUint64(w.index, uint64(w.off))
	var head [12]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(w.block)))
	binary.LittleEndian.PutUint32(head[4:], w.rows)
	binary.LittleEndian.PutUint32(head[8:], blockSum(head[4:8], w.block))
	if err := errors.Join(w.write(head[:]), w.write(w.block)); err != nil {
		return err
	}
	w.block, w.rows = w.block[:0], 0
	if cap(w.block) > 4*blockBytes {
		w.block = nil
	}
	return nil
}

func blockSum(rows, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(rows, castagnoli), castagnoli, payload)
}

// finish makes the file whole, under its name. It outlives the server from now on, and the machine once settle has returned.
func (w *resultWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	at := w.off
	tail := binary.LittleEndian.AppendUint64(w.index, uint64(at))
	tail = binary.LittleEndian.AppendUint64(tail, uint64(w.total))
	tail = binary.LittleEndian.AppendUint32(tail, crc32.Checksum(tail, castagnoli))
	if err := w.write(append(tail, magicTail...)); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	return os.Rename(w.path+partial, w.path)
}

// settle makes a finished file durable.
func (w *resultWriter) settle() error {
	return errors.Join(w.f.Sync(), w.f.Close(), syncDir(filepath.Dir(w.path)))
}

// abandon removes what was written.
func (w *resultWriter) abandon() error {
	w.room.used.Add(-w.taken)
	w.taken = 0
	err := w.f.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return errors.Join(err, os.Remove(w.path+partial))
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// resultReader reads a whole result file.
type resultReader struct {
	f       *os.File
	columns []engine.Column
	index   []byte
	end     int64 // of the blocks
	rows    int64
}

// ErrDamaged: a result file is not as it was written.
var ErrDamaged = errors.New("the file of results is damaged")

func openResults(path string) (*resultReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &resultReader{f: f}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return r, nil
}

func (r *resultReader) open() error {
	st, err := r.f.Stat()
	if err != nil {
		return err
	}
	var head [16]byte
	if _, err := r.f.ReadAt(head[:], 0); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	n := int64(binary.LittleEndian.Uint32(head[8:]))
	if string(head[:8]) != magicHead || n > maxHeader || n+16+trailerLen > st.Size() {
		return fmt.Errorf("%w: no header", ErrDamaged)
	}
	columns := make([]byte, n)
	if _, err := r.f.ReadAt(columns, 16); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	if crc32.Checksum(columns, castagnoli) != binary.LittleEndian.Uint32(head[12:]) {
		return fmt.Errorf("%w: header", ErrDamaged)
	}
	if err := json.Unmarshal(columns, &r.columns); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	var tail [trailerLen]byte
	if _, err := r.f.ReadAt(tail[:], st.Size()-trailerLen); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	r.end, r.rows = int64(binary.LittleEndian.Uint64(tail[:])), int64(binary.LittleEndian.Uint64(tail[8:]))
	size := st.Size() - trailerLen - r.end
	if string(tail[20:]) != magicTail || r.end < 16+n || size < 0 || size%16 != 0 {
		return fmt.Errorf("%w: no trailer", ErrDamaged)
	}
	index := make([]byte, size+16)
	if _, err := r.f.ReadAt(index, r.end); err != nil {
		return errors.Join(ErrDamaged, err)
	}
	if crc32.Checksum(index, castagnoli) != binary.LittleEndian.Uint32(tail[16:]) {
		return fmt.Errorf("%w: index", ErrDamaged)
	}
	r.index = index[:size]
	return nil
}

func (r *resultReader) close() error { return r.f.Close() }

// block gives a block's first row and where it lies.
func (r *resultReader) block(i int) (row, off, end int64) {
	row = int64(binary.LittleEndian.Uint64(r.index[16*i:]))
	off = int64(binary.LittleEndian.Uint64(r.index[16*i+8:]))
	end = r.end
	if i+1 < len(r.index)/16 {
		end = int64(binary.LittleEndian.Uint64(r.index[16*i+24:]))
	}
	return row, off, end
}

// page reads at most n rows from the row numbered from (counting from 0), fewer where their texts pass most bytes, but at least one.
// next is where the following page begins, the number of rows at the end.
func (r *resultReader) page(from int64, n int, most int64) (rows [][]engine.Value, next int64, err error) {
	if from < 0 || from > r.rows {
		return nil, 0, fmt.Errorf("row %d of %d", from, r.rows)
	}
	blocks := len(r.index) / 16
	i := sort.Search(blocks, func(i int) bool { row, _, _ := r.block(i); return row > from }) - 1
	if i < 0 && blocks > 0 {
		return nil, 0, fmt.Errorf("%w: the index begins at a later row", ErrDamaged)
	}
	next = from
	var bytes int64
	for i = max(i, 0); i < blocks && len(rows) < n && next < r.rows; i++ {
		row, off, end := r.block(i)
		payload, count, err := r.payload(off, end)
		if err != nil {
			return nil, 0, err
		}
		for k := range int64(count) {
			vals := make([]engine.Value, len(r.columns))
			if payload, err = takeRow(payload, vals); err != nil {
				return nil, 0, err
			}
			if row+k < next {
				continue
			}
			size := int64(0)
			for _, v := range vals {
				size += int64(len(v.Text)) + 16
			}
			if len(rows) == n || len(rows) > 0 && bytes+size > most {
				return rows, next, nil
			}
			rows, bytes, next = append(rows, vals), bytes+size, row+k+1
		}
	}
	return rows, next, nil
}

// payload reads and checks the block that lies between off and end.
func (r *resultReader) payload(off, end int64) ([]byte, uint32, error) {
	if end-off < 12 || end-off-12 > maxBlock {
		return nil, 0, fmt.Errorf("%w: block at %d", ErrDamaged, off)
	}
	b := make([]byte, end-off)
	if _, err := io.ReadFull(io.NewSectionReader(r.f, off, end-off), b); err != nil {
		return nil, 0, errors.Join(ErrDamaged, err)
	}
	if int64(binary.LittleEndian.Uint32(b)) != end-off-12 || blockSum(b[4:8], b[12:]) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, 0, fmt.Errorf("%w: block at %d", ErrDamaged, off)
	}
	return b[12:], binary.LittleEndian.Uint32(b[4:]), nil
}

// takeRow reads one row into vals and gives what follows it.
func takeRow(b []byte, vals []engine.Value) ([]byte, error) {
	for i := range vals {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k)+1 {
			return nil, fmt.Errorf("%w: a row is cut", ErrDamaged)
		}
		b = b[k:]
		if n == 0 {
			vals[i] = engine.Value{Null: true}
			continue
		}
		vals[i] = engine.Value{Text: b[: n-1 : n-1]}
		b = b[n-1:]
	}
	return b, nil
}
