package delivery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

func (b *bed) wrongKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(b.s3.AccessKey, "another-secret", "")
}

// TestVerifyFinds changes a delivered folder in every way, and wants each to be found, and nothing else.
func TestVerifyFinds(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	b.cfg.Results, b.cfg.PartBytes = rows(4_000), 32<<10
	b.ask(t, queryID, "s3://results")
	b.delivered(t, queryID)
	from := b.folder("results")
	edit := func(change func(s *SignFile)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, SignName)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var s SignFile
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			change(&s)
			if text, err = json.Marshal(s); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   []string // "file: the beginning of the problem", with the sign file as ""
	}{
		{"nothing", func(*testing.T, string) {}, nil},
		{"a byte", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "result_2.csv.gz")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2] ^= 1
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"result_2.csv.gz: changed"}},
		{"a file less", func(t *testing.T, dir string) { remove(t, dir, "result_1.csv.gz") }, []string{"result_1.csv.gz: missing"}},
		{"a file more", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "result_99.csv.gz"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"result_99.csv.gz: is not among"}},
		{"no sign file", func(t *testing.T, dir string) { remove(t, dir, SignName) }, []string{": missing"}},
		{"no JSON", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, SignName), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{": cannot be read"}},
		{"a hash", edit(func(s *SignFile) { s.Files[0].Hash = strings.Repeat("0", 64) }), []string{": hashSignature", ": lochSignature", "result_1.csv.gz: changed"}},
		{"the last file forgotten", edit(func(s *SignFile) { s.Files = s.Files[:len(s.Files)-1] }), []string{": hashSignature", ": lochSignature", "result_"}},
		{"no files", edit(func(s *SignFile) { s.Files = nil }), []string{": names no file", ": hashSignature", ": lochSignature", "result_"}},
		{"the time", edit(func(s *SignFile) { s.QueryCompleteTime = "2026-11-25T00:00:00Z" }), []string{": lochSignature"}},
		{"no time", edit(func(s *SignFile) { s.QueryCompleteTime = "yesterday" }), []string{": queryCompleteTime", ": lochSignature"}},
		{"the region", edit(func(s *SignFile) { s.Region = "us-east-1" }), []string{": lochSignature"}},
		{"the query", edit(func(s *SignFile) { s.QueryID = "another" }), []string{": lochSignature"}},
		{"Loch's signature", edit(func(s *SignFile) { s.LochSignature = "" }), []string{": has no lochSignature"}},
		{"a signature of another text", edit(func(s *SignFile) { s.LochSignature = s.HashSignature }), []string{": lochSignature"}},
		{"another key", edit(func(s *SignFile) { s.PublicKeyFingerprint = strings.Repeat("0", 32) }), []string{": signed with a key"}},
		{"the algorithm", edit(func(s *SignFile) { s.HashAlgorithm = "MD5" }), []string{": is of version"}},
		{"a way out", edit(func(s *SignFile) { s.Files[0].Name = "../../secret" }), []string{": lochSignature", ": names \"../../secret\"", "result_1.csv.gz: is not among"}},
		{"a name twice", edit(func(s *SignFile) { s.Files[1].Name = s.Files[0].Name }), []string{": lochSignature", ": names \"result_1.csv.gz\" twice", "result_2.csv.gz: is not among"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			c.change(t, dir)
			r := b.verify(t, dir)
			for i, f := range r.Findings {
				line := strings.TrimPrefix(f.File, SignName) + ": " + f.Problem
				if i < len(c.want) && !strings.HasPrefix(line, c.want[i]) || i >= len(c.want) && !strings.HasPrefix(line, "result_") {
					t.Errorf("finding %d: %s", i, line)
				}
			}
			if len(r.Findings) < len(c.want) || len(c.want) == 0 && len(r.Findings) > 0 {
				t.Errorf("%d findings: %+v", len(r.Findings), r.Findings)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyUnknownMember: what no signature covers may not stand in a sign file.
func TestVerifyUnknownMember(t *testing.T) {
	for _, text := range []string{`{"version":"1.0","note":"x"}`, `{"version":"1.0"} {}`, `[]`, ``} {
		if _, err := readSignFile(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
