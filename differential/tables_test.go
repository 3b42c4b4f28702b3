package differential

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/differential/trinotest"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/server"
)

const tablesDir = "testdata/tables"

// TestTables asks Loch every statement over tables, on the embedded engine, and holds the answers of GetQueryResults against those that Loch gave on Trino.
func TestTables(t *testing.T) {
	all, err := corpus(tablesDir)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := readRecordings(tablesDir)
	if err != nil {
		t.Fatal(err)
	}
	l := openLake(t, server.Config{})
	hold(t, all, l.askAll(t, all), func(i int) *recording { return recorded[all[i].File][all[i].Text] })
}

// askAll asks statements, a few at once.
func (l *lake) askAll(t *testing.T, all []statement) []*recording {
	out := make([]*recording, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i := range next {
				r, err := l.ask(t.Context(), &all[i])
				if err != nil {
					t.Errorf("%v: %v", &all[i], err)
					r = &recording{Statement: all[i].Text}
				}
				out[i] = r
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// hold holds answers of the embedded engine against those of Trino. What the embedded engine refuses, Trino may answer.
func hold(t *testing.T, all []statement, got []*recording, want func(i int) *recording) {
	t.Helper()
	var count [len(fates)]int
	for i := range all {
		s, w := &all[i], want(i)
		f := equal
		switch {
		case w == nil:
			t.Errorf("%v is not recorded; make differential asks Trino", s)
			f = differs
		case w.Error != "" && got[i].Error != "":
			f = failed
		case w.Error != "" && strings.Contains(w.Message, "not supported"):
			f = beyond
			t.Logf("%v: Trino: %s", s, w.Message)
		case got[i].Error == "REFUSED":
			f = refused
			t.Logf("%v: %s", s, got[i].Message)
		default:
			if d := diff(s, got[i], w); d != "" {
				t.Errorf("%v: %s%s\n%s", s, w.Message, d, s.Text)
				f = differs
			}
		}
		count[f]++
	}
	t.Logf("%d equal, %d failed by both, %d beyond Trino, %d refused by the embedded engine, %d differ", count[equal], count[failed], count[beyond], count[refused], count[differs])
}

// cluster is Loch over an S3-compatible store and a Trino with two nodes beside it.
func cluster(t *testing.T) (*lake, *trinotest.Server) {
	s3 := s3test.Start(t)
	if err := os.Mkdir(filepath.Join(s3.Dir, "lake"), 0o755); err != nil {
		t.Fatal(err)
	}
	l := openLake(t, server.Config{StoreURL: "s3://lake/tables", StoreS3: server.S3{Endpoint: s3.Endpoint, Region: s3.Region, PathStyle: true, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey}})
	key, err := access.OpenEngineKey(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	trino, err := trinotest.OpenCluster(t.Context(), "../build/trino", true, 2, trinotest.Catalog{Name: "loch", Plugin: "iceberg", Properties: []string{
		"connector.name=iceberg", "iceberg.catalog.type=rest", "iceberg.rest-catalog.uri=" + l.srv.URL() + "/iceberg", "iceberg.rest-catalog.security=OAUTH2",
		"iceberg.rest-catalog.oauth2.credential=" + key.ID + ":" + key.Secret, "fs.native-s3.enabled=true", "s3.endpoint=" + s3.Endpoint, "s3.region=" + s3.Region,
		"s3.path-style-access=true", "s3.aws-access-key=" + s3.AccessKey, "s3.aws-secret-key=" + s3.SecretKey}})
	if errors.Is(err, trinotest.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trino.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, trino
}

// onTrino starts the server anew with Trino for its engine.
func (l *lake) onTrino(t *testing.T, trino *trinotest.Server) {
	l.stop(t)
	l.cfg.Engine = "trino=http://loch@" + trino.Host() + "/loch"
	l.start(t)
}

// TestTablesTrino asks Loch the statements over tables on the embedded engine and on a Trino with two nodes, and holds the answers against each other and against
// those recorded (which -record writes). The generated statements over tables follow. It runs where LOCH_TRINO is set.
func TestTablesTrino(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set: recorded answers stand for Trino's")
	}
	all, err := corpus(tablesDir)
	if err != nil {
		t.Fatal(err)
	}
	l, trino := cluster(t)
	l.compare(t, trino, all)
}

// compare asks statements, and generated ones, on the embedded engine and on Trino.
func (l *lake) compare(t *testing.T, trino *trinotest.Server, all []statement) {
	first := firstSeed(t)
	made := make([]statement, *generated)
	for i := range made {
		made[i] = statement{File: fmt.Sprint("seed ", first+uint64(i)), Text: newTableGenerator(first + uint64(i)).statement()}
	}
	embedded, embeddedMade := l.askAll(t, all), l.askAll(t, made)
	l.onTrino(t, trino)
	l.lives(t)
	answers := l.askAll(t, all)
	hold(t, all, embedded, func(i int) *recording { return answers[i] })
	if *rewrite {
		if err := recordAll(tablesDir, all, answers); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := readRecordings(tablesDir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		s := &all[i]
		if was := recorded[s.File][s.Text]; was == nil {
			t.Errorf("%v is not recorded", s)
		} else if d := diff(s, answers[i], was); d != "" {
			t.Errorf("%v: Trino answers otherwise than recorded: %s", s, d)
		}
	}
	onTrino := l.askAll(t, made)
	hold(t, made, embeddedMade, func(i int) *recording { return onTrino[i] })
}
