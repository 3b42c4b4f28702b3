package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/backup"
)

// BackupsPath is where the server's state is frozen for "loch backup", which copies the files itself.
const BackupsPath = "/loch/v1/backups"

// HandleBackups brings the endpoints by which a backup of the running server is made. They are the root key's, since what is frozen is of every account.
func (s *Server) HandleBackups(l *backup.Leases) {
	b := backups{l}
	s.handleSigned("POST "+BackupsPath, 0, b.begin)
	s.handleSigned("PUT "+BackupsPath+"/{id}", 0, b.withID(l.Renew))
	s.handleSigned("DELETE "+BackupsPath+"/{id}", 0, b.withID(l.End))
}

type backups struct{ leases *backup.Leases }

// rootOnly refuses other keys; what says which calls are the root key's.
func rootOnly(c *Call, what string) error {
	if !c.Caller.Root {
		return awserr.New("AccessDeniedException", "%s with the root key.", what)
	}
	return nil
}

const backupsAreMade = "Backups are made"

func (b backups) begin(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	if err := errors.Join(rootOnly(c, backupsAreMade), noBody(r)); err != nil {
		return err
	}
	made, err := b.leases.Begin(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}

func (b backups) withID(fn func(context.Context, string) error) func(context.Context, *Call, http.ResponseWriter, *http.Request) error {
	return func(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
		if err := errors.Join(rootOnly(c, backupsAreMade), noBody(r)); err != nil {
			return err
		}
		id := r.PathValue("id")
		if uuid.Validate(id) != nil {
			return awserr.New("InvalidParameterException", "%.60q is not the ID of a frozen state.", id)
		}
		err := fn(ctx, id)
		if errors.Is(err, backup.ErrNoLease) {
			return awserr.New("BackupNotFoundException", "%v", err)
		}
		if err != nil {
			return err
		}
		return writeJSON(w, struct{}{})
	}
}
