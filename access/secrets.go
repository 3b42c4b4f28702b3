package access

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CredentialsFile is the name of the file that the root key is kept in.
const CredentialsFile = "credentials"

// OpenCredentials reads the root key from the file credentials in dir, or makes it where there is none. The file is AWS's shared-credentials file with
// the profile default, mode 0600; besides the key it names the account (aws_account_id), which the key keeps for good, and a region, so that AWS's
// clients need nothing else. Account is 12 digits, or "" for the one that the file has; region is what a new file names. A file that others may read
// is refused.
func OpenCredentials(dir, account, region string) (Key, error) {
	path := filepath.Join(dir, CredentialsFile)
	text, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !accountID(account) {
			return Key{}, fmt.Errorf("the account must have 12 digits, not %.20q", account)
		}
		if !regionName(region) {
			return Key{}, fmt.Errorf("%.40q is no region", region)
		}
		k := NewKey(account, "", true)
		text = fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_account_id = %s\nregion = %s\n", k.ID, k.Secret, k.Account, region)
		if err = writeSecret(path, text); err == nil {
			text, err = readSecret(path) // what the next start will read
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("the root key: %w", err)
	}
	k, err := parseCredentials(text)
	if err != nil {
		return Key{}, fmt.Errorf("the root key: %s: %w", path, err)
	}
	if account != "" && account != k.Account {
		return Key{}, fmt.Errorf("the root key: %s belongs to account %s, not %s", path, k.Account, account)
	}
	return k, nil
}

// ReadCredentials reads the root key from the file credentials in dir; fs.ErrNotExist where there is none.
func ReadCredentials(dir string) (Key, error) {
	path := filepath.Join(dir, CredentialsFile)
	text, err := readSecret(path)
	if err != nil {
		return Key{}, fmt.Errorf("the root key: %w", err)
	}
	k, err := parseCredentials(text)
	if err != nil {
		return Key{}, fmt.Errorf("the root key: %s: %w", path, err)
	}
	return k, nil
}

// EngineFile is the name of the file that the engine's key is kept in, and EngineID the key's id.
const (
	EngineFile = "engine-credential"
	EngineID   = "loch-engine"
)

// OpenEngineKey reads the key of the engine that runs Loch's own queries from the file engine-credential in dir, or makes it where there is none. The file has
// the one line id:secret, as Iceberg's clients take it, and mode 0600. The key opens the Iceberg catalog and nothing else.
func OpenEngineKey(dir string) (Key, error) {
	path := filepath.Join(dir, EngineFile)
	text, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeSecret(path, []byte(EngineID+":"+randomText(40, idAlphabet)+"\n")); err == nil {
			text, err = readSecret(path)
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("the engine's key: %w", err)
	}
	id, secret, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	if id != EngineID || len(secret) < 40 {
		return Key{}, fmt.Errorf("the engine's key: %s is not the line %s:SECRET with 40 characters or more", path, EngineID)
	}
	return Key{ID: id, Secret: secret}, nil
}

// parseCredentials reads the profile default of a shared-credentials file.
func parseCredentials(text []byte) (Key, error) {
	k := Key{Root: true}
	want := map[string]*string{"aws_access_key_id": &k.ID, "aws_secret_access_key": &k.Secret, "aws_account_id": &k.Account}
	lines, section := bufio.NewScanner(bytes.NewReader(text)), ""
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			if !strings.HasSuffix(line, "]") {
				return Key{}, fmt.Errorf("line %d: a profile's name has no ]", n)
			}
			section = strings.TrimSpace(line[1 : len(line)-1])
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				return Key{}, fmt.Errorf("line %d: neither a profile nor a setting", n)
			}
			if at := want[strings.TrimSpace(name)]; at != nil && section == "default" {
				*at = strings.TrimSpace(value)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return Key{}, err
	}
	switch {
	case len(k.ID) < 16 || len(k.ID) > 128: // AWS's limits of an access key's id
		return Key{}, errors.New("the profile default has no aws_access_key_id of 16 to 128 characters")
	case len(k.Secret) < 40:
		return Key{}, errors.New("the profile default has no aws_secret_access_key of 40 characters")
	case !accountID(k.Account):
		return Key{}, errors.New("the profile default has no aws_account_id of 12 digits")
	}
	k.ARN = "arn:aws:iam::" + k.Account + ":root"
	return k, nil
}

// OpenSecret reads the secret called name in dir, of size random bytes, or makes it where there is none. A file of another size, or one that others may
// read, is refused.
func OpenSecret(dir, name string, size int) ([]byte, error) {
	b, err := ReadSecret(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		b = make([]byte, size)
		rand.Read(b) // never fails: crypto/rand ends the program rather
		err = WriteSecret(dir, name, b)
	}
	if err != nil {
		return nil, err
	}
	if len(b) != size {
		return nil, fmt.Errorf("%s has %d bytes, not %d", filepath.Join(dir, name), len(b), size)
	}
	return b, nil
}

// ReadSecret reads the secret called name in dir. The error is fs.ErrNotExist where there is none; a file that others may read is refused.
func ReadSecret(dir, name string) ([]byte, error) { return readSecret(filepath.Join(dir, name)) }

// WriteSecret keeps a secret under that name in dir, durably, with mode 0600.
func WriteSecret(dir, name string, text []byte) error {
	return writeSecret(filepath.Join(dir, name), text)
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be reached by others than its owner (mode %04o): make it 0600", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// writeSecret writes a new file aside, syncs it and names it, so that there is all of it or none.
func writeSecret(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close(), f.Close())
}

func accountID(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 12
}
