package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Secrets are the names of the files that a folder of secrets may have.
var Secrets = []string{access.CredentialsFile, access.EngineFile, "token.key", proofKeyFile, "signing.key"}

const proofKeyFile = "proof.key"

// Options say what is copied, and where to.
type Options struct {
	Frozen  string         // folder that Rooms.Freeze wrote; it is changed
	Objects objstore.Store // of the lake
	To      objstore.Store
	Name    string // of the point; "": its time
	KeyDir  string // of the secrets, to tell by which key the logs are signed
	Keys    bool   // the secrets are copied, too
	// Progress is called now and then, by one goroutine at a time.
	Progress func(done, total, files int64)
}

// Result is a finished point, and how much of it had to be copied.
type Result struct {
	Point
	NewFiles int64 `json:"newFiles"`
	NewBytes int64 `json:"newBytes"`
	// Missing are files of removed events that a hold should keep and that are not there.
	Missing []string `json:"missing,omitempty"`
}

// at once are the files that are copied side by side.
const atOnce = 4

// noteFiles and noteBytes are how much is copied before it is noted what was, so that the next try need not copy it again.
const (
	noteFiles = 1000
	noteBytes = 1 << 30
)

// source is a file to be copied.
type source struct {
	File
	open func(ctx context.Context) (io.ReadCloser, error)
}

// shared tells whether other points may have the same file.
func (s *source) shared() bool { return strings.HasPrefix(s.Object, lakePrefix) }

// run is one backup.
type run struct {
	Options
	point Point
	known map[string]File  // by object: what earlier points say of shared files
	have  map[string]int64 // sizes of shared objects that are there

	mu       sync.Mutex
	total    int64
	done     int64
	result   Result
	unnoted  []File // copied since it was noted last
	copied   []File
	unbytes  int64
	progress time.Time
}

// Run makes a point of a frozen state. What earlier points have of it is not copied again.
func Run(ctx context.Context, opt Options) (Result, error) {
	r := &run{Options: opt, known: map[string]File{}}
	if err := r.begin(ctx); err != nil {
		return Result{}, err
	}
	sources, err := r.sources(ctx)
	if err != nil {
		return Result{}, err
	}
	for i := range sources {
		r.total += sources[i].Size
	}
	r.point.Files = make([]File, len(sources))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range sources {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return r.file(gctx, i, &sources[i]) })
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	for _, f := range r.point.Files {
		r.point.Bytes += f.Size
	}
	if err := r.whole(ctx); err != nil {
		return Result{}, err
	}
	if err := r.point.write(ctx, r.To); err != nil {
		return Result{}, err
	}
	if err := r.To.Delete(ctx, pointKey(r.point.Name, copiedFile)); err != nil {
		return Result{}, err
	}
	r.result.Point = r.point
	return r.result, nil
}

// begin names the point, and reads what the backup has.
func (r *run) begin(ctx context.Context) error {
	all, err := names(ctx, r.To)
	if err != nil {
		return err
	}
	r.point = Point{Version: pointVersion, Name: r.Name, Created: time.Now().UTC().Truncate(time.Microsecond), Location: r.Objects.URI("")}
	switch {
	case r.Name == "":
		r.point.Name = r.point.Created.Format("2006-01-02T15-04-05Z")
		for n := 2; slices.Contains(all, r.point.Name); n++ {
			r.point.Name = fmt.Sprintf("%s-%d", r.point.Created.Format("2006-01-02T15-04-05Z"), n)
		}
	case !pointName.MatchString(r.Name):
		return fmt.Errorf("a point cannot be called %q: letters, digits, and . _ - behind the first", r.Name)
	case slices.Contains(all, r.Name):
		return fmt.Errorf("there is a point %s already", r.Name)
	}
	for _, name := range all {
		p, err := readPoint(ctx, r.To, name)
		files := p.Files
		if errors.Is(err, objstore.ErrNotExist) {
			files, err = r.noted(ctx, name)
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			r.known[f.Object] = f
		}
	}
	if r.have, err = r.list(ctx); err != nil {
		return err
	}
	return r.note(ctx) // that a point is being made
}

// list gives the sizes of the shared objects that there are.
func (r *run) list(ctx context.Context) (map[string]int64, error) {
	have := map[string]int64{}
	err := r.To.List(ctx, lakePrefix, "", func(o objstore.Object) error {
		have[o.Key] = o.Size
		return nil
	})
	if errors.Is(err, objstore.ErrNotExist) {
		err = nil
	}
	return have, err
}

