package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/tlog"
)

// health answers 200 while events are taken and the metadata can be read, else 503. What makes neither impossible, but keeps events from their tables, follows in
// further lines. Whoever may reach the address may read it: causes, which can hold paths and addresses, are in the log.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	status, lines := http.StatusOK, []string{"ok"}
	down := func(line string, err error) {
		s.log.Error("health check", "error", err)
		if status == http.StatusOK {
			status, lines = http.StatusServiceUnavailable, nil
		}
		lines = append(lines, line)
	}
	if _, err := s.db.Tables(r.Context()); err != nil {
		down("metadata cannot be read", err)
	}
	if err := s.ingest.Refusing(); err != nil {
		down("events are refused: the durable log takes none", err)
	}
	for _, id := range s.guard.SetBack() {
		down(fmt.Sprintf("store %s: its transparency log is newer than the metadata, which was set back: events are refused, and nothing is committed, answered or removed, until the newer metadata is back or loch recover has made it anew", id), s.guard.Known())
	}
	if err := s.guard.Known(); errors.Is(err, tlog.ErrForeign) {
		lines = append(lines, "warning: tables are not used, and events wait in the durable log: the bucket holds another server's lake")
	} else if err != nil && !errors.Is(err, meta.ErrSetBack) {
		lines = append(lines, "tables are not used until the transparency logs can be read: events wait in the durable log")
	}
	if s.ingest.Replaying() {
		lines = append(lines, "events that were accepted before the start are being brought to their stores")
	}
	for _, stall := range s.ingest.Stalls() {
		lines = append(lines, fmt.Sprintf("store %s: events wait for their table: %s fails since %s, tried %d times", stall.Store, stall.Step, stall.Since.UTC().Format(time.RFC3339), stall.Tries))
	}
	for _, id := range s.logs.Failing() {
		if id == "" {
			lines = append(lines, "transparency logs: leaves wait: the metadata cannot be read")
			continue
		}
		lines = append(lines, fmt.Sprintf("store %s: its transparency log takes no leaves", id))
	}
	for _, id := range s.redaction.Pending() {
		lines = append(lines, fmt.Sprintf("store %s: something that holds an erased event is still to be removed", id))
	}
	for _, refusal := range s.logs.Refusals() {
		lines = append(lines, fmt.Sprintf("warning: store %s: witness %s refuses its transparency log, which was set back or rewritten, or the witness is wrong: verify the lake", refusal.Store, refusal.Witness))
	}
	if warning, err := s.retention.Warning(r.Context()); err != nil {
		down("metadata cannot be written", err)
	} else if warning != "" {
		lines = append(lines, "warning: "+warning)
	}
	if s.copies != nil && s.copies.Failing() {
		lines = append(lines, "warning: the metadata is not copied to the object store: channels, tags and imports since the last copy would be lost with the disk")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n") // the asker may be gone: nobody is left to tell
}
