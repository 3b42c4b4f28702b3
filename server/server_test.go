package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
)

func open(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Listen = "127.0.0.1:0"
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestDocumentedOperations holds the table of docs/api.md against what the server answers.
func TestDocumentedOperations(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	works := 0
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \| (yes|no) \|`).FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[2] == "yes"
		if m[2] == "yes" {
			works++
		}
	}
	names := model.Names()
	if len(documented) != len(names) {
		t.Errorf("the table has %d operations, the model %d", len(documented), len(names))
	}
	if want := fmt.Sprintf("%d of %d work", works, len(names)); !strings.Contains(string(text), want) {
		t.Errorf("the page does not say %q", want)
	}
	c, err := open(t, Config{}).Client()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "PutAuditEvents" {
			continue // another protocol, and the clients' tests call it
		}
		var out json.RawMessage
		err := c.Call(t.Context(), name, struct{}{}, &out)
		e, _ := errors.AsType[*client.Error](err)
		unsupported := e != nil && e.Code == "UnsupportedOperationException"
		if unsupported && !strings.Contains(e.Message, name) {
			t.Errorf("%s: the error does not name it: %s", name, e.Message)
		}
		if documented[name] == unsupported {
			t.Errorf("%s: the page says %v, the server answers %v", name, documented[name], err)
		}
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s := open(t, Config{})
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "loch_"} {
		resp, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v: %.200s", path, resp.Status, err, body)
		}
	}
}

// TestKeys: the root key is made once, kept, and lies where it is told to.
func TestKeys(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), KeyDir: t.TempDir(), Account: "210987654321"}
	cfg.Listen = "127.0.0.1:0"
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id := first.key.ID
	if !first.NewKey() || first.Account() != cfg.Account {
		t.Errorf("new key %v, account %s", first.NewKey(), first.Account())
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Account = ""
	again := open(t, cfg)
	if again.NewKey() || again.key.ID != id || again.Account() != "210987654321" {
		t.Errorf("after a restart: new key %v, the same %v, account %s", again.NewKey(), again.key.ID == id, again.Account())
	}
	var secrets []string
	err = filepath.Walk(cfg.Dir, func(path string, info os.FileInfo, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile: the server is at work
		}
		if err == nil && (info.Name() == "credentials" || strings.HasSuffix(path, ".key")) {
			secrets = append(secrets, path)
		}
		return err
	})
	if err != nil || secrets != nil {
		t.Errorf("secrets in the data folder: %v, %v", secrets, err)
	}
	if info, err := os.Stat(again.CredentialsFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credentials: %v, %v", info, err)
	}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another loch serves") {
		t.Errorf("a second server on the folder: %v", err)
	}
}
