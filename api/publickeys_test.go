package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/signing"
)

// fakeKeys has one key, valid from the one time to the other.
type fakeKeys struct{ signing.PublicKey }

func (f fakeKeys) Public(from, to time.Time) ([]signing.PublicKey, error) {
	if to.Before(f.From) || !from.Before(f.To) {
		return nil, nil
	}
	return []signing.PublicKey{f.PublicKey}, nil
}

func TestListPublicKeys(t *testing.T) {
	now := time.Now()
	key := fakeKeys{signing.PublicKey{DER: []byte("der"), Fingerprint: "f1", From: now.Add(-time.Hour), To: now.Add(time.Hour)}}
	w := serveTest(t, func(s *Server) { s.HandlePublicKeys(key) })
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for _, tt := range []struct {
		body string
		want int
	}{
		{`{}`, 1},
		{`{"StartTime":` + at(-2*time.Hour) + `}`, 1},
		{`{"StartTime":` + at(-3*time.Hour) + `,"EndTime":` + at(-2*time.Hour) + `}`, 0},
		{`{"StartTime":` + at(2*time.Hour) + `,"EndTime":` + at(3*time.Hour) + `}`, 0},
	} {
		var out model.ListPublicKeysResponse
		a := w.call("ListPublicKeys", tt.body)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 || len(out.PublicKeyList) != tt.want || !strings.Contains(a.body, `"PublicKeyList":[`) {
			t.Errorf("%s: %d %s", tt.body, a.status, a.body)
			continue
		}
		if tt.want == 1 && (string(*out.PublicKeyList[0].Value) != "der" || *out.PublicKeyList[0].Fingerprint != "f1") {
			t.Error(a.body)
		}
	}
	for body, want := range map[string]string{
		`{"StartTime":` + at(2*time.Hour) + `}`: "InvalidTimeRangeException",
		`{"NextToken":"x"}`:                     "InvalidTokenException",
	} {
		if a := w.call("ListPublicKeys", body); a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
