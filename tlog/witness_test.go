package tlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// witness is a small one of logs whose keys it knows, written from C2SP's tlog-witness and tlog-cosignature.
type witness struct {
	t       *testing.T
	private ed25519.PrivateKey
	name    string

	mu     sync.Mutex
	logs   map[string]note.Verifier // by origin
	trees  map[string]tlog.Tree     // cosigned last, by origin
	asked  int
	answer func(w http.ResponseWriter) bool // before anything else; true: that was all
}

func newWitness(t *testing.T, seed byte, stores ...string) (*witness, Witness) {
	w := &witness{t: t, private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), name: fmt.Sprintf("witness.example/w%d", seed), logs: map[string]note.Verifier{}, trees: map[string]tlog.Tree{}}
	for _, id := range stores {
		v, err := note.NewVerifier(key.Public().VerifierKey(id))
		if err != nil {
			t.Fatal(err)
		}
		w.logs[v.Name()] = v
	}
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	public := append([]byte{4}, w.private.Public().(ed25519.PublicKey)...)
	parsed, err := ParseWitness(s.URL + "/w1/=" + fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		t.Fatal(err)
	}
	return w, parsed
}

func (w *witness) Name() string { return w.name }

func (w *witness) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.private.Public().(ed25519.PublicKey)...))
	return binary.BigEndian.Uint32(sum[:])
}

func (w *witness) Sign(msg []byte) ([]byte, error) {
	const at = 1_800_000_000
	return append(binary.BigEndian.AppendUint64(nil, at), ed25519.Sign(w.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, msg))...), nil
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.answer != nil && w.answer(out) {
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/w1/add-checkpoint" {
		http.Error(out, "not found", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	head, signed, ok := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !ok || err != nil || fmt.Sprintf("old %d", old) != lines[0] || len(lines) > 64 {
		http.Error(out, "malformed", http.StatusBadRequest)
		return
	}
	origin, _, _ := strings.Cut(signed, "\n")
	v := w.logs[origin]
	if v == nil {
		http.Error(out, "unknown log", http.StatusNotFound)
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		http.Error(out, "signature", http.StatusForbidden)
		return
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(n.Text, "\n", 2)[1]))
	if err != nil || old > tree.N {
		http.Error(out, "malformed", http.StatusBadRequest)
		return
	}
	var path tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			http.Error(out, "malformed", http.StatusBadRequest)
			return
		}
		path = append(path, h)
	}
	last := w.trees[origin]
	if old != last.N {
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", last.N)
		return
	}
	bad := old == 0 && len(path) > 0
	if old == tree.N && old > 0 {
		bad = len(path) > 0 || tree.Hash != last.Hash
	} else if old > 0 {
		bad = tlog.CheckTree(path, tree.N, tree.Hash, old, last.Hash) != nil
	}
	if bad {
		http.Error(out, "inconsistent", http.StatusUnprocessableEntity)
		return
	}
	w.trees[origin] = tree
	both, err := note.Sign(&note.Note{Text: n.Text}, w)
	if err != nil {
		w.t.Error(err)
	}
	_, own, _ := strings.Cut(string(both), "\n\n")
	io.WriteString(out, "— other.example AAAAAAAA\n"+own)
}

// world is metadata and objects of one store, on which services follow each other.
type world struct {
	t       *testing.T
	db      meta.DB
	objects *memory
	leaves  int
}

func newWorld(t *testing.T) *world {
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.CreateTable(t.Context(), meta.Table{StoreID: store, Location: "x"}); err != nil {
		t.Fatal(err)
	}
	return &world{t: t, db: db, objects: &memory{objects: map[string][]byte{}, left: -1}}
}

