package logfile

import (
	"bytes"
	"net/http"
	"unicode/utf8"

	"github.com/lochlake/loch/event"
)

// recordNames are the members that tell a record: the top-level names of every kind's schema.
var recordNames = func() map[string]bool {
	names := map[string]bool{}
	for _, k := range event.Kinds() {
		for _, c := range event.Schema(k).Columns {
			if c.JSON != "" {
				names[c.JSON] = true
			}
		}
	}
	return names
}()

// strangers are members that tell what an object is that often lies among log files.
var strangers = map[string]string{
	"digestStartTime":    DigestFile,
	"digestS3Object":     DigestFile,
	"configurationItems": "an AWS Config snapshot or history",
	"configSnapshotId":   "an AWS Config snapshot or history",
	"logEvents":          "a CloudWatch Logs export",
	"Statement":          "an IAM policy",
	"entries":            "a manifest",
}

// sniffLength is how many bytes of a file sniff wants.
const sniffLength = 512

// sniff says what a file is that begins with b and is no JSON.
func sniff(b []byte) string {
	b = b[:min(len(b), sniffLength)]
	switch {
	case isGzip(b):
		return "gzip within gzip"
	case bytes.HasPrefix(b, []byte("PAR1")):
		return "a Parquet file"
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return "compressed with zstd; only gzip is known"
	case bytes.HasPrefix(b, []byte("BZh")):
		return "compressed with bzip2; only gzip is known"
	case bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")):
		return "UTF-16 text; JSON must be UTF-8"
	}
	if t := http.DetectContentType(b); t == "application/zip" || t == "application/pdf" || t == "text/xml; charset=utf-8" || t == "text/html; charset=utf-8" {
		return t
	}
	if bytes.IndexByte(b, 0) >= 0 || !validPrefix(b) {
		return "binary data"
	}
	return "text that is not JSON"
}

// validPrefix tells whether b is UTF-8 but for a character that its end cuts.
func validPrefix(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		b = b[n:]
	}
	return true
}
