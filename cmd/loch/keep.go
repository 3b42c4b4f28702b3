package main

import "github.com/lochlake/loch/server"

// keepFlags say how what is kept is guarded below the server, and where what is old lies.
type keepFlags struct {
	Immutable bool `help:"Set the file system's immutable flag on the files of tables and logs in the data folder, so that nobody but the server changes or removes them. Needs Linux, a file system that has it (ext4, XFS, Btrfs) and CAP_LINUX_IMMUTABLE; where it cannot be set, the server does not start."`
}

func (f *keepFlags) apply(cfg *server.Config) {
	cfg.Immutable = f.Immutable
}
