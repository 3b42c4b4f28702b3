package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/server"
	"github.com/lochlake/loch/terminal"
)

// logsStore is the name by which a statement over --logs calls the folder.
const logsStore = "logs"

// overLogs loads the folder into a lake of its own, answers, and takes the lake away. What could not be read is told on standard error; the answer is over the rest.
func (q *queryCmd) overLogs(ctx context.Context, what model.StartQueryRequest) (err error) {
	dir, err := os.MkdirTemp("", "loch-query-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	srv, err := server.Open(ctx, server.Config{Dir: dir, Listen: "127.0.0.1:0", Account: generate.ManagementAccount, Region: "us-east-1", Log: logger("error", "text")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close(context.WithoutCancel(ctx))) }()
	if err := srv.OpenStore(ctx, logsStore); err != nil {
		return err
	}
	c, err := srv.Client()
	if err != nil {
		return err
	}
	sum, err := importSources(ctx, c, streamer.Options{Store: logsStore, Sources: []string{q.Logs}})
	if err != nil {
		return err
	}
	sum.Counts.Foreign, sum.ImportID = 0, "" // the lake's account is nobody's, and nobody can ask it when this command has ended
	if n := sum.Counts.Bad + sum.Failed + sum.Counts.Filtered + sum.Counts.Conflict; n > 0 || q.Stats {
		fmt.Fprintf(os.Stderr, "%s: ", q.Logs)
		printSummary(os.Stderr, sum)
	}
	if sum.Counts.Stored == 0 {
		return fmt.Errorf("%s holds no CloudTrail event (%s read in %s)", q.Logs, terminal.Counted(sum.Counts.Read, "record"), terminal.Counted(sum.Files, "file"))
	}
	if err := srv.Flush(ctx); err != nil {
		return err
	}
	state, err := printQuery(ctx, c, what, q.Format, os.Stdout)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "EventDataStoreNotFoundException" {
		return fmt.Errorf("%w (with --logs there is one store: FROM %s)", err, logsStore)
	}
	if err == nil && q.Stats {
		printStats(state)
	}
	return err
}
