package verify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// fixedWitness cosigns whatever it is given.
type fixedWitness struct {
	proof.Witness
	private ed25519.PrivateKey
}

func newFixedWitness(t *testing.T, name string, seed byte) fixedWitness {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	vkey, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	w, err := proof.ParseWitness(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return fixedWitness{w, private}
}

func (w fixedWitness) Sign(text []byte) ([]byte, error) {
	const at = 1_700_000_000
	return append(binary.BigEndian.AppendUint64(nil, at), ed25519.Sign(w.private, proof.CosignedMessage(text, at))...), nil
}

// cosign appends the witness's cosignature to the published checkpoint.
func (b *bed) cosign(w fixedWitness) {
	b.t.Helper()
	r := tlog.Reader{Objects: b.objects, StoreID: b.store}
	signed, err := r.Checkpoint(b.t.Context())
	b.ok(err)
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	own, err := note.Sign(&note.Note{Text: string(text) + "\n"}, w)
	b.ok(err)
	_, lines, _ := bytes.Cut(own, []byte("\n\n"))
	signed, err = w.Cosign(signed, lines)
	b.ok(err)
	b.ok(b.objects.Put(b.t.Context(), r.Key(proof.CheckpointPath), bytes.NewReader(signed), int64(len(signed)), false))
}

// late is a running server's logs, whose checkpoint is cosigned after it was read for the first time.
type late struct {
	objstore.Store
	reads  int
	cosign func()
}

func (l *late) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if strings.HasSuffix(key, "/checkpoint") {
		if l.reads++; l.reads == 2 {
			l.cosign()
		}
	}
	return l.Store.Get(ctx, key, off, n)
}

// Checkpoints with cosignatures are checkpoints; a cosignature that is required and is not there, or not of this checkpoint, is found.
func TestRequiredCosignatures(t *testing.T) {
	b := newBed(t)
	b.commit(2, 5)
	b.flush()
	w, other := newFixedWitness(t, "witness.example/w", 5), newFixedWitness(t, "witness.example/other", 6)
	find := func(opt Options) []Finding {
		t.Helper()
		opt.Objects, opt.Key = b.objects, key.Public()
		report, err := Run(t.Context(), opt)
		b.ok(err)
		if len(opt.Witnesses) > 0 && len(report.Findings) == 0 && (len(report.Cosigned) != len(opt.Witnesses) || report.Cosigned[0].At.Unix() != 1_700_000_000) {
			t.Error(report.Cosigned)
		}
		return report.Findings
	}
	required := Options{Witnesses: []proof.Witness{w.Witness}}
	if got := find(required); len(got) != 1 || !strings.Contains(got[0].Problem, "no cosignature of witness witness.example/w") {
		t.Error(got)
	}
	b.cosign(other)
	if got := find(required); len(got) != 1 {
		t.Error("another's is enough:", got)
	}
	live := &late{Store: b.objects, cosign: func() { b.cosign(w) }}
	report, err := Run(t.Context(), Options{Objects: live, Key: key.Public(), Logs: []string{b.store}, Witnesses: required.Witnesses})
	if err != nil || len(report.Findings) > 0 || live.reads < 2 {
		t.Error("of a running server:", report.Findings, err)
	}
	if got := find(Options{Meta: b.db, Witnesses: []proof.Witness{w.Witness, other.Witness}, Full: true}); len(got) > 0 {
		t.Error(got)
	}
	if said, ok := python(t, "lake", b.dir+"/lake", b.store); !ok {
		t.Error("the second verifier:", said)
	}
	f, err := Prove(t.Context(), b.lake, tlog.Reader{Objects: b.objects, StoreID: b.store}, key.Public(), "00000001-0000-0000-0000-000000000002")
	b.ok(err)
	if _, err := w.Cosigned([]byte(f.Checkpoint)); err != nil {
		t.Error("a proof's checkpoint:", err)
	}

	b.commit(1, 5) // the log goes on, and the witness was not asked
	b.flush()
	if got := find(required); len(got) != 1 {
		t.Error("an older cosignature is enough:", got)
	}
}
