package access

import (
	"context"
	"crypto/rand"
	"errors"
)

// Key is an access key: whose it is, and the secret that its requests are signed with.
type Key struct {
	ID      string // 20 characters, for example AKIA…
	Secret  string
	Account string // 12 digits
	ARN     string // of the principal, for example arn:aws:iam::123456789012:root
	Root    bool
}

// ErrNoKey means that no key of that id exists, or that it may not be used.
var ErrNoKey = errors.New("no such access key")

// Keys finds access keys. Lookup gives ErrNoKey for an id that it doesn't know; any other error is a fault of ours.
type Keys interface {
	Lookup(ctx context.Context, accessKeyID string) (Key, error)
}

// Lookup makes a Key the set of itself.
func (k Key) Lookup(_ context.Context, accessKeyID string) (Key, error) {
	if accessKeyID != k.ID {
		return Key{}, ErrNoKey
	}
	return k, nil
}

const (
	idAlphabet     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// NewKey makes an access key of the form that AWS's have: an id of "AKIA" and 16 letters and digits (80 random bits), and a secret of 40
// characters (240 random bits).
func NewKey(account, arn string, root bool) Key {
	return Key{ID: "AKIA" + randomText(16, idAlphabet), Secret: randomText(40, secretAlphabet), Account: account, ARN: arn, Root: root}
}

// randomText draws n characters; the alphabet's length divides 256, so that each is as likely.
func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program rather
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
