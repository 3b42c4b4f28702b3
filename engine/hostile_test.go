package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What the dialect never lets through is refused by the engine alone as well, and touches nothing.
func TestHostileSQL(t *testing.T) {
	dir := t.TempDir()
	d := newEngine(t, nil)
	file := testFile(t, dir, "a.parquet", 0, 3)
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,topsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file.Local)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../dialect/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	hostile := []string{"", "SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000)}
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, `"`) {
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatal(err)
			}
		}
		hostile = append(hostile, strings.NewReplacer("{secret}", secret, "{file}", file.Local, "{dir}", dir, "{out}", filepath.Join(dir, "out.csv"), "{table}", "s").Replace(line))
	}
	for _, sql := range hostile {
		rows, _, err := answer(t, d, Job{SQL: sql, Columns: []Column{{Type: "varchar"}},
			Relations: []Relation{{Name: "s", Schema: testSchema(), Columns: []string{"eventid"}, Files: []File{file}}}})
		if err == nil {
			t.Errorf("%s: answered %q", sql, rows)
		} else if strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error tells a path: %v", sql, err)
		}
	}
	after, err := os.ReadFile(file.Local)
	if err != nil || string(after) != string(before) {
		t.Error("a planned file was changed", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 3 { // the file, the secret, the engine's directory may lie elsewhere
		t.Error("something was written:", entries, err)
	}
}
