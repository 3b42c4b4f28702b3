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
	"strconv"
	"strings"
	"time"

	"github.com/lochlake/loch/engine/trino"
)

// Server is a running Trino.
type Server struct {
	URL string

	client *trino.Client
	nodes  []*node // none where it was running already
}

// node is one process of a Trino.
type node struct {
	cmd    *exec.Cmd
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
const startTime = 5 * time.Minute

// Open gives a Trino: the one that the environment variable TRINO_URL names, or else one that it starts from build (see Install). The error is
// ErrUnavailable where there can be none. One with catalogs is always started, with these beside Trino's own. Close ends it.
func Open(ctx context.Context, build string, download bool, catalogs ...Catalog) (*Server, error) {
	if url := os.Getenv("TRINO_URL"); url != "" && len(catalogs) == 0 {
		c, err := newClient(url)
		return &Server{URL: url, client: c}, err
	}
	return OpenCluster(ctx, build, download, 1, catalogs...)
}

// OpenCluster starts a Trino of so many nodes, with catalogs beside Trino's own.
func OpenCluster(ctx context.Context, build string, download bool, nodes int, catalogs ...Catalog) (*Server, error) {
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
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if s.client, err = newClient(s.URL); err != nil {
		return nil, err
	}
	for i := range nodes {
		at := port
		if i > 0 {
			if at, err = freePort(); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		n, err := start(java, home, i == 0, at, s.URL, plugins, catalogs)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.nodes = append(s.nodes, n)
	}
	if err := s.ready(ctx); err != nil {
		for _, n := range s.nodes {
			text, _ := os.ReadFile(filepath.Join(n.dir, "server.log"))
			err = fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4000):])
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start starts a node.
func start(java, home string, coordinator bool, port int, discovery string, plugins map[string]string, catalogs []Catalog) (*node, error) {
	dir, err := os.MkdirTemp("", "trino-")
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir, exited: make(chan struct{})}
	if err := errors.Join(n.configure(coordinator, port, discovery), n.connect(plugins, catalogs)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	args := append([]string{}, jvm...)
	args = append(args, "-Dconfig="+filepath.Join(dir, "etc", "config.properties"), "-Dlog.levels-file="+filepath.Join(dir, "etc", "log.properties"),
		"-Dnode.environment=test", fmt.Sprintf("-Dnode.id=node-%d", port), "-Dnode.data-dir="+dir, "-Dnode.bind-ip=127.0.0.1", "-Dnode.internal-address=127.0.0.1",
		"-cp", filepath.Join(home, "lib", "*"), "io.trino.server.TrinoServer")
	n.cmd = exec.Command(java, args...)
	n.cmd.Dir = dir
	n.cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer log.Close()
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		// How it ends says nothing: it is killed.
		_ = n.cmd.Wait()
		close(n.exited)
	}()
	return n, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// configure writes a node's files below its folder.
func (n *node) configure(coordinator bool, port int, discovery string) error {
	config := fmt.Sprintf("coordinator=%v\nhttp-server.http.port=%d\ndiscovery.uri=%s\nquery.max-memory-per-node=400MB\nmemory.heap-headroom-per-node=300MB\n"+
		"catalog.management=static\ncatalog.config-dir=%s\nplugin.dir=%s\ntask.concurrency=2\n", coordinator, port, discovery, filepath.Join(n.dir, "etc", "catalog"), filepath.Join(n.dir, "plugin"))
	if coordinator {
		config += "node-scheduler.include-coordinator=true\nquery.max-memory=400MB\n"
	}
	files := map[string]string{"etc/config.properties": config, "etc/log.properties": "io.trino=WARN\n"}
	for _, d := range []string{"etc/catalog", "plugin"} {
		if err := os.MkdirAll(filepath.Join(n.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until all nodes answer statements.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	want := strconv.Itoa(len(s.nodes))
	for {
		if s.started(ctx) {
			a, err := s.Query(ctx, "SELECT count(*) FROM system.runtime.nodes WHERE state = 'active'")
			if err == nil && *a.Rows[0][0] == want {
				return nil
			}
		}
		for _, n := range s.nodes {
			select {
			case <-n.exited:
				return errors.New("Trino ended while it started")
			default:
			}
		}
		select {
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

// Host is the coordinator's host and port.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "http://") }

// Close ends the nodes that were started and removes their files; a Trino that was running already goes on.
func (s *Server) Close() error {
	s.client.Close()
	var errs []error
	for _, n := range s.nodes {
		if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
			continue
		}
		<-n.exited
		errs = append(errs, os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}