// add makes n leaves wait.
func (w *world) add(n int) {
	w.t.Helper()
	var fresh [][]byte
	for range n {
		fresh = append(fresh, leaf(w.leaves))
		w.leaves++
	}
	if err := w.db.SwapTable(w.t.Context(), store, "x", "x", 0, fresh...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) service(at ...Witness) *Service {
	return newService(Config{Meta: w.db, Objects: w.objects, Key: key, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Witnesses: at,
		WitnessTime: time.Hour}) // one that hangs does so until the test lets it go on
}

// metric is the sum of a metric's values.
func metric(t *testing.T, s *Service, name string) (sum float64) {
	t.Helper()
	families, err := s.cfg.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.Metric {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// publish publishes n more leaves and asks the witnesses once.
func (w *world) publish(s *Service, n int) {
	w.t.Helper()
	w.add(n)
	if err := s.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range s.cosigners {
		c.pass(w.t.Context())
	}
}

// cosigned tells whether the published checkpoint is the log's, of all leaves, and has the witness's cosignature.
func (w *world) cosigned(by Witness) bool {
	w.t.Helper()
	signed := w.objects.objects["logs/"+store+"/checkpoint"]
	cp, err := proof.OpenCheckpoint(signed, key.Public(), store)
	if err != nil || int(cp.Size) != w.leaves {
		w.t.Fatalf("checkpoint %+v: %v", cp, err)
	}
	_, err = by.Key.Cosigned(signed)
	return err == nil
}

// Every published checkpoint gets its cosignature, whatever the witness had before: from nothing, over restarts of the server, when the witness is new, and when it is behind.
func TestWitnessesCosign(t *testing.T) {
	w := newWorld(t)
	remote, at := newWitness(t, 1, store)
	s := w.service(at)
	for _, n := range []int{1, 1, 5, 255, 1, 300, 700} {
		if w.publish(s, n); !w.cosigned(at) {
			t.Fatalf("%d leaves have no cosignature: %v", w.leaves, s.cosigners[0].told)
		}
	}
	asked := remote.asked
	s.cosigners[0].pass(t.Context())
	if remote.asked != asked || asked != 7 {
		t.Errorf("%d requests for 7 checkpoints, then %d more", asked, remote.asked-asked)
	}
	if got := metric(t, s, "loch_witness_cosignatures_total"); got != 7 {
		t.Errorf("%v cosignatures are counted", got)
	}

	// A restart before the cosignature: the next start asks for it, and learns where the witness stands.
	w.add(3)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = w.service(at)
	if s.cosigners[0].pass(t.Context()); !w.cosigned(at) {
		t.Error("not after a restart")
	}
	// The answer was lost: the witness has cosigned what the checkpoint lacks.
	signed := w.objects.objects["logs/"+store+"/checkpoint"]
	text, _, _ := bytes.Cut(signed, []byte("— "+remote.name))
	w.objects.objects["logs/"+store+"/checkpoint"] = text
	s = w.service(at)
	if s.cosigners[0].pass(t.Context()); !w.cosigned(at) {
		t.Error("not after a lost answer")
	}
	if len(s.Refusals()) > 0 {
		t.Error(s.Refusals())
	}
}

// A proof of consistency holds for every pair of sizes.
func TestConsistencyProofs(t *testing.T) {
	w := newWorld(t)
	roots := []proof.Hash{proof.EmptyRoot}
	var tree proof.Tree
	for i := range 40 {
		tree.Add(proof.LeafHash(leaf(i)))
		roots = append(roots, tree.Root())
	}
	s, r := w.service(), Reader{w.objects, store}
	for size := uint64(1); size <= 40; size++ {
		w.publish(s, 1)
		for old := uint64(1); old <= size; old++ {
			path, err := r.Consistency(t.Context(), old, size)
			if err != nil {
				t.Fatal(err)
			}
			var theirs tlog.TreeProof
			for _, h := range path {
				theirs = append(theirs, tlog.Hash(h))
			}
			if err := tlog.CheckTree(theirs, int64(size), tlog.Hash(roots[size]), int64(old), tlog.Hash(roots[old])); err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
		}
	}
	if _, err := r.Consistency(t.Context(), 5, 4); err == nil {
		t.Error("a larger tree is the beginning of a smaller one")
	}
}

// A witness that is ahead of the log, or cosigned another one, is an alarm: until it cosigns again.
func TestRefusalsAreAlarms(t *testing.T) {
	for name, spoil := range map[string]func(*tlog.Tree){
		"ahead":        func(tree *tlog.Tree) { tree.N += 1000 },
		"another":      func(tree *tlog.Tree) { tree.Hash[0] ^= 1 },
		"another past": func(tree *tlog.Tree) { tree.N, tree.Hash[0] = 4, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			remote, at := newWitness(t, 1, store)
			s := w.service(at)
			if w.publish(s, 10); !w.cosigned(at) {
				t.Fatal("no cosignature")
			}
			origin := key.Public().Origin(store)
			right := remote.trees[origin]
			wrong := right
			spoil(&wrong)
			remote.trees[origin] = wrong
			w.publish(s, 10)
			if w.cosigned(at) {
				t.Fatal("cosigned")
			}
			refusals := s.Refusals()
			if len(refusals) != 1 || refusals[0] != (Refusal{store, remote.name}) || metric(t, s, "loch_witness_refused") != 1 {
				t.Error(refusals)
			}
			asked := remote.asked
			if w.publish(s, 1); remote.asked != asked {
				t.Error("a witness that said no is asked again at once")
			}
			s = w.service(at) // the alarm outlives a restart
			if s.cosigners[0].pass(t.Context()); len(s.Refusals()) != 1 {
				t.Error("no alarm after a restart")
			}
			remote.trees[origin] = right
			clear(s.cosigners[0].later)
			if s.cosigners[0].pass(t.Context()); !w.cosigned(at) || len(s.Refusals()) != 0 || metric(t, s, "loch_witness_refused") != 0 {
				t.Error("the alarm does not end", s.Refusals())
			}
		})
	}
}

// Witnesses that cannot be asked, answer nonsense or do not know the log are no alarm, and are asked again.
func TestWitnessesThatCannotBeAsked(t *testing.T) {
	status := func(code int, kind, body string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			io.WriteString(w, body)
			return true
		}
	}
	for name, answer := range map[string]func(http.ResponseWriter) bool{
		"503": status(503, "text/plain", "later"), "429": status(429, "text/plain", "less"), "500": status(500, "text/plain", ""), "redirect": status(302, "text/plain", ""),
		"400":                   status(400, "text/plain", "malformed"),
		"conflict of a proxy":   status(409, "text/html", "5000\n"),
		"conflict without size": status(409, "text/x.tlog.size", "many\n"), "negative": status(409, "text/x.tlog.size", "-1\n"),
		"always elsewhere": status(409, "text/x.tlog.size", "3\n"),
		"empty":            status(200, "text/plain", ""), "no lines": status(200, "text/plain", "<html>\n"), "a stranger's": status(200, "text/plain", "— other.example AAAAAAAA\n"),
		"no such log": status(404, "text/plain", "unknown log"), "no such key": status(403, "text/plain", ""),
		"cut": func(w http.ResponseWriter) bool { w.Header().Set("Content-Length", "100"); return true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			remote, at := newWitness(t, 1, store)
			s := w.service(at)
			remote.answer = answer
			w.publish(s, 10)
			if w.cosigned(at) || len(s.Refusals()) > 0 || len(s.cosigners[0].told) != 1 || metric(t, s, "loch_witness_failures_total") != 1 {
				t.Error("cosigned, an alarm, or not told:", s.Refusals(), s.cosigners[0].told)
			}
			remote.answer = nil
			c := s.cosigners[0]
			clear(c.later)
			asked := remote.asked
			c.pass(t.Context())
			unreachable := metric(t, s, "loch_witness_unreachable") == 1
			if waits := remote.asked == asked; waits != unreachable {
				t.Errorf("asked again at once: %t, unreachable: %t", !waits, unreachable)
			}
			c.until = c.until.Add(-longPause)
			if c.pass(t.Context()); !w.cosigned(at) || len(c.told) != 0 || metric(t, s, "loch_witness_unreachable") != 0 {
				t.Error("it is not asked again, or not told", c.told)
			}
		})
	}
}

