package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lochlake/loch/awserr"
)

// tokenLife is how long a paging token holds.
const tokenLife = 24 * time.Hour

// tokens makes paging tokens that clients can neither read nor change: AES-256-GCM over the time of expiry and the state, bound to the operation, the
// caller's account and region, and the parameters of the request.
type tokens struct {
	aead cipher.AEAD
	now  func() time.Time
}

func newTokens(key []byte, now func() time.Time) (*tokens, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the key of paging tokens has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &tokens{aead, now}, nil
}

// seal makes the token with which the caller of c goes on from state. Parameters are those that must be the same in the next request:
// the input with its NextToken and page size unset, or a struct of what matters. State and parameters are marshalled as JSON.
func (t *tokens) seal(c *Call, parameters, state any) (*string, error) {
	bound, err := binding(c, parameters)
	if err != nil {
		return nil, err
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(t.now().Add(tokenLife).Unix()))
	text, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("paging state: %w", err)
	}
	nonce := make([]byte, t.aead.NonceSize(), 256)
	rand.Read(nonce) // never fails: crypto/rand ends the program rather
	token := base64.RawURLEncoding.EncodeToString(t.aead.Seal(nonce, nonce, append(plain, text...), bound))
	return &token, nil
}

// open reads the state back from a token that seal made for the same operation, account, region and parameters. Any other, and one past its time,
// is InvalidNextTokenException.
func (t *tokens) open(c *Call, parameters any, token string, state any) error {
	bound, err := binding(c, parameters)
	if err != nil {
		return err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < t.aead.NonceSize() {
		return errNextToken("it is not one of ours")
	}
	plain, err := t.aead.Open(nil, b[:t.aead.NonceSize()], b[t.aead.NonceSize():], bound)
	if err != nil {
		return errNextToken("it belongs to another request, or was changed")
	}
	if t.now().Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return errNextToken("it has expired")
	}
	if err := json.Unmarshal(plain[8:], state); err != nil {
		return errNextToken("it was made by another version of the server")
	}
	return nil
}

func errNextToken(why string) *awserr.Error {
	return awserr.New("InvalidNextTokenException", "The next token is not valid: %s.", why)
}

// binding is the additional data that a token is sealed with: the length of each part precedes it, so that no two requests share one.
func binding(c *Call, parameters any) ([]byte, error) {
	text, err := json.Marshal(parameters)
	if err != nil {
		return nil, fmt.Errorf("paging parameters: %w", err)
	}
	h := sha256.New()
	for _, part := range []string{c.Operation, c.Scope.Account, c.Scope.Region, string(text)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil), nil
}
