package server

import (
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify"
)

// TestTransparencyLogs: the log of a store is there for any client, what its leaves say only for signed calls, and the lake verifies after a stop.
func TestTransparencyLogs(t *testing.T) {
	s := open(t, Config{})
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	name := "audit"
	var made model.CreateEventDataStoreResponse
	if err := c.Call(t.Context(), "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name}, &made); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := (*made.EventDataStoreArn)[len(*made.EventDataStoreArn)-36:]
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(s.URL() + api.LogsPath + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if _, key := get("/key"); key != s.ProofKey().String()+"\n" {
		t.Errorf("key %q", key)
	}
	_, vkey := get("/" + id + "/key")
	v, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		t.Fatal(err)
	}
	_, signed := get("/" + id + "/checkpoint")
	if _, err := note.Open([]byte(signed), note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	cp, err := proof.OpenCheckpoint([]byte(signed), s.ProofKey(), id)
	if err != nil || cp.Size != 2 {
		t.Fatalf("%+v, %v", cp, err)
	}
	if status, tile := get("/" + id + "/tile/0/000.p/2"); status != 200 || len(tile) != 64 || proof.NodeHash(proof.Hash([]byte(tile[:32])), proof.Hash([]byte(tile[32:]))) != cp.Root {
		t.Errorf("tile: %d, %d bytes", status, len(tile))
	}
	for path, want := range map[string]int{
		"/tile/entries/000.p/2": 403, "/tile/entries%2F000.p/2": 404, "/tile/x%2F..%2Fentries%2F000.p/2": 404, "/tile/0%2F..%2Fentries%2F000.p%2F2": 404, "/tile/0/001": 404, "/proof?event=x": 403, "/.state": 404,
	} {
		if status, body := get("/" + id + path); status != want || strings.Contains(body, "batch") {
			t.Errorf("%s answers %d: %.80s", path, status, body)
		}
	}
	for _, path := range []string{"/../../credentials", "/" + strings.Repeat("0", 36) + "/checkpoint", "/x/key"} {
		if status, _ := get(path); status != 404 {
			t.Errorf("%s answers %d", path, status)
		}
	}
	var f proof.File
	if err := c.Get(t.Context(), api.LogsPath+"/"+id+"/proof?event=none", &f); err == nil || !strings.Contains(err.Error(), "no such event") {
		t.Errorf("a proof of nothing: %v", err)
	}
	report, err := verify.Run(t.Context(), verify.Options{Objects: &client.Logs{Client: c}, Logs: []string{id}, Key: s.ProofKey()})
	if err != nil || len(report.Findings) > 0 || report.Leaves != 2 {
		t.Errorf("over HTTP: %+v, %v", report, err)
	}
	report, err = verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: s.db, Key: s.ProofKey(), Full: true})
	if err != nil || len(report.Findings) > 0 || report.Leaves != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestWitnessWarnings: a witness that refuses a log is a warning of the health check, which stays well otherwise.
func TestWitnessWarnings(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnprocessableEntity) }))
	defer refuses.Close()
	vkey, err := note.NewEd25519VerifierKey("witness.example/w", ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	at, err := tlog.ParseWitness(refuses.URL + "=" + vkey)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Witnesses: []tlog.Witness{at}})
	if err := s.OpenStore(t.Context(), "audit"); err != nil {
		t.Fatal(err)
	}
	// The store's log is published, and the witness refuses it, before long: the test waits for the alarm itself.
	for len(s.logs.Refusals()) == 0 {
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	resp, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(body), "ok\n") || !strings.Contains(string(body), "\nwarning: store ") || !strings.Contains(string(body), "witness.example/w") {
		t.Errorf("%d, %v: %s", resp.StatusCode, err, body)
	}
}
