package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/registry"
	verifying "github.com/lochlake/loch/verify/protocol"
	"github.com/lochlake/loch/verify/snapshots"
)

// TestWhoMayVerify: a key verifies what it may read, which is its own account's; the server's own root key verifies all.
func TestWhoMayVerify(t *testing.T) {
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.New(t.Context(), registry.Config{DB: db, Lake: noLake{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	service := snapshots.Open(snapshots.Config{Meta: db, Objects: objects, Log: slog.New(slog.DiscardHandler), Flush: func(context.Context) error { return nil },
		Pause: func(context.Context) (func(), error) { return func() {}, nil },
		Keep: func(ctx context.Context, _ string, look func(context.Context) error) (func(), error) {
			return func() {}, look(ctx)
		}})
	t.Cleanup(func() { _ = service.Close() })
	w := serveTest(t, func(s *Server) {
		s.HandleVerification(Verification{Stores: r, Snapshots: service, Objects: objects, Account: testAccount})
	})
	made := map[string]string{}
	for name, sc := range map[string]meta.Scope{"own": {Account: testAccount, Region: "eu-west-1"}, "far": {Account: testAccount, Region: "us-east-1"}, "others": {Account: otherKey.Account, Region: "eu-west-1"},
		"others far": {Account: otherKey.Account, Region: "us-east-1"}} {
		s, err := r.CreateStore(t.Context(), sc, registry.StoreSettings{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		made[name] = s.ID
	}
	for name, account := range map[string]string{"own history": testAccount, "others history": otherKey.Account} {
		if err := r.EnsureHistory(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		made[name] = registry.HistoryID(account)
	}
	hash := []string{"X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	made["gone"] = "99999999-9999-4999-8999-999999999999" // its log is left
	for _, id := range made {
		for _, key := range []string{"logs/" + id + "/checkpoint", "tables/" + id + "/metadata/x"} {
			if err := objects.Put(t.Context(), key, strings.NewReader(id), 36, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		who  string
		key  access.Key
		root bool
		sees []string
	}{
		{"the server's root key", rootKey, true, []string{"own", "far", "others", "others far", "own history", "others history", "gone"}},
		{"another account's root key", otherKey, true, []string{"others", "others history"}},
		{"a key that is no root's", access.Key{ID: "AKIAPLAINPLAINPLAIN2", Secret: rootKey.Secret, Account: testAccount, ARN: "arn:aws:iam::123456789012:user/u"}, false, []string{"own", "own history"}},
	} {
		t.Run(c.who, func(t *testing.T) {
			w := *w
			w.t, w.key = t, c.key
			if !c.root {
				w.s.verifier = access.NewVerifier(testKeys{c.key}, w.s.now)
			}
			var list verifying.Stores
			a := w.do(w.request(http.MethodGet, VerificationPath, "cloudtrail", "", hash...))
			if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			may := map[string]bool{}
			for _, name := range c.sees {
				may[made[name]] = true
			}
			for _, s := range list.Stores {
				if !may[s.ID] {
					t.Errorf("lists %+v", s)
				}
			}
			if len(list.Stores) != len(may) {
				t.Errorf("lists %d stores of %d", len(list.Stores), len(may))
			}
			for name, id := range made {
				for _, call := range [][2]string{{"POST", "/snapshots"}, {"PUT", "/snapshots/x"}, {"DELETE", "/snapshots/x"}, {"GET", "/objects?folder=tables"}, {"GET", "/objects/tables/metadata/x"}, {"GET", "/objects/logs/checkpoint"}} {
					a := w.do(w.request(call[0], StoresPath+"/"+id+call[1], "cloudtrail", "", hash...))
					switch refused := a.status == 400 && a.code(t) == "EventDataStoreNotFoundException"; {
					case may[id] && (refused || a.status >= 500):
						t.Errorf("%s %s of %s: %d %s", call[0], call[1], name, a.status, a.body)
					case !may[id] && (!refused || strings.Contains(a.body, "Standing")):
						t.Errorf("%s %s of %s is not refused: %d %s", call[0], call[1], name, a.status, a.body)
					}
				}
			}
			w.key.Secret = strings.Repeat("x", 40)
			if a := w.do(w.request(http.MethodGet, VerificationPath, "cloudtrail", "", hash...)); a.status != 403 {
				t.Errorf("with a wrong secret: %d", a.status)
			}
		})
	}
}
