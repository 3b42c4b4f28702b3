// Package laketest helps tests to look into a lake's files.
package laketest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/twmb/avro/ocf"
)

// Holding names the files below a folder that hold one of the texts: raw, in a value of a Parquet file, or in an Avro file.
func Holding(t testing.TB, dir string, texts ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile, as the folder of a query process that has ended
		}
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		all := [][]byte{content}
		switch filepath.Ext(path) {
		case ".parquet":
			all = append(all, values(t, content)...)
		case ".avro":
			r, err := ocf.NewReader(bytes.NewReader(content))
			if err != nil {
				return err
			}
			for {
				var v any
				if err := r.Decode(&v); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				all = append(all, fmt.Appendf(nil, "%q %s", v, v))
			}
		}
		for _, text := range texts {
			for _, b := range all {
				if bytes.Contains(b, []byte(text)) {
					found = append(found, fmt.Sprintf("%s: %s", path, text))
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// values gives the texts of all columns of a Parquet file.
func values(t testing.TB, content []byte) (out [][]byte) {
	t.Helper()
	pr, err := file.NewParquetReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	got, defs, reps := make([]parquet.ByteArray, 1024), make([]int16, 1024), make([]int16, 1024)
	for g := range pr.NumRowGroups() {
		for i := range pr.RowGroup(g).NumColumns() {
			c, err := pr.RowGroup(g).Column(i)
			if err != nil {
				t.Fatal(err)
			}
			texts, ok := c.(*file.ByteArrayColumnChunkReader)
			if !ok {
				continue
			}
			for texts.HasNext() {
				_, n, err := texts.ReadBatch(int64(len(got)), got, defs, reps)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range got[:n] {
					out = append(out, bytes.Clone(v))
				}
			}
		}
	}
	return out
}
