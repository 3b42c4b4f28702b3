package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// cosigner is a witness's key as a note.Signer, written from C2SP's tlog-cosignature.
type cosigner struct {
	Witness
	private ed25519.PrivateKey
	at      uint64
}

func newCosigner(t *testing.T, name string, seed byte) cosigner {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public := append([]byte{4}, private.Public().(ed25519.PublicKey)...)
	w, err := ParseWitness(fmt.Sprintf("%s+%08x+%s", name, keyID(name, public), base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		t.Fatal(err)
	}
	return cosigner{w, private, 1679315147}
}

func (c cosigner) Sign(msg []byte) ([]byte, error) {
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", c.at, msg)
	return append(binary.BigEndian.AppendUint64(nil, c.at), ed25519.Sign(c.private, []byte(signed))...), nil
}

// lines is what the witness answers about a signed checkpoint.
func (c cosigner) lines(t *testing.T, signed []byte) []byte {
	t.Helper()
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	own, err := note.Sign(&note.Note{Text: string(text) + "\n"}, c)
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := bytes.Cut(own, []byte("\n\n"))
	return lines
}

// The example of C2SP's tlog-cosignature names the witness's key by the ID jWbPPw==, and its time is in its signature.
func TestCosignatures(t *testing.T) {
	const store = "11111111-2222-3333-4444-555555555555"
	key := NewKey(bytes.Repeat([]byte{7}, SeedSize))
	signed, err := key.Sign(store, 42, Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	a, b := newCosigner(t, "witness.example/a", 1), newCosigner(t, "witness.example/b", 2)
	if _, err := a.Cosigned(signed); !errors.Is(err, ErrNotCosigned) {
		t.Error(err)
	}
	both, err := a.Cosign(signed, append(b.lines(t, signed), a.lines(t, signed)...)) // what others signed is left
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Cosigned(both); !errors.Is(err, ErrNotCosigned) {
		t.Error("a stranger's cosignature was taken over", err)
	}
	if both, err = b.Cosign(both, b.lines(t, signed)); err != nil {
		t.Fatal(err)
	}
	for _, w := range []cosigner{a, b} {
		if at, err := w.Cosigned(both); err != nil || !at.Equal(time.Unix(1679315147, 0)) {
			t.Error(at, err)
		}
	}
	if cp, err := OpenCheckpoint(both, key.Public(), store); err != nil || cp.Size != 42 {
		t.Error("with cosignatures", cp, err)
	}
	for at := range both {
		for _, flip := range []byte{1, 4} {
			bad := bytes.Clone(both)
			bad[at] ^= flip
			_, e1 := OpenCheckpoint(bad, key.Public(), store)
			_, e2 := a.Cosigned(bad)
			_, e3 := b.Cosigned(bad)
			if e1 == nil && e2 == nil && e3 == nil {
				t.Errorf("byte %d can be changed", at)
			}
		}
	}

	other, err := key.Sign(store, 43, Hash{2})
	if err != nil {
		t.Fatal(err)
	}
	zero := a
	zero.at = 0
	for name, lines := range map[string][]byte{
		"of another checkpoint": a.lines(t, other), "another's": b.lines(t, signed), "without a time": zero.lines(t, signed), "nothing": nil, "no lines": []byte("ok\n"),
		"that brings another text": append([]byte("— x AAAAAAAA\n\n"), a.lines(t, append(append(bytes.Clone(signed), "— x AAAAAAAA"...), "\n\n"...))...),
	} {
		if out, err := a.Cosign(signed, lines); err == nil {
			t.Errorf("a cosignature %s is taken: %s", name, out)
		}
	}
}

func TestWitnessKeys(t *testing.T) {
	c := newCosigner(t, "witness.example/a", 1)
	vkey := c.VerifierKey()
	if w, err := ParseWitness(" " + vkey + "\n"); err != nil || w.KeyHash() != c.KeyHash() || w.Name() != "witness.example/a" {
		t.Error(w, err)
	}
	plain, err := note.NewEd25519VerifierKey("witness.example/a", c.key) // as older witnesses print it
	if err != nil {
		t.Fatal(err)
	}
	if w, err := ParseWitness(plain); err != nil || w.KeyHash() != c.KeyHash() {
		t.Error(w, err)
	}
	mldsa := append([]byte{6}, make([]byte, 1312)...)
	for _, text := range []string{"", "a+b", "a+00000000+BAAA", strings.Replace(vkey, "/a+", "/b+", 1), vkey[:len(vkey)-4], "a b" + vkey, fmt.Sprintf("w+%08x+%s", keyID("w", mldsa), base64.StdEncoding.EncodeToString(mldsa))} {
		if w, err := ParseWitness(text); err == nil {
			t.Errorf("%q is the key of %s", text, w.Name())
		}
	}
}
