// Package signing holds the key with which the server signs what it hands out: RSA of 2048 bits, SHA-256, PKCS #1 v1.5, as CloudTrail signs. Whoever has the
// public key, which ListPublicKeys answers, can check a signature without the server.
package signing

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/lochlake/loch/access"
)

const (
	keyFile  = "signing.key"
	keyBits  = 2048
	pemType  = "PRIVATE KEY" // PKCS #8
	created  = "Created"     // the PEM header that says since when the key signs
	validFor = 100           // years: the key lives as long as its file
)

// PublicKey is what others need to check signatures.
type PublicKey struct {
	DER         []byte // PKCS #1
	Fingerprint string // 32 hexadecimal digits: the first half of the SHA-256 of DER
	From, To    time.Time
}

// Keys is the server's key. It is made when it is first needed, which takes a moment, and kept in a file among the secrets. It may be used from many goroutines.
type Keys struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	key    *rsa.PrivateKey // nil while there is none yet
	public PublicKey
}

// Open reads the key in dir, the folder of the secrets, where there is one. A file that others may read, or that holds no such key, is an error.
func Open(dir string, now func() time.Time) (*Keys, error) {
	k := &Keys{dir: dir, now: now}
	if now == nil {
		k.now = time.Now
	}
	switch err := k.read(); {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return k, nil
	default:
		return nil, fmt.Errorf("the signing key: %w", err)
	}
}

func (k *Keys) read() error {
	text, err := access.ReadSecret(k.dir, keyFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return fmt.Errorf("%s holds no PEM block of type %s", keyFile, pemType)
	}
	from, err := time.Parse(time.RFC3339, block.Headers[created])
	if err != nil {
		return fmt.Errorf("%s: header %s: %w", keyFile, created, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s holds a key of another kind than RSA", keyFile)
	}
	der := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	k.key, k.public = key, PublicKey{der, Fingerprint(der), from, from.AddDate(validFor, 0, 0)}
	return nil
}

// current gives the key, and makes it where there is none.
func (k *Keys) current() (*rsa.PrivateKey, PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		if err := k.make(); err != nil {
			return nil, PublicKey{}, fmt.Errorf("the signing key: %w", err)
		}
	}
	return k.key, k.public, nil
}

func (k *Keys) make() error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: pemType, Headers: map[string]string{created: k.now().UTC().Format(time.RFC3339)}, Bytes: der})
	if err := access.WriteSecret(k.dir, keyFile, text); err != nil {
		return err
	}
	return k.read()
}

// Sign signs the SHA-256 of text, and tells with which key.
func (k *Keys) Sign(text []byte) (signature []byte, fingerprint string, err error) {
	key, public, err := k.current()
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return signature, public.Fingerprint, err
}

// Public gives the keys that were valid at some time from the one instant to the other.
func (k *Keys) Public(from, to time.Time) ([]PublicKey, error) {
	_, public, err := k.current()
	if err != nil {
		return nil, err
	}
	if to.Before(public.From) || !from.Before(public.To) {
		return nil, nil
	}
	return []PublicKey{public}, nil
}

// Verify checks what Sign signed, with a public key in PKCS #1. The error says whether the key or the signature is wrong.
func Verify(der, text, signature []byte) error {
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return fmt.Errorf("the public key: %w", err)
	}
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
}

// Fingerprint names a public key in PKCS #1.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:16])
}