// whole looks once more whether all is there: who removes old points may have begun before this one.
func (r *run) whole(ctx context.Context) error {
	have, err := r.list(ctx)
	if err != nil {
		return err
	}
	for _, f := range r.point.Files {
		if size, ok := have[f.Object]; strings.HasPrefix(f.Object, lakePrefix) && (!ok || size != f.Size) {
			return fmt.Errorf("%s was removed while the point was made: make it again", f.Object)
		}
	}
	return nil
}

// noted reads what a point that was not finished had copied.
func (r *run) noted(ctx context.Context, name string) (files []File, err error) {
	text, err := readAll(ctx, r.To, pointKey(name, copiedFile))
	if errors.Is(err, objstore.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &files)
	}
	return files, err
}

// file copies a file, unless it is there. An object that another point names, and that is missing or cut, gets back what that point says of it, and never anything else.
func (r *run) file(ctx context.Context, i int, s *source) error {
	was, named := r.known[s.Object]
	named = named && s.shared()
	if named && was.Size != s.Size {
		return fmt.Errorf("%s has %d bytes, and another point names %s with %d: nothing is put over that", s.Path, s.Size, s.Object, was.Size)
	}
	if named && r.have[s.Object] == s.Size {
		r.point.Files[i] = was
		return r.tell(ctx, was, false)
	}
	in, err := s.open(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	if named {
		in = &checked{in: in, file: &was, sum: sha256.New()}
	}
	sum := sha256.New()
	err = r.To.Put(ctx, s.Object, io.TeeReader(in, sum), s.Size, false)
	if err = errors.Join(err, in.Close()); errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%s is not what another point has under %s, which cannot be put back where it was: %w", s.Path, s.Object, err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	s.SHA256 = digest(sum)
	r.point.Files[i] = s.File
	return r.tell(ctx, s.File, true)
}

func digest(h hash.Hash) proof.Digest { return proof.Digest(h.Sum(nil)) }

// tell counts a file that is there, and notes now and then what was copied.
func (r *run) tell(ctx context.Context, f File, copied bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += f.Size
	if copied {
		r.result.NewFiles++
		r.result.NewBytes += f.Size
		if strings.HasPrefix(f.Object, lakePrefix) {
			r.unnoted = append(r.unnoted, f)
			r.unbytes += f.Size
		}
	}
	if r.Progress != nil {
		r.Progress(r.done, r.total, r.result.NewFiles)
	}
	if len(r.unnoted) < noteFiles && r.unbytes < noteBytes {
		return nil
	}
	return r.note(ctx)
}

// note writes down what was copied so far. The caller holds mu, or nobody else is there yet.
func (r *run) note(ctx context.Context) error {
	r.copied, r.unnoted, r.unbytes = append(r.copied, r.unnoted...), nil, 0
	text, err := json.Marshal(r.copied)
	if err != nil {
		return err
	}
	return r.To.Put(ctx, pointKey(r.point.Name, copiedFile), bytes.NewReader(text), int64(len(text)), false)
}

// frozen adds the files of the frozen folder, and the secrets.
func (r *run) frozen(sources []source) ([]source, error) {
	add := func(path, at string) error {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		sources = append(sources, source{File{Path: path, Object: pointKey(r.point.Name, path), Size: info.Size()},
			func(context.Context) (io.ReadCloser, error) { return os.Open(at) }})
		return nil
	}
	if err := add(metaFile, filepath.Join(r.Frozen, metaFile)); err != nil {
		return nil, err
	}
	segments, err := os.ReadDir(filepath.Join(r.Frozen, "wal"))
	if err != nil {
		return nil, err
	}
	for _, s := range segments {
		if err := add("wal/"+s.Name(), filepath.Join(r.Frozen, "wal", s.Name())); err != nil {
			return nil, err
		}
	}
	if r.KeyDir == "" {
		return sources, nil
	}
	seed, err := access.ReadSecret(r.KeyDir, proofKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.Keys:
	case err != nil:
		return nil, err
	case len(seed) != proof.SeedSize:
		return nil, fmt.Errorf("%s has %d bytes, not %d", proofKeyFile, len(seed), proof.SeedSize)
	default:
		r.point.ProofKey = proof.NewKey(seed).Public().String()
	}
	if !r.Keys {
		return sources, nil
	}
	r.point.Keys = true
	for _, name := range Secrets {
		text, err := access.ReadSecret(r.KeyDir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // made when it is first needed
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, r.content("keys/"+name, text))
	}
	return sources, nil
}

// content is a file of the point's own with that content.
func (r *run) content(path string, content []byte) source {
	return source{File{Path: path, Object: pointKey(r.point.Name, path), Size: int64(len(content))},
		func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}
