package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lochlake/loch/server"
)

// keepFlags say how what is kept is guarded below the server, and where what is old lies.
type keepFlags struct {
	Immutable  bool     `help:"Set the file system's immutable flag on the files of tables and logs in the data folder, so that nobody but the server changes or removes them. Needs Linux, a file system that has it (ext4, XFS, Btrfs) and CAP_LINUX_IMMUTABLE; where it cannot be set, the server does not start."`
	ColdPath   string   `help:"A second folder, on cheaper disks, that the table files of old days move to. Queries read them there." placeholder:"DIR" type:"path"`
	ColdClass  string   `name:"cold-storage-class" help:"With --store-url: the S3 storage class that the table files of old days move to: STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR." placeholder:"CLASS"`
	ObjectLock string   `help:"With --store-url: S3 Object Lock in compliance mode, which nobody can lift, on finished files, tiles and checkpoints until their retention ends. auto: where the bucket has it; on: the server does not start on a bucket without it; off: nothing is locked." enum:"auto,on,off" default:"auto"`
	ColdAfter  daysFlag `help:"How many days ago a day of eventTime must have ended to be old. Default: ${default}." default:"90d" placeholder:"DAYS"`
}

func (f *keepFlags) apply(cfg *server.Config) {
	cfg.Immutable, cfg.ColdPath, cfg.ColdClass, cfg.ColdDays = f.Immutable, f.ColdPath, f.ColdClass, int(f.ColdAfter)
	if f.ObjectLock != "auto" {
		cfg.ObjectLock = f.ObjectLock
	}
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