// A witness that hangs holds up neither publication nor another witness nor the end of the server; what it cosigns too late is not attached to a later checkpoint.
func TestWitnessesThatHangHoldNothingUp(t *testing.T) {
	w := newWorld(t)
	remote, at := newWitness(t, 1, store)
	_, good := newWitness(t, 2, store)
	asked, goOn := make(chan struct{}, 100), make(chan struct{})
	remote.answer = func(http.ResponseWriter) bool {
		asked <- struct{}{}
		<-goOn
		return false
	}
	s := w.service(at, good)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	hanging := s.cosigners[0]
	w.add(10)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { hanging.pass(ctx) })
	<-asked
	w.add(10)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.cosigners[1].pass(t.Context()); !w.cosigned(good) {
		t.Error("the other witness waits")
	}
	close(goOn)
	all.Wait()
	if w.cosigned(at) {
		t.Error("the cosignature of another checkpoint was attached")
	}
	if hanging.pass(ctx); !w.cosigned(at) || !w.cosigned(good) {
		t.Error("overtaken once, it is not asked again", hanging.told)
	}

	remote.mu.Lock()
	remote.answer = func(http.ResponseWriter) bool { asked <- struct{}{}; <-ctx.Done(); return true }
	remote.mu.Unlock()
	w.add(1)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Go(func() { hanging.run(ctx) })
	<-asked
	stop()
	all.Wait()
}

// An opened service asks by itself, and at its end for what it published last.
func TestCosignedAtTheEnd(t *testing.T) {
	w := newWorld(t)
	_, at := newWitness(t, 1, store)
	s := Open(Config{Meta: w.db, Objects: w.objects, Key: key, Witnesses: []Witness{at}})
	w.add(20)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !w.cosigned(at) {
		t.Error("the last checkpoint has no cosignature")
	}
}

func TestWitnessFlags(t *testing.T) {
	_, at := newWitness(t, 1)
	vkey := at.Key.VerifierKey()
	for _, text := range []string{"", vkey, "witness.example=" + vkey, "ftp://witness.example=" + vkey, "https://witness.example?a=b=" + vkey, "https://witness.example=" + vkey[1:]} {
		if w, err := ParseWitness(text); err == nil {
			t.Errorf("%q is %s", text, w.URL)
		}
	}
	if w, err := ParseWitness("https://witness.example/prefix/=" + vkey); err != nil || w.URL != "https://witness.example/prefix" {
		t.Error(w, err)
	}
}
