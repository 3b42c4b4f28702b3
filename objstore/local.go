package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// asideDir holds files that are being written. It lies in the store's root, so that a rename never crosses file systems. No key
// may begin with it or with coldLink.
const asideDir = ".aside"

// Local keeps objects as files below a directory.
type Local struct {
	root      string // absolute, clean
	name      string // what URI begins with; "": root's own URI
	next      atomic.Uint64
	immutable bool // files get the flag of that name

	moving sync.Mutex               // held for a removal, and where a move to colder storage gives something its name
	crash  func(point string) error // of tests: an error ends a move there as a crash would, and is that of a step of Put

	made    sync.Mutex
	durable map[string]bool // folders whose names this process has synced
}

// at is a point at which a test may end a move.
func (l *Local) at(point string) error {
	if l.crash == nil {
		return nil
	}
	return l.crash(point)
}

// aside is a new name for what is being made.
func (l *Local) aside() string {
	return filepath.Join(l.root, asideDir, strconv.FormatUint(l.next.Add(1), 36))
}

// OpenLocal opens the store in dir, which is made where it is missing. What a crash left half written is removed. One process at a time may
// hold a directory open.
func OpenLocal(dir string) (*Local, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := emptyAside(root); err != nil {
		return nil, err
	}
	return &Local{root: root}, nil
}

// ReadLocal opens the store in dir for reading alone, which another process may have open, too. Nothing in dir is touched.
func ReadLocal(dir string) (*Local, error) {
	root, err := filepath.Abs(dir)
	return &Local{root: root}, err
}

// emptyAside makes the folder for half-written files, empty, in a root.
func emptyAside(root string) error {
	aside := filepath.Join(root, asideDir)
	left, err := os.ReadDir(aside)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range left {
		path := filepath.Join(aside, e.Name())
		if err := unsealed(path, func() error { return os.RemoveAll(path) }); err != nil {
			return err
		}
	}
	return os.MkdirAll(aside, 0o700)
}

// CheckKey tells what is wrong with a key: keys are slash-separated parts, none of them empty, "." or "..", and without NUL.
func CheckKey(key string) error {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return fmt.Errorf("object key %q: a part is empty, \".\", \"..\" or holds a NUL", key)
		}
	}
	return nil
}

func (l *Local) file(key string) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(key, "/"); first == asideDir || first == coldLink {
		return "", fmt.Errorf("object key %q: the name %s is the store's own", key, first)
	}
	return filepath.Join(l.root, filepath.FromSlash(key)), nil
}

// fileMode is every object's: an object is never written to, only replaced or removed, and events are nobody else's.
const fileMode = 0o400

