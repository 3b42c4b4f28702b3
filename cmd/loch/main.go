// Command loch is the audit lake: the server, and the commands that fill it, ask it and show it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/imports/streamer"
)

// Exit codes: 0 done, 1 failed, 2 the command line was wrong, 3 done in part (an import with bad records), 130 interrupted.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3
	exitInterrupted = 130
)

type cli struct {
	Serve     serveCmd     `cmd:"" help:"Run the server: the API, the lake and the embedded query engine."`
	Import    importCmd    `cmd:"" help:"Bring log files into a running server: files, folders and s3://bucket/prefix."`
	Query     queryCmd     `cmd:"" help:"Ask in SQL: a running server, or a folder of logs with --logs."`
	Queries   queriesCmd   `cmd:"" help:"List the sample queries, or search them: loch query --alias runs one."`
	Prove     proveCmd     `cmd:"" help:"Write the proof that an event was accepted and kept: anybody can verify it, without the server."`
	Retention retentionCmd `cmd:"" help:"Say what goes from a store by its retention, or by another, and change it."`
	Hold      holdCmd      `cmd:"" help:"Legal holds: nothing that one covers goes, by any path, until it is lifted."`
	Clock     clockCmd     `cmd:"" help:"Show whether the server's clock is believed, or confirm it: while it is not, nothing is removed."`
	Redact    redactCmd    `cmd:"" help:"Erase an event where law demands it: its text and columns go, its hash and the reason stay. The server must allow it."`
	Verify    verifyCmd    `cmd:"" help:"Check the lake of a server, running or stopped, a proof, or delivered query results: that nothing in them was changed, added or taken away."`
	Backup    backupCmd    `cmd:"" help:"Copy a server's data, running or not, to a folder or a bucket: a consistent point, and only what is new since the last."`
	Restore   restoreCmd   `cmd:"" help:"Put a point of a backup back, or check it."`
	Recover   recoverCmd   `cmd:"" help:"Make a lost data folder anew from the bucket where the tables lie, or a lost meta.db from tables and logs."`
	Demo      demoCmd      `cmd:"" help:"See what Loch does: a server, a month of an invented organisation's events, and telling queries."`
	Generate  generateCmd  `cmd:"" help:"Write generated log files, laid out as a trail lays them out."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// errPartly marks an end that is neither success nor failure.
var errPartly = errors.New("done in part")

func main() {
	if len(os.Args) > 1 && os.Args[1] == engine.WorkerArgument {
		engine.WorkerMain()
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("loch"), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": "loch " + versionText()}, kong.Description("The audit lake you can lock: AWS CloudTrail Lake's API over open Iceberg tables, in one binary."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "loch:", err)
		return exitFailed
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		command := "loch"
		if bad, ok := errors.AsType[*kong.ParseError](err); ok && bad.Context.Selected() != nil {
			command = bad.Context.Selected().FullPath()
		}
		fmt.Fprintf(os.Stderr, "loch: %v\nRun \"%s --help\" to see what it takes.\n", err, command)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program where it stands
	kctx.BindTo(ctx, (*context.Context)(nil))
	switch err := kctx.Run(); {
	case err == nil:
		return 0
	case errors.Is(err, errPartly):
		return exitPartly
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, streamer.ErrStopped)):
		fmt.Fprintln(os.Stderr, "loch: interrupted")
		return exitInterrupted
	case errors.Is(err, syscall.EADDRINUSE):
		fmt.Fprintf(os.Stderr, "loch: %v (another server has it: end that one, or choose an address with --listen; port 0 picks a free one)\n", err)
		return exitFailed
	default:
		fmt.Fprintln(os.Stderr, "loch:", err)
		return exitFailed
	}
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("loch", versionText())
	return err
}

func versionText() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); v == "" && ok {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return v
}

// version is set by release builds; others tell what the module knows.
var version string
