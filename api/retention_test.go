package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/awserr"
)

// TestConfirmClockIsRoots: to confirm the clock lets removal go on in every account, so no other key may.
func TestConfirmClockIsRoots(t *testing.T) {
	r := httptest.NewRequest("PUT", ClockPath, strings.NewReader(`{"date": "2026-06-15"}`))
	w := httptest.NewRecorder()
	err := retentionHandlers{}.confirm(t.Context(), &Call{Caller: access.Caller{Account: testAccount}}, w, r)
	if !awserr.Is(err, "AccessDeniedException") || w.Body.Len() > 0 {
		t.Errorf("%v, %s", err, w.Body)
	}
}
