//go:build unix

package store

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the file's advisory lock, which the system lets go when the
// process ends, however it ends.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// noFollow has a symbolic link refused: whoever can make one chooses the file.
const noFollow = syscall.O_NOFOLLOW

// checkDir refuses a folder in which others may write: they could replace what the
// owner decided.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the state folder %q: %w", dir, err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("state folder %q: every user of this machine may write there, and so change what you decided; run `chmod o-w %s`", dir, dir)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
