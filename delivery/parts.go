package delivery

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// partBytes is past which compressed size a file of results ends and another begins.
const partBytes = 128 << 20

// part is one finished file of results, on local disk.
type part struct {
	SignedFile
	file *os.File // read from its start
	size int64
}

// parts writes rows as CSV into gzip files of a bounded size, and hands each to done when it is full. It keeps one of them on disk, and little in memory.
type parts struct {
	dir   string
	limit int64
	done  func(part) error

	head  []byte // the line of columns' names, with which each file begins
	line  []byte
	n     int // of the current file, from 1
	file  *os.File
	out   *bufio.Writer
	sum   hash.Hash
	size  counter
	zip   *gzip.Writer
	files []SignedFile
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (p *parts) columns(names []string) error {
	texts := make([][]byte, len(names))
	for i, n := range names {
		texts[i] = []byte(n)
	}
	p.head = appendCSV(nil, texts)
	return p.begin()
}

// begin opens the next file.
func (p *parts) begin() (err error) {
	if p.file, err = os.CreateTemp(p.dir, "delivery-*"); err != nil {
		return err
	}
	p.n++
	p.size, p.sum = 0, sha256.New()
	p.out = bufio.NewWriterSize(io.MultiWriter(p.file, p.sum, &p.size), 64<<10)
	if p.zip == nil {
		p.zip = gzip.NewWriter(p.out)
	} else {
		p.zip.Reset(p.out)
	}
	_, err = p.zip.Write(p.head)
	return err
}

func (p *parts) row(texts [][]byte) error {
	if int64(p.size) >= p.limit {
		if err := p.end(); err != nil {
			return err
		}
		if err := p.begin(); err != nil {
			return err
		}
	}
	p.line = appendCSV(p.line[:0], texts)
	_, err := p.zip.Write(p.line)
	return err
}

// end finishes the current file and hands it on.
func (p *parts) end() error {
	if err := errors.Join(p.zip.Close(), p.out.Flush()); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f := SignedFile{fmt.Sprintf("result_%d.csv.gz", p.n), hex.EncodeToString(p.sum.Sum(nil))}
	if err := p.done(part{f, p.file, int64(p.size)}); err != nil {
		return err
	}
	p.files = append(p.files, f)
	return p.drop()
}

// drop removes the current file, where there is one.
func (p *parts) drop() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// appendCSV writes a line by RFC 4180: every value in quotes, NULL as nothing. Where the line has one column, NULL is a value in quotes too, since readers pass
// over an empty line.
func appendCSV(dst []byte, texts [][]byte) []byte {
	for i, t := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		if t == nil && len(texts) > 1 {
			continue
		}
		dst = append(dst, '"')
		for {
			q := bytes.IndexByte(t, '"')
			if q < 0 {
				break
			}
			dst = append(append(dst, t[:q+1]...), '"')
			t = t[q+1:]
		}
		dst = append(append(dst, t...), '"')
	}
	return append(dst, '\n')
}
