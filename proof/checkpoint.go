package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key signs the checkpoints of every log of a server.
type Key struct{ private ed25519.PrivateKey }

// SeedSize is the size of what a key is made from.
const SeedSize = ed25519.SeedSize

// NewKey makes a key from its seed, SeedSize random bytes.
func NewKey(seed []byte) Key { return Key{ed25519.NewKeyFromSeed(seed)} }

// Public is the key's public half.
func (k Key) Public() PublicKey { return PublicKey(k.private.Public().(ed25519.PublicKey)) }

// PublicKey is the public half of a Key: 32 bytes.
type PublicKey []byte

// String is the key in base64, as ParsePublicKey reads it.
func (p PublicKey) String() string { return base64.StdEncoding.EncodeToString(p) }

// Origin names a store's log: it begins every checkpoint of it, and is the name of the key in its signature. The key is part of it, so that logs
// of two servers never share a name, although each may have an event history of the same account.
func (p PublicKey) Origin(storeID string) string {
	sum := sha256.Sum256(p)
	return "loch/" + hex.EncodeToString(sum[:8]) + "/" + storeID
}

// VerifierKey is the key for one store's log as tlog clients take it ("vkey" in C2SP's signed-note).
func (p PublicKey) VerifierKey(storeID string) string {
	v, err := note.NewEd25519VerifierKey(p.Origin(storeID), ed25519.PublicKey(p))
	if err != nil {
		panic(err) // only for a key of another size
	}
	return v
}

// ParsePublicKey reads a public key: base64 of its 32 bytes, or a vkey of any of the server's logs.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.TrimSpace(text)
	if parts := strings.SplitN(text, "+", 3); len(parts) == 3 && strings.HasPrefix(text, "loch/") {
		if _, err := note.NewVerifier(text); err != nil {
			return nil, fmt.Errorf("%.100q is no verifier key: %w", text, err)
		}
		b, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || len(b) != 1+ed25519.PublicKeySize {
			return nil, fmt.Errorf("%.100q holds no Ed25519 key", text)
		}
		return PublicKey(b[1:]), nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.100q is no public key: base64 of 32 bytes, or a line that begins with loch/", text)
	}
	return PublicKey(b), nil
}

// signer is the key under the name of one log.
type signer struct {
	key  Key
	name string
}

func (s signer) Name() string { return s.name }

// KeyHash is the key's id (C2SP signed-note): the first four bytes of the SHA-256 of the name, a newline, the algorithm's byte and the key.
func (s signer) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(s.name+"\n\x01"), s.key.Public()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key.private, msg), nil }

// Checkpoint is a signed statement of what a log holds (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   uint64 // leaves
	Root   Hash
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign makes the checkpoint of a store's log: a signed note. The same size and root make the same bytes.
func (k Key) Sign(storeID string, size uint64, root Hash) ([]byte, error) {
	origin := k.Public().Origin(storeID)
	return note.Sign(&note.Note{Text: Checkpoint{origin, size, root}.text()}, signer{k, origin})
}

var errCheckpoint = errors.New("the checkpoint is not of the form: origin, number of leaves, root hash in base64")

// ParseCheckpoint reads a checkpoint without asking who signed it.
func ParseCheckpoint(signed []byte) (c Checkpoint, err error) {
	lines := strings.SplitN(string(signed), "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return c, errCheckpoint
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.Size, 10) != lines[1] {
		return c, errCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, errCheckpoint
	}
	c.Root = Hash(root)
	return c, nil
}

// strictly decodes a signature that must be written in the one way that base64 has for it, so that no byte of it can change unseen.
func strictly(s note.Signature) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
	if err != nil {
		return nil, fmt.Errorf("the signature of %.100q: %w", s.Name, err)
	}
	return b, nil
}

// OpenCheckpoint reads a checkpoint of a store's log and verifies that the key signed it. Its text must be exactly what Sign writes, since a line more could say
// anything. Signatures of others, such as witnesses' cosignatures, may stand beside the key's; they are not looked at.
func OpenCheckpoint(signed []byte, key PublicKey, storeID string) (Checkpoint, error) {
	v, err := note.NewVerifier(key.VerifierKey(storeID))
	if err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint's signature: %w", err)
	}
	if _, err := strictly(n.Sigs[0]); err != nil {
		return Checkpoint{}, err
	}
	c, err := ParseCheckpoint(signed)
	if err != nil {
		return c, err
	}
	if c.Origin != v.Name() || c.text() != n.Text {
		return c, fmt.Errorf("the checkpoint is of another log or form: it begins %.100q, and the log is %s", c.Origin, v.Name())
	}
	return c, nil
}
