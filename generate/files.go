package generate

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"
)

// FileOptions say how log files are laid out.
type FileOptions struct {
	PerFile  int                                  // events a file, 500 where 0
	Progress func(events, files int, bytes int64) // called after each file; nil: not
}

// Written is what WriteFiles made.
type Written struct {
	Events, Files int
	Bytes         int64 // of the gzip files
	JSON          int64 // of the events' texts
}

// WriteFiles writes the events as a trail lays them out: dir/AWSLogs/account/CloudTrail/region/yyyy/mm/dd/*.json.gz, a file a (account, region) and
// PerFile events, named by the time of its last event. It stops at the first error, or when ctx is done.
func WriteFiles(ctx context.Context, dir string, opt Options, fo FileOptions) (Written, error) {
	if fo.PerFile <= 0 {
		fo.PerFile = 500
	}
	type key struct{ account, region string }
	type open struct {
		body  bytes.Buffer
		count int
		last  time.Time
	}
	files := map[key]*open{}
	var order []key
	var done Written
	names := rand.New(rand.NewPCG(opt.Seed, 0x6e616d65))
	zw, err := gzip.NewWriterLevel(nil, 6)
	if err != nil {
		return done, err
	}
	flush := func(k key, f *open) error {
		if f.count == 0 {
			return nil
		}
		at := f.last.Add(5 * time.Minute).Truncate(5 * time.Minute)
		sub := filepath.Join(dir, "AWSLogs", k.account, "CloudTrail", k.region, at.Format("2006"), at.Format("01"), at.Format("02"))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		name := fmt.Sprintf("%s_CloudTrail_%s_%s_%s.json.gz", k.account, k.region, at.Format("20060102T1504Z"), random(names, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 16))
		w, err := os.OpenFile(filepath.Join(sub, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		f.body.WriteString("]}")
		bw := bufio.NewWriter(w)
		zw.Reset(bw)
		_, err = zw.Write(f.body.Bytes())
		for _, step := range []func() error{zw.Close, bw.Flush} {
			if err == nil {
				err = step()
			}
		}
		if err == nil {
			var st os.FileInfo
			if st, err = w.Stat(); err == nil {
				done.Bytes += st.Size()
			}
		}
		if cerr := w.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", filepath.Join(sub, name), err)
		}
		done.Files++
		f.body.Reset()
		f.count = 0
		if fo.Progress != nil {
			fo.Progress(done.Events, done.Files, done.Bytes)
		}
		return ctx.Err()
	}
	g := New(opt)
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		k := key{e.Account, e.Region}
		f := files[k]
		if f == nil {
			f = &open{}
			files[k] = f
			order = append(order, k)
		}
		if f.count == 0 {
			f.body.WriteString(`{"Records":[`)
		} else {
			f.body.WriteByte(',')
		}
		f.body.Write(e.Text)
		f.count++
		f.last = e.Time
		done.Events++
		done.JSON += int64(len(e.Text))
		if f.count >= fo.PerFile {
			if err := flush(k, f); err != nil {
				return done, err
			}
		}
	}
	for _, k := range order {
		if err := flush(k, files[k]); err != nil {
			return done, err
		}
	}
	return done, nil
}