// Put writes aside, syncs, and gives the file its name: by rename, or by link where it must be new.
func (l *Local) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	path, err := l.file(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	aside := l.aside()
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	defer os.Remove(aside) // after the rename there is nothing to remove
	n, err := io.Copy(f, contextReader{ctx, r})
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes came, %d were announced: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err = errors.Join(err, l.at("write")); err == nil {
		err = errors.Join(f.Sync(), l.at("sync"))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if err := l.makeDirs(l.root, filepath.Dir(path)); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if err = l.at("name"); err == nil {
		err = l.give(aside, path, onlyNew)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("put %s: %w", key, ErrExists)
	case err != nil:
		return fmt.Errorf("put %s: %w", key, err)
	}
	if err := errors.Join(syncDir(filepath.Dir(path)), l.at("sync of the name")); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// makeDirs makes dir and its missing parents, down from root, each durable in its parent. A folder that is there need not be durable: another Put, or a start
// before this one, may have made it and not come to its sync. So each is synced once.
func (l *Local) makeDirs(root, dir string) error {
	l.made.Lock()
	defer l.made.Unlock()
	return l.makeDurable(root, dir)
}

func (l *Local) makeDurable(root, dir string) error {
	if dir == root || l.durable[dir] {
		return nil
	}
	if err := l.makeDurable(root, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := errors.Join(syncDir(filepath.Dir(dir)), l.at("sync of a folder")); err != nil {
		return err
	}
	if l.durable == nil {
		l.durable = map[string]bool{}
	}
	l.durable[dir] = true
	return nil
}

// give gives a file its name.
func (l *Local) give(aside, path string, onlyNew bool) (err error) {
	if onlyNew {
		if err = os.Link(aside, path); err == nil {
			err = os.Remove(aside) // a file with the flag would keep its other name, too
		}
	} else {
		err = unsealed(path, func() error { return os.Rename(aside, path) })
	}
	if errors.Is(err, fs.ErrNotExist) { // its folder was taken away by somebody: the next Put makes it again
		l.made.Lock()
		defer l.made.Unlock()
		clear(l.durable)
	}
	if err == nil {
		err = l.seal(path)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// Stat describes an object.
func (l *Local) Stat(_ context.Context, key string) (Object, error) {
	path, err := l.file(key)
	if err != nil {
		return Object{}, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return Object{}, fmt.Errorf("stat %s: %w", key, notExist(err))
	}
	if !fi.Mode().IsRegular() {
		return Object{}, fmt.Errorf("stat %s: %w", key, ErrNotExist)
	}
	return describe(key, fi), nil
}

func describe(key string, fi fs.FileInfo) Object {
	return Object{Key: key, Size: fi.Size(), Modified: fi.ModTime(),
		ETag: strconv.FormatInt(fi.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(fi.Size(), 36)}
}

// notExist says in this package's words that nothing is there. A path through a file that is no directory holds nothing either.
func notExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
		return ErrNotExist
	}
	return err
}

// Get reads a part of an object. Bytes beyond its end are not there: the reader ends early.
func (l *Local) Get(_ context.Context, key string, off, n int64) (io.ReadCloser, error) {
	path, err := l.file(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, notExist(err))
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("get %s: %w", key, errors.Join(err, ErrNotExist))
	}
	if off == 0 && n < 0 {
		return f, nil
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		f.Close()
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	if n < 0 {
		return f, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, n), f}, nil
}

// List walks the directories that can hold the prefix, in the order of keys.
func (l *Local) List(ctx context.Context, prefix, startAfter string, fn func(Object) error) error {
	return l.walk(ctx, "", prefix, startAfter, fn)
}

// entries gives a directory's entries in the order of keys, where a folder sorts with its "/": "a.b" < "a/" < "a0".
func (l *Local) entries(folder string) ([]fs.DirEntry, error) {
	list, err := os.ReadDir(filepath.Join(l.root, filepath.FromSlash(folder)))
	if err != nil {
		if errors.Is(notExist(err), ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(keyName(a), keyName(b)) })
	return list, nil
}

func keyName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// walk lists folder, which is "" or ends in "/".
func (l *Local) walk(ctx context.Context, folder, prefix, startAfter string, fn func(Object) error) error {
	list, err := l.entries(folder)
	if err != nil {
		return fmt.Errorf("list %s: %w", folder, err)
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := folder + keyName(e)
		if e.IsDir() {
			onPath := strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)
			passed := key < startAfter && !strings.HasPrefix(startAfter, key)
			if key == asideDir+"/" || !onPath || passed {
				continue
			}
			if err := l.walk(ctx, key, prefix, startAfter, fn); err != nil {
				return err
			}
			continue
		}
		if !strings.HasPrefix(key, prefix) || key <= startAfter || key == coldLink {
			continue
		}
		fi, err := l.info(key, e)
		if fi == nil && err == nil {
			continue // no object
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since the directory was read
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", key, err)
		}
		if err := fn(describe(key, fi)); err != nil {
			return err
		}
	}
	return nil
}

// info describes what a directory entry leads to; nil where that is no object. Of an object whose cold file is away it is the link, so that
// it can be removed, and found to be missing.
func (l *Local) info(key string, e fs.DirEntry) (fs.FileInfo, error) {
	switch {
	case e.Type().IsRegular():
		return e.Info()
	case e.Type()&fs.ModeSymlink == 0:
		return nil, nil
	}
	fi, err := os.Stat(filepath.Join(l.root, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return e.Info()
	}
	if err == nil && !fi.Mode().IsRegular() {
		return nil, nil
	}
	return fi, err
}

// ListFolders gives the folders whose names begin with prefix, one level deep: below "a/" the folders in a, below "a/b" those in a that begin with b.
// Empty directories are not folders to S3; here they may show.
func (l *Local) ListFolders(ctx context.Context, prefix string, fn func(string) error) error {
	folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
	if folder != "" && CheckKey(strings.TrimSuffix(folder, "/")) != nil {
		return nil // no key begins so
	}
	list, err := l.entries(folder)
	if err != nil {
		return fmt.Errorf("list folders of %s: %w", prefix, err)
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := folder + keyName(e)
		if !e.IsDir() || key == asideDir+"/" || !strings.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes the file, durably, and its copy in colder storage before it. Folders stay.
func (l *Local) Delete(_ context.Context, key string) error {
	path, err := l.file(key)
	if err != nil {
		return err
	}
	l.moving.Lock()
	defer l.moving.Unlock()
	fi, err := os.Lstat(path)
	if err == nil {
		err = l.removeCold(key, fi.Mode()&fs.ModeSymlink != 0)
	}
	if err == nil {
		err = unsealed(path, func() error { return os.Remove(path) })
	}
	if err != nil {
		if errors.Is(notExist(err), ErrNotExist) {
			return nil
		}
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return syncDir(filepath.Dir(path))
}

// URI gives file:///dir/key with dir percent-encoded as RFC 3986 has it: Iceberg's libraries parse a table's location as a URL, and what they
// join to it comes back so. A dir of letters, digits and -._~/ stands as it is, for readers that take locations literally; keys always do.
func (l *Local) URI(key string) string {
	return l.base() + key
}

func (l *Local) base() string {
	if l.name != "" {
		return l.name
	}
	dir := url.URL{Path: strings.TrimSuffix(filepath.ToSlash(l.root), "/") + "/"}
	return "file://" + dir.EscapedPath()
}

// Key takes what URI gives.
func (l *Local) Key(uri string) (string, bool) {
	key, ok := strings.CutPrefix(uri, l.base())
	if !ok || CheckKey(key) != nil {
		return "", false
	}
	return key, true
}

// LocalPath is the object's file, whether it exists or not; "" for a key that is none.
func (l *Local) LocalPath(key string) string {
	path, err := l.file(key)
	if err != nil {
		return ""
	}
	return path
}

// contextReader ends a long copy when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
