package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// Witness is the public half of a witness's key, under the witness's name (C2SP tlog-cosignature, Ed25519). It is a note.Verifier of cosignatures.
type Witness struct {
	name string
	key  ed25519.PublicKey
}

// Signature types of C2SP's signed-note that a witness's vkey may have. Witnesses older than the type of cosignatures give the plain one for the same key.
const (
	algEd25519     = 1
	algCosignature = 4
)

// ParseWitness reads a witness's verifier key ("vkey"): name, key ID in hexadecimal digits, and type and key in base64, joined by "+".
func ParseWitness(vkey string) (Witness, error) {
	vkey = strings.TrimSpace(vkey)
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || parts[0] == "" || strings.ContainsFunc(parts[0], unicode.IsSpace) {
		return Witness{}, fmt.Errorf("%.100q is no witness's key: it has the form NAME+ID+KEY", vkey)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) == 0 {
		return Witness{}, fmt.Errorf("%.100q is no witness's key: the part behind the ID is not base64", vkey)
	}
	if id, err := strconv.ParseUint(parts[1], 16, 32); err != nil || len(parts[1]) != 8 || uint32(id) != keyID(parts[0], key) {
		return Witness{}, fmt.Errorf("%.100q is no witness's key: its ID is not the one of its name and key", vkey)
	}
	if (key[0] != algEd25519 && key[0] != algCosignature) || len(key) != 1+ed25519.PublicKeySize {
		return Witness{}, fmt.Errorf("%.100q is a key of type %d and %d bytes; witnesses with Ed25519 keys are supported", vkey, key[0], len(key)-1)
	}
	return Witness{parts[0], key[1:]}, nil
}

// keyID names a key (C2SP signed-note): the first four bytes of the SHA-256 of the name, a newline, the signature type and the key.
func keyID(name string, typeAndKey []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), typeAndKey...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name is the witness's name.
func (w Witness) Name() string { return w.name }

// KeyHash is the ID of the key for cosignatures.
func (w Witness) KeyHash() uint32 { return keyID(w.name, append([]byte{algCosignature}, w.key...)) }

// VerifierKey is the witness's key as ParseWitness reads it.
func (w Witness) VerifierKey() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, w.key...)))
}

// Verify tells whether sig is the witness's cosignature of a checkpoint's text: a time (seconds since the Unix epoch, eight bytes) and the signature of both.
func (w Witness) Verify(text, sig []byte) bool {
	at, ok := cosignedAt(sig)
	return ok && ed25519.Verify(w.key, CosignedMessage(text, at), sig[8:])
}

// CosignedMessage is what a witness signs: the checkpoint's text behind a line that names the format and one with the time.
func CosignedMessage(text []byte, at uint64) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
}

// cosignedAt reads a cosignature's time. A witness always gives one.
func cosignedAt(sig []byte) (at uint64, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	at = binary.BigEndian.Uint64(sig)
	return at, at > 0 && at <= math.MaxInt64
}

// ErrNotCosigned: a checkpoint has no cosignature of a witness.
var ErrNotCosigned = errors.New("no cosignature")

// Cosigned verifies the witness's cosignature of a signed checkpoint and gives its time. Of a checkpoint without one it is ErrNotCosigned. Who signed the checkpoint
// itself OpenCheckpoint tells.
func (w Witness) Cosigned(signed []byte) (time.Time, error) {
	_, at, err := w.cosignature(signed)
	return at, err
}

func (w Witness) cosignature(signed []byte) (note.Signature, time.Time, error) {
	n, err := note.Open(signed, note.VerifierList(w))
	if _, unverified := errors.AsType[*note.UnverifiedNoteError](err); unverified {
		return note.Signature{}, time.Time{}, fmt.Errorf("%w of witness %s", ErrNotCosigned, w.name)
	}
	if err != nil {
		return note.Signature{}, time.Time{}, fmt.Errorf("cosignature of witness %s: %w", w.name, err)
	}
	raw, err := strictly(n.Sigs[0]) // verified: behind the key's ID is a cosignature
	if err != nil {
		return note.Signature{}, time.Time{}, err
	}
	at, _ := cosignedAt(raw[4:])
	return n.Sigs[0], time.Unix(int64(at), 0).UTC(), nil
}

// Cosign appends the witness's cosignature to a signed checkpoint: it takes it from lines, which are what the witness answered, and leaves whatever else they hold.
func (w Witness) Cosign(signed, lines []byte) ([]byte, error) {
	body, _, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return nil, errCheckpoint
	}
	sig, _, err := w.cosignature(append(append(body[:len(body):len(body)], "\n\n"...), lines...))
	if err != nil {
		return nil, err
	}
	out := fmt.Appendf(bytes.Clone(signed), "— %s %s\n", sig.Name, sig.Base64)
	_, err = w.Cosigned(out) // of this text, and not of another that the lines bring
	return out, err
}
