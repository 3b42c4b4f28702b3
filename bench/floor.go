package main

import (
	"bytes"
	"context"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/minio/simdjson-go"
	"golang.org/x/sync/errgroup"
)

// floor does what no way in can do without: inflate, parse, and compress the texts, here a few files at a time. Events are counted as the texts
// have their ids.
func floor(ctx context.Context, files []string, _ string) (outcome, error) {
	parts := make([]outcome, 2)
	g, ctx := errgroup.WithContext(ctx)
	for p := range parts {
		g.Go(func() error {
			o := &parts[p]
			enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
			if err != nil {
				return err
			}
			var (
				zr     gzip.Reader
				body   bytes.Buffer
				parsed *simdjson.ParsedJson
				text   []byte
				packed []byte
			)
			flush := func() {
				packed = enc.EncodeAll(text, packed[:0])
				o.Out += int64(len(packed))
				text = text[:0]
			}
			for i := p; i < len(files); i += len(parts) {
				if err := ctx.Err(); err != nil {
					return err
				}
				raw, err := os.ReadFile(files[i])
				if err != nil {
					return err
				}
				if err := zr.Reset(bytes.NewReader(raw)); err != nil {
					return err
				}
				body.Reset()
				if _, err := body.ReadFrom(&zr); err != nil {
					return err
				}
				if parsed, err = simdjson.Parse(body.Bytes(), parsed, simdjson.WithCopyStrings(false)); err != nil {
					return err
				}
				o.Events += int64(bytes.Count(body.Bytes(), []byte(`"eventVersion"`)))
				o.JSON += int64(body.Len())
				if text = append(text, body.Bytes()...); len(text) >= 2<<20 {
					flush()
				}
			}
			flush()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return outcome{}, err
	}
	return outcome{Events: parts[0].Events + parts[1].Events, JSON: parts[0].JSON + parts[1].JSON, Out: parts[0].Out + parts[1].Out}, nil
}
