package streamer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestByTime(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for _, name := range []string{
		"z-no-time.json",
		"AWSLogs/222233334444/CloudTrail/eu-west-1/2026/01/02/222233334444_CloudTrail_eu-west-1_20260102T0005Z_aaaaaaaaaaaaaaaa.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/111122223333_CloudTrail_us-east-1_20260102T0010Z_aaaaaaaaaaaaaaaa.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/03/111122223333_CloudTrail_us-east-1_20260103T0010Z_aaaaaaaaaaaaaaaa.json.gz",
		"AWSLogs/222233334444/CloudTrail/eu-west-1/2026/01/04/222233334444_CloudTrail_eu-west-1_20260104T0005Z_aaaaaaaaaaaaaaaa.json.gz",
	} {
		path := filepath.Join(dir, name)
		want = append(want, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := byTime(t.Context(), Options{Sources: []string{dir}}, func(f file, err error) error {
		got = append(got, f.path)
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
	}
}
