package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// complaint runs a command line and gives its exit status and what it printed on standard error.
func complaint(t *testing.T, args ...string) (status int, text string) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kept := os.Stderr
	os.Stderr = file
	status = run(args)
	os.Stderr = kept
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(out)
}

// TestWrongUsage holds that a wrong command line is told from a failure, and names the command whose help tells more.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct{ line, says, help string }{
		{"hold add", "--reason", "loch hold add"},
		{"hold add main --reason x --from yesterday", "--from", "loch hold add"},
		{"hold add main --reason x --from 2026-11-09 --to 2026-11-01", "--from is after --to", "loch hold add"},
		{"query", "a statement is wanted", "loch query"},
		{"query SELECT --alias forensics.denied-calls", "two questions", "loch query"},
		{"verify --logs --full", "--logs reads no events", "loch verify"},
		{"verify --logs --proof proof.json", "say what to verify, one of these", "loch verify"},
		{"verify --proof proof.json", "--key is needed", "loch verify"},
		{"backup there", "say of which server", "loch backup"},
		{"backup there --keep=-1", "--keep", "loch backup"},
		{"backup there --list --keep 3", "--list changes nothing", "loch backup"},
		{"restore there", "say where to", "loch restore"},
		{"redact one --store main --reason x --confirm other", "--confirm", "loch redact"},
		{"serve --data there --compaction 7", "--compaction", "loch serve"},
		{"serve --data there --max-stores 0", "--max-stores", "loch serve"},
		{"serve --data there --commit-interval 0s", "--commit-interval", "loch serve"},
		{"no-such-command", "no-such-command", "loch"},
	} {
		status, text := complaint(t, strings.Fields(c.line)...)
		if status != exitUsage || !strings.Contains(text, c.says) || !strings.HasSuffix(text, "\nRun \""+c.help+" --help\" to see what it takes.\n") {
			t.Errorf("loch %s ended with %d and said %q", c.line, status, text)
		}
	}
}
