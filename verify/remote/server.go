// Package remote is a running server as verify reads it: over the network, with calls that are signed like every other.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/verify"
	"github.com/lochlake/loch/verify/protocol"
)

// Server is one; it is a verify.Server.
type Server struct {
	Client *client.Client
}

// Stores lists the stores that the caller may verify.
func (s Server) Stores(ctx context.Context) (ids []string, err error) {
	var out protocol.Stores
	if err := s.Client.Get(ctx, "/loch/v1/verification", &out); err != nil {
		return nil, err
	}
	for _, st := range out.Stores {
		ids = append(ids, st.ID)
	}
	return ids, nil
}

// Logs are the transparency logs as everybody may read them.
func (s Server) Logs() objstore.Store { return &client.Logs{Client: s.Client} }

// renewEvery is well within the time that a snapshot lasts without.
const renewEvery = 15 * time.Second

// Snapshot takes a snapshot of a store, and keeps it until Close.
func (s Server) Snapshot(ctx context.Context, storeID string) (verify.Snapshot, error) {
	path := "/loch/v1/stores/" + url.PathEscape(storeID)
	sn := &snapshot{objects: objects{client: s.Client, path: path, id: storeID}, stop: make(chan struct{})}
	err := s.Client.Do(ctx, http.MethodPost, path+"/snapshots", &sn.Snapshot)
	if e, ok := errors.AsType[*client.Error](err); ok && (strings.HasPrefix(e.Code, "AccessDenied") || e.Code == "EventDataStoreNotFoundException") {
		return nil, fmt.Errorf("%w: %w", verify.ErrDenied, err)
	}
	if err != nil {
		return nil, err
	}
	sn.snapshotPath = path + "/snapshots/" + url.PathEscape(sn.ID)
	if t := sn.Standing.Table; t != nil {
		t.StoreID = storeID
	}
	if st := sn.Standing.Store; st != nil {
		st.ID = storeID
	}
	sn.objects.Snapshot = &sn.Snapshot
	sn.done.Go(sn.keep)
	return sn, nil
}

// snapshot is a store at one moment: a verify.Snapshot.
type snapshot struct {
	protocol.Snapshot
	objects      objects
	snapshotPath string

	lost atomic.Bool
	stop chan struct{}
	done sync.WaitGroup
}

// keep renews the snapshot until Close.
func (s *snapshot) keep() {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), renewEvery)
			s.renew(ctx)
			cancel()
		}
	}
}

// renew asks the server to keep the snapshot. Only the server's own word that it does not is the end: the next time may succeed.
func (s *snapshot) renew(ctx context.Context) {
	err := s.objects.client.Do(ctx, http.MethodPut, s.snapshotPath, &struct{}{})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "SnapshotNotFoundException" {
		s.lost.Store(true)
	}
}

// Lost asks the server.
func (s *snapshot) Lost(ctx context.Context) bool {
	s.renew(ctx)
	return s.lost.Load()
}

// Close lets the snapshot go. A server that does not hear of it lets it go by itself.
func (s *snapshot) Close(ctx context.Context) error {
	close(s.stop)
	s.done.Wait()
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	_ = s.objects.client.Do(ctx, http.MethodDelete, s.snapshotPath, &struct{}{})
	return nil
}

// Objects are the objects of table and log.
func (s *snapshot) Objects() objstore.Store { return &s.objects }

// Tables, and what follows, is what the metadata said: the methods of verify.Meta.
func (s *snapshot) Tables(context.Context) ([]meta.Table, error) {
	if s.Standing.Table == nil {
		return nil, nil
	}
	return []meta.Table{*s.Standing.Table}, nil
}

func (s *snapshot) Stores(context.Context, meta.Scope, string, int) ([]meta.EventDataStore, error) {
	if s.Standing.Store == nil {
		return nil, nil
	}
	return []meta.EventDataStore{*s.Standing.Store}, nil
}

func (s *snapshot) Leaves(_ context.Context, _ string, limit int) ([]meta.Leaf, error) {
	return s.Standing.Leaves[:min(limit, len(s.Standing.Leaves))], nil
}

func (s *snapshot) PendingLogs(context.Context) ([]string, error) {
	if len(s.Standing.Leaves) == 0 {
		return nil, nil
	}
	return []string{s.objects.id}, nil
}

func (s *snapshot) LogSize(context.Context, string) (int64, error) { return s.Standing.LogSize, nil }

func (s *snapshot) Holds(context.Context, string) ([]meta.Hold, error) { return s.Standing.Holds, nil }

func (s *snapshot) RemovedFiles(context.Context, string) ([]meta.RemovedFile, error) {
	return s.Standing.Removed, nil
}
