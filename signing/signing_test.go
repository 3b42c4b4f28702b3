package signing

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string, now time.Time) *Keys {
	t.Helper()
	k, err := Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeyIsKept: what was signed before a restart is checked with the key after it.
func TestKeyIsKept(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	k := open(t, dir, now)
	text := []byte("hashes")
	var signature []byte
	var name string
	var wg sync.WaitGroup
	for range 4 { // all meet the key while there is none
		wg.Go(func() {
			if _, _, err := k.Sign(text); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	signature, name, err := k.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	later := open(t, dir, now.AddDate(1, 0, 0))
	list, err := later.Public(now, now.Add(time.Hour))
	if err != nil || len(list) != 1 || list[0].Fingerprint != name || !list[0].From.Equal(now) || len(name) != 32 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := Verify(list[0].DER, text, signature); err != nil {
		t.Error(err)
	}
	if Verify(list[0].DER, []byte("hashed"), signature) == nil {
		t.Error("another text verifies")
	}
	signature[7] ^= 1
	if Verify(list[0].DER, text, signature) == nil {
		t.Error("another signature verifies")
	}
	if Verify([]byte("no key"), text, signature) == nil {
		t.Error("no key verifies")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestPublicInRange(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	k := open(t, t.TempDir(), now)
	for _, c := range []struct {
		from, to time.Duration
		want     int
	}{{0, 0, 1}, {-time.Hour, 0, 1}, {-time.Hour, -time.Second, 0}, {time.Hour, 2 * time.Hour, 1}, {200 * 8760 * time.Hour, 201 * 8760 * time.Hour, 0}} {
		list, err := k.Public(now.Add(c.from), now.Add(c.to))
		if err != nil || len(list) != c.want {
			t.Errorf("%v to %v: %d keys, %v", c.from, c.to, len(list), err)
		}
	}
}

func TestBadKeyFiles(t *testing.T) {
	for name, text := range map[string]string{
		"no PEM":      "hello",
		"another":     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"no creation": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"no key":      "-----BEGIN PRIVATE KEY-----\nCreated: 2026-01-01T00:00:00Z\n\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), keyFile) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Chmod(filepath.Join(dir, keyFile), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("readable by others: %v", err)
		}
	}
}
