package objstore_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore"
)

// Iceberg's libraries parse a location, join names to it and hand the text back.
func TestLocationsOfOddFoldersSurviveURLs(t *testing.T) {
	for _, name := range []string{"plain", "a b", "a#b", "a%b", "a%20b", "a?b", "é𝒳", `a"b`, "a{b,c}", `a\b`, "a:b", "a[b]*", "a;b&c=d@e", "\xff"} {
		s, err := objstore.OpenLocal(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(s.URI("tables/1"))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if key, ok := s.Key(u.JoinPath("metadata", "1.avro").String()); !ok || key != "tables/1/metadata/1.avro" {
			t.Errorf("%q: %s came back as %s: %q, %v", name, s.URI("tables/1"), u.JoinPath("metadata", "1.avro"), key, ok)
		}
		if name == "plain" && !strings.HasSuffix(s.URI("k"), filepath.ToSlash(s.LocalPath("k"))) {
			t.Errorf("a plain folder's location %s is not its path", s.URI("k"))
		}
	}
}
