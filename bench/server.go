package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lochlake/loch/client"
)

// served is a loch server in a process of its own, with one store.
type served struct {
	*client.Client
	cmd   *exec.Cmd
	dir   string
	env   []string
	store string       // ID
	said  bytes.Buffer // on standard error
}

// serve starts the server that bin is, over dir, with the flags besides, and makes its store.
func serve(ctx context.Context, bin, dir string, flags ...string) (*served, error) {
	s, err := start(ctx, bin, dir, flags...)
	if err != nil {
		return nil, err
	}
	var made struct{ EventDataStoreArn string }
	if err := s.Call(ctx, "CreateEventDataStore", map[string]any{"Name": "bench", "RetentionPeriod": 2557, "TerminationProtectionEnabled": false}, &made); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.store = made.EventDataStoreArn[strings.LastIndexByte(made.EventDataStoreArn, '/')+1:]
	return s, nil
}

// start starts the server over a folder that may have been served before.
func start(ctx context.Context, bin, dir string, flags ...string) (*served, error) {
	s := &served{dir: dir, cmd: exec.CommandContext(ctx, bin, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "error"}, flags...)...)}
	s.cmd.Stderr = &s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	endpoint, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("the server said %q", line), err, s.stop())
	}
	go io.Copy(io.Discard, out) // ends with the process
	creds := filepath.Join(dir, "credentials")
	s.env = append(os.Environ(), "AWS_SHARED_CREDENTIALS_FILE="+creds, "LOCH_ENDPOINT="+endpoint)
	if err := os.Setenv("AWS_SHARED_CREDENTIALS_FILE", creds); err != nil {
		return nil, err
	}
	if s.Client, err = client.New(ctx, client.Options{Endpoint: endpoint}); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// stop ends the server as an operator does, and waits until it has brought everything to the tables.
func (s *served) stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("loch serve: %w: %s", err, s.said.Bytes())
	}
	return nil
}

// partly is the exit status of an import that lists something as bad: a folder of logs may hold other files.
const partly = 3

// load imports the folder, waits until the table has what was stored, and tells what the command cost.
func (s *served) load(ctx context.Context, bin, logs string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, bin, "import", "--store", s.store, "--json", logs)
	cmd.Env = s.env
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); err != nil && code != partly {
		return nil, fmt.Errorf("loch import: %w: %s", err, said.Bytes())
	}
	var sum struct{ Counts struct{ Stored int64 } }
	if err := json.Unmarshal(out, &sum); err != nil {
		return nil, fmt.Errorf("loch import --json: %w: %s", err, out)
	}
	for {
		rows, err := s.metric(ctx, "loch_lake_rows_total")
		if err != nil {
			return nil, err
		}
		if int64(rows) >= sum.Counts.Stored {
			return cmd.ProcessState, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// metric reads one of the server's own numbers.
func (s *served) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}

// ask runs a statement through the API and reads every page of its answer; it gives the first cell.
func (s *served) ask(ctx context.Context, sql string) (first string, err error) {
	var q struct{ QueryId string }
	if err := s.Call(ctx, "StartQuery", map[string]string{"QueryStatement": sql}, &q); err != nil {
		return "", err
	}
	for {
		var d struct{ QueryStatus, ErrorMessage string }
		if err := s.Call(ctx, "DescribeQuery", map[string]string{"QueryId": q.QueryId}, &d); err != nil {
			return "", err
		}
		if d.QueryStatus == "FINISHED" {
			break
		}
		if d.QueryStatus != "QUEUED" && d.QueryStatus != "RUNNING" {
			return "", fmt.Errorf("query %s: %s: %s", d.QueryStatus, d.ErrorMessage, sql)
		}
		time.Sleep(time.Millisecond)
	}
	in := map[string]any{"QueryId": q.QueryId, "MaxQueryResults": 1000}
	for seen := false; ; {
		var page struct {
			QueryResultRows [][]map[string]string
			NextToken       string
		}
		if err := s.Call(ctx, "GetQueryResults", in, &page); err != nil {
			return "", err
		}
		for _, row := range page.QueryResultRows {
			if !seen && len(row) > 0 {
				seen = true
				for _, v := range row[0] {
					first = v
				}
			}
		}
		if page.NextToken == "" {
			return first, nil
		}
		in["NextToken"] = page.NextToken
	}
}

// throughServer imports with the commands that users have: loch serve and loch import, over HTTP. Both processes' CPU time counts.
func throughServer(ctx context.Context, bin, logs, dir string, events, size int64) (o outcome, imported int64, err error) {
	s, err := serve(ctx, bin, dir)
	if err != nil {
		return o, 0, err
	}
	defer s.stop()
	begun := time.Now()
	cmd, err := s.load(ctx, bin, logs)
	if err != nil {
		return o, 0, err
	}
	o.wall = time.Since(begun)
	if err := s.stop(); err != nil {
		return o, 0, err
	}
	for _, p := range []*os.ProcessState{cmd, s.cmd.ProcessState} {
		o.cpu += p.UserTime() + p.SystemTime()
	}
	o.rss, imported = peak(s.cmd.ProcessState), peak(cmd)
	o.Events, o.JSON = events, size
	if o.Files, o.Out, err = written(filepath.Join(dir, "lake"), ".parquet"); err != nil {
		return o, 0, err
	}
	_, index, err := written(filepath.Join(dir, "identity"), "")
	o.Out += index
	return o, imported, err
}

func peak(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss * rssUnit
	}
	return 0
}
