package access

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
)

func TestOpenCredentials(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k, err := OpenCredentials(dir, "123456789012", "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(k.ID) != 20 || !strings.HasPrefix(k.ID, "AKIA") || len(k.Secret) != 40 || k.ARN != "arn:aws:iam::123456789012:root" || !k.Root {
		t.Errorf("%+v", k)
	}
	path := filepath.Join(dir, "credentials")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for _, account := range []string{"", "123456789012"} {
		if again, err := OpenCredentials(dir, account, "us-east-1"); err != nil || again != k {
			t.Errorf("%+v %v", again, err)
		}
	}
	// As AWS's own library reads it.
	profile, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{path}, []string{}
	})
	if err != nil || profile.Credentials.AccessKeyID != k.ID || profile.Credentials.SecretAccessKey != k.Secret || profile.Region != "eu-west-1" {
		t.Errorf("%+v %v", profile, err)
	}
	if _, err := OpenCredentials(dir, "210987654321", "eu-west-1"); err == nil || !strings.Contains(err.Error(), "belongs to account 123456789012") {
		t.Errorf("another account: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCredentials(dir, "", "eu-west-1"); err == nil || !strings.Contains(err.Error(), "mode 0640") {
		t.Errorf("open to others: %v", err)
	}
}

func TestOpenCredentialsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                  "",
		"no section":             "aws_access_key_id = AKIAAAAAAAAAAAAAAAAA\n",
		"other profile":          "[other]\naws_access_key_id = AKIAAAAAAAAAAAAAAAAA\naws_secret_access_key = " + strings.Repeat("a", 40) + "\naws_account_id = 123456789012\n",
		"no secret":              "[default]\naws_access_key_id = AKIAAAAAAAAAAAAAAAAA\naws_account_id = 123456789012\n",
		"no account":             "[default]\naws_access_key_id = AKIAAAAAAAAAAAAAAAAA\naws_secret_access_key = " + strings.Repeat("a", 40) + "\n",
		"line 2: neither a prof": "[default]\nnonsense\n",
		"line 1: a profile's na": "[default\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenCredentials(dir, "123456789012", "eu-west-1")
		if err == nil || strings.HasPrefix(name, "line") && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range [][2]string{{"", "eu-west-1"}, {"12345", "eu-west-1"}, {"12345678901x", "eu-west-1"}, {"123456789012", ""}, {"123456789012", "EU West"}} {
		if _, err := OpenCredentials(t.TempDir(), c[0], c[1]); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
	if _, err := OpenCredentials(filepath.Join(os.DevNull, "x"), "123456789012", "eu-west-1"); err == nil {
		t.Error("a folder that can't be")
	}
}

func TestOpenSecret(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenSecret(dir, "token.key", 32)
	if err != nil || len(a) != 32 || bytes.Equal(a, make([]byte, 32)) {
		t.Fatalf("%x %v", a, err)
	}
	if b, err := OpenSecret(dir, "token.key", 32); err != nil || !bytes.Equal(a, b) {
		t.Errorf("%x %v", b, err)
	}
	if _, err := OpenSecret(dir, "token.key", 64); err == nil {
		t.Error("another size was taken")
	}
	if _, err := OpenSecret(dir, ".", 64); err == nil {
		t.Error("a folder was taken")
	}
}
