package streamer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is one file to import.
type file struct {
	path string // as the operating system wants it
	name string // as people see it: the source as it was given and the path below it, with slashes
	size int64
}

// checkSources fails where a source is not there, before anything is asked of the server.
func checkSources(sources []string) error {
	if len(sources) == 0 {
		return errors.New("no source is named")
	}
	for _, s := range sources {
		fi, err := os.Stat(s)
		if err != nil {
			return fmt.Errorf("source %s: %w", s, errors.Unwrap(err))
		}
		if !fi.IsDir() && !fi.Mode().IsRegular() {
			return fmt.Errorf("source %s: neither a file nor a folder", s)
		}
	}
	return nil
}

// describe names the sources for the import's record.
func describe(sources []string) string {
	s := strings.Join(sources, " ")
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

// walk calls fn for every file of the sources, in order, that may hold events of the wanted time, and for whatever cannot be read, with an error. Names
// that begin with a dot are passed over, and so is what is neither a file nor a folder; links are followed to files only.
func walk(ctx context.Context, opt Options, fn func(file, error) error) error {
	for _, source := range opt.Sources {
		err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			f := file{path: path, name: filepath.ToSlash(path)}
			if err != nil {
				if err := fn(f, err); err != nil {
					return err
				}
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if path != source && strings.HasPrefix(d.Name(), ".") {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() {
				if path != source && !wantedFolder(f.name, opt.From, opt.To) {
					return fs.SkipDir
				}
				return nil
			}
			if path != source && !wantedFile(f.name, opt.From, opt.To) {
				return nil
			}
			fi, err := os.Stat(path) // follows links
			if err != nil {
				return fn(f, err)
			}
			if !fi.Mode().IsRegular() {
				return nil
			}
			f.size = fi.Size()
			return fn(f, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
