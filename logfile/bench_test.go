package logfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/logfile"
)

// corpus gives real log files as stored, or none where the corpus is not there.
func corpus(tb testing.TB) (files [][]byte) {
	root := filepath.Join("..", "..", "shared", "corpus", "cloudtrail")
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json.gz") {
			return err
		}
		b, err := os.ReadFile(path)
		files = append(files, b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return files
}

func BenchmarkReadAll(b *testing.B) {
	files := corpus(b)
	if len(files) == 0 {
		b.Skip("the corpus is not here")
	}
	b.ReportAllocs()
	var events, size int64
	for b.Loop() {
		for _, f := range files {
			batch, err := logfile.ReadAll(b.Context(), "", f, logfile.Options{})
			if err != nil || len(batch.Bad) > 0 {
				b.Fatal(err, batch.Bad)
			}
			events += batch.Read
			size += int64(len(f))
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(size)/float64(events), "gzip-B/event")
}
