package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// python runs the second verifier, and says whether it found its arguments valid.
func python(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the second verifier needs python3")
	}
	out, err := exec.Command(path, append([]string{"testdata/verify.py", key.Public().String()}, args...)...).CombinedOutput()
	if err != nil != strings.HasPrefix(string(out), "invalid: ") && !strings.Contains(string(out), "Traceback") {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out), err == nil
}

func TestProofs(t *testing.T) {
	b := newBed(t)
	b.commit(3, 9)
	log := tlog.Reader{Objects: b.objects, StoreID: b.store}
	const id = "00000002-0000-0000-0000-000000000004"
	if _, err := Prove(t.Context(), b.lake, log, key.Public(), id); !errors.Is(err, objstore.ErrNotExist) && !errors.Is(err, ErrNotCovered) {
		t.Errorf("before the checkpoint: %v", err)
	}
	b.flush()
	if _, err := Prove(t.Context(), b.lake, log, key.Public(), "none"); !errors.Is(err, ErrNoEvent) {
		t.Errorf("an event that there is not: %v", err)
	}
	write := func(f proof.File) string {
		text, err := json.Marshal(f)
		b.ok(err)
		name := filepath.Join(t.TempDir(), "proof.json")
		b.ok(os.WriteFile(name, text, 0o600))
		return name
	}
	var proofs []proof.File
	for _, id := range []string{id, "00000003-0000-0000-0000-000000000000", "00000003-0000-0000-0000-000000000008"} {
		f, err := Prove(t.Context(), b.lake, log, key.Public(), id)
		b.ok(err)
		if f.Event.ID != id || !bytes.Contains(f.Text, []byte(id)) {
			t.Error(f)
		}
		if said, ok := python(t, "proof", write(f)); !ok {
			t.Error("the second verifier:", said)
		}
		proofs = append(proofs, f)
	}

	// A proof in which anything was changed proves nothing.
	rng := rand.New(rand.NewPCG(7, 8))
	for name, change := range map[string]func(*proof.File){
		"text":           func(f *proof.File) { f.Text = bytes.Clone(f.Text); f.Text[rng.IntN(len(f.Text))] ^= 1 },
		"store":          func(f *proof.File) { f.Store = strings.Repeat("0", 36) },
		"id":             func(f *proof.File) { f.Event.ID += "x" },
		"accepted":       func(f *proof.File) { f.Event.Accepted-- },
		"position":       func(f *proof.File) { f.Event.Position++ },
		"sequence":       func(f *proof.File) { f.Event.Sequence++ },
		"conflict":       func(f *proof.File) { f.Event.Conflict = true },
		"batch index":    func(f *proof.File) { f.BatchIndex ^= 1 },
		"batch path":     func(f *proof.File) { f.BatchPath = append([]proof.Digest{}, f.BatchPath...); f.BatchPath[0][3] ^= 1 },
		"leaf":           func(f *proof.File) { f.Leaf = strings.Replace(f.Leaf, `"count":`, `"count": `, 1) },
		"index":          func(f *proof.File) { f.Index ^= 1 },
		"path":           func(f *proof.File) { f.Path = f.Path[1:] },
		"checkpoint":     func(f *proof.File) { f.Checkpoint = strings.Replace(f.Checkpoint, "\n", "\n1", 1) },
		"another's text": func(f *proof.File) { f.Text = proofs[1].Text },
		"another's leaf": func(f *proof.File) { f.Leaf, f.Index, f.Path = proofs[1].Leaf, proofs[1].Index, proofs[1].Path },
	} {
		f := proofs[0]
		change(&f)
		if err := f.Verify(key.Public()); err == nil {
			t.Errorf("taken with another %s", name)
		}
		if said, ok := python(t, "proof", write(f)); ok {
			t.Errorf("the second verifier takes it with another %s: %s", name, said)
		}
	}
	if err := proofs[0].Verify(proof.NewKey(make([]byte, proof.SeedSize)).Public()); err == nil {
		t.Error("taken by another key")
	}

	// The second verifier on the whole lake.
	folder := filepath.Join(b.dir, "lake")
	if said, ok := python(t, "lake", folder, b.store); !ok || !strings.Contains(said, "27 events") {
		t.Error("the second verifier:", said)
	}
	var data string
	b.ok(b.objects.List(t.Context(), "tables/"+b.store+"/data/", "", func(o objstore.Object) error { data = b.objects.LocalPath(o.Key); return nil }))
	text, err := os.ReadFile(data)
	b.ok(err)
	text[len(text)/2] ^= 1
	b.ok(tamper(data, text))
	if said, ok := python(t, "lake", folder, b.store); ok {
		t.Error("the second verifier finds no changed file:", said)
	}
}
