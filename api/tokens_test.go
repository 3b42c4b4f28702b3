package api

import (
	"bytes"
	"net/url"
	"testing"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tok, err := newTokens(bytes.Repeat([]byte{1}, 32), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	type state struct {
		Time int64
		ID   string
	}
	call := func() *Call {
		return &Call{Operation: "ListQueries", Scope: meta.Scope{Account: testAccount, Region: "eu-west-1"}}
	}
	token, err := tok.seal(call(), "params", state{5, "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(*token) < 4 || len(*token) > 1000 {
		t.Errorf("the model allows 4 to 1000 characters, this has %d", len(*token))
	}
	var got state
	if err := tok.open(call(), "params", *token, &got); err != nil || got != (state{5, "x"}) {
		t.Errorf("%v %v", got, err)
	}
	again, _ := tok.seal(call(), "params", state{5, "x"})
	if *again == *token {
		t.Error("two tokens are the same")
	}
	refused := func(name string, c *Call, params any, token string) {
		t.Helper()
		if err := tok.open(c, params, token, &got); !awserr.Is(err, "InvalidNextTokenException") {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("other parameters", call(), "other", *token)
	c := call()
	c.Operation = "ListChannels"
	refused("other operation", c, "params", *token)
	c = call()
	c.Scope.Account = "210987654321"
	refused("other account", c, "params", *token)
	c = call()
	c.Scope.Region = "us-east-1"
	refused("other region", c, "params", *token)
	refused("empty", call(), "params", "")
	refused("nonsense", call(), "params", "!!!!")
	for i := range *token {
		b := []byte(*token)
		b[i] ^= 1
		refused("changed", call(), "params", string(b))
	}
	now = now.Add(tokenLife)
	refused("past its time", call(), "params", *token)
	if _, err := newTokens([]byte("short"), nil); err == nil {
		t.Error("a short key was taken")
	}
}
