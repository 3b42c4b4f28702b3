package trinotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Server is a running Trino.
type Server struct {
	URL string

	cmd    *exec.Cmd // nil where it was running already
	exited chan struct{}
	dir    string
}

// jvm are the flags of Trino's own jvm.config ("Deploying Trino", JVM config), with a small heap.
var jvm = []string{
	"-Xmx1G", "-XX:G1HeapRegionSize=32M", "-XX:+ExplicitGCInvokesConcurrent", "-XX:+ExitOnOutOfMemoryError", "-XX:-OmitStackTraceInFastThrow",
	"-XX:ReservedCodeCacheSize=256M", "-XX:PerMethodRecompilationCutoff=10000", "-XX:PerBytecodeRecompilationCutoff=10000",
	"-Djdk.attach.allowAttachSelf=true", "-Djdk.nio.maxCachedBufferSize=2000000", "-Dfile.encoding=UTF-8", "-XX:+EnableDynamicAgentLoading",
	"--add-modules=jdk.incubator.vector",
}

// startTime bounds how long a server may take to be ready.
const startTime = 3 * time.Minute

// Open gives a Trino: the one that the environment variable TRINO_URL names, or else one that it starts from build (see Install). The error is
// ErrUnavailable where there can be none. One with catalogs is always started, with these beside Trino's own. Close ends it.
func Open(ctx context.Context, build string, download bool, catalogs ...Catalog) (*Server, error) {
	if url := os.Getenv("TRINO_URL"); url != "" && len(catalogs) == 0 {
		return &Server{URL: url}, nil
	}
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	if build, err = filepath.Abs(build); err != nil { // the server runs in a directory of its own
		return nil, err
	}
	home, err := Install(ctx, build, download)
	if err != nil {
		return nil, err
	}
	plugins := map[string]string{}
	for _, c := range catalogs {
		if plugins[c.Plugin], err = InstallPlugin(ctx, build, c.Plugin, download); err != nil {
			return nil, err
		}
	}
	return start(ctx, java, home, plugins, catalogs)
}

func start(ctx context.Context, java, home string, plugins map[string]string, catalogs []Catalog) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "trino-")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port), dir: dir, exited: make(chan struct{})}
	if err := errors.Join(s.configure(port), s.connect(plugins, catalogs)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	args := append([]string{}, jvm...)
	args = append(args, "-Dconfig="+filepath.Join(dir, "etc", "config.properties"), "-Dlog.levels-file="+filepath.Join(dir, "etc", "log.properties"),
		"-Dnode.environment=test", "-Dnode.id=one", "-Dnode.data-dir="+dir, "-Dnode.bind-ip=127.0.0.1", "-Dnode.internal-address=127.0.0.1",
		"-cp", filepath.Join(home, "lib", "*"), "io.trino.server.TrinoServer")
	s.cmd = exec.Command(java, args...)
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		// How it ends says nothing: it is killed.
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.ready(ctx); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4000):]), s.Close())
	}
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// configure writes a server's files below s.dir.
func (s *Server) configure(port int) error {
	files := map[string]string{
		"etc/config.properties": fmt.Sprintf("coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port=%d\ndiscovery.uri=http://127.0.0.1:%d\n"+
			"query.max-memory=400MB\nquery.max-memory-per-node=400MB\nmemory.heap-headroom-per-node=300MB\ncatalog.management=static\n"+
			"catalog.config-dir=%s\nplugin.dir=%s\ntask.concurrency=2\n", port, port, filepath.Join(s.dir, "etc", "catalog"), filepath.Join(s.dir, "plugin")),
		"etc/log.properties": "io.trino=WARN\n",
	}
	for _, d := range []string{"etc/catalog", "plugin"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the server answers statements.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if s.started(ctx) {
			if _, err := s.Query(ctx, "SELECT 1"); err == nil {
				return nil
			}
		}
		select {
		case <-s.exited:
			return errors.New("Trino ended while it started")
		case <-ctx.Done():
			return fmt.Errorf("Trino did not start: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *Server) started(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/info", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var info struct{ Starting bool }
	return json.NewDecoder(resp.Body).Decode(&info) == nil && !info.Starting
}

// Close ends a server that Open started and removes its files; one that was running already goes on.
func (s *Server) Close() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return os.RemoveAll(s.dir)
}
