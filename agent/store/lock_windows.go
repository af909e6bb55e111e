package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks the first byte of the file until the process ends.
func lockFile(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
}

// noFollow is no flag here: making a symbolic link takes a privilege.
const noFollow = 0

// checkDir does nothing: the state folder is the user's own.
func checkDir(string) error { return nil }

// syncDir does nothing: Windows has no such call, and its rename is in the journal.
func syncDir(string) error { return nil }
