package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lochlake/loch/server"
)

// keepFlags say how what is kept is guarded below the server, and where what is old lies.
type keepFlags struct {
	Immutable bool     `help:"Set the file system's immutable flag on the files of tables and logs in the data folder, so that nobody but the server changes or removes them. Needs Linux, a file system that has it (ext4, XFS, Btrfs) and CAP_LINUX_IMMUTABLE; where it cannot be set, the server does not start."`
	ColdPath  string   `help:"A second folder, on cheaper disks, that the table files of old days move to. Queries read them there." placeholder:"DIR" type:"path"`
	ColdAfter daysFlag `help:"How many days ago a day of eventTime must have ended to be old." default:"90d" placeholder:"DAYS"`
}

func (f *keepFlags) apply(cfg *server.Config) {
	cfg.Immutable, cfg.ColdPath, cfg.ColdDays = f.Immutable, f.ColdPath, int(f.ColdAfter)
}

// daysFlag is a number of days on the command line: 90d, or 90.
type daysFlag int

// UnmarshalText reads days.
func (d *daysFlag) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSuffix(string(text), "d"))
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of days such as 90d", text)
	}
	*d = daysFlag(n)
	return nil
}
