package worker

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Landlock, as far as a worker needs it (https://docs.kernel.org/userspace-api/landlock.html). The library for it waits for packages that are
// initialised late, see init.

// landlockVersion is the kernel's Landlock ABI, 0 where it has none.
func landlockVersion() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(n)
}

const (
	readFile  = unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDir   = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeDir  = readDir | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR
	firstFS   = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // what version 1 handles: everything from EXECUTE to MAKE_SYM
	attrBytes = 24                                      // of landlock_ruleset_attr with file system, network and scopes
)

// landlock confines this thread and those that it starts, and from version 8 all threads, to the job's files and directories.
func landlock(version int, j *Job) error {
	attr := unix.LandlockRulesetAttr{Access_fs: firstFS}
	write := uint64(writeDir)
	size := uintptr(8)
	if version >= 2 {
		attr.Access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.Access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		attr.Access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = 16
	}
	if version >= 5 {
		attr.Access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = attrBytes
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("rules: %w", errno)
	}
	rules := int(fd)
	defer unix.Close(rules)
	if err := allow(rules, j.Temp, write); err != nil {
		return err
	}
	if j.Input != "" {
		if err := allow(rules, j.Input, readDir); err != nil {
			return err
		}
	}
	for _, p := range j.Paths {
		// Files that are still to be staged will lie in Input.
		if err := allow(rules, p, readFile); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	flags := uintptr(0)
	if version >= 8 {
		flags = unix.LANDLOCK_RESTRICT_SELF_TSYNC
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), flags, 0); errno != 0 {
		return fmt.Errorf("restriction: %w", errno)
	}
	return nil
}

// allow adds a file or a directory to the rules.
func allow(rules int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s: %w", path, errno)
	}
	return nil
}
