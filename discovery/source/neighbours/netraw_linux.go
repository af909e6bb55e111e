package neighbours

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// errNoNetRaw means that this process may not open raw sockets.
var errNoNetRaw = errors.New("no permission to listen to raw network packets (NET_RAW)")

// withNetRaw calls f with NET_RAW in effect on the calling thread. If the
// process only has it permitted (file capability cap_net_raw=p), it is raised for
// f and dropped again.
func withNetRaw(f func() error) error {
	runtime.LockOSThread()
	drop, err := raiseNetRaw()
	if err == nil {
		err = f()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			err = errNoNetRaw
		}
		if dropErr := drop(); dropErr != nil {
			// The thread stays locked, so that it ends with its goroutine.
			return errors.Join(err, fmt.Errorf("drop NET_RAW: %w", dropErr))
		}
	}
	runtime.UnlockOSThread()
	return err
}

// raiseNetRaw raises NET_RAW on the calling thread if needed.
func raiseNetRaw() (drop func() error, err error) {
	const bit = 1 << unix.CAP_NET_RAW
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData // version 3 has 64 bits in two parts
	if err := unix.Capget(&header, &before[0]); err != nil {
		return nil, fmt.Errorf("read capabilities: %w", err)
	}
	switch {
	case before[0].Effective&bit != 0:
		return func() error { return nil }, nil
	case before[0].Permitted&bit == 0:
		return nil, errNoNetRaw
	}
	raised := before
	raised[0].Effective |= bit
	if err := unix.Capset(&header, &raised[0]); err != nil {
		return nil, fmt.Errorf("raise NET_RAW: %w", err)
	}
	return func() error { return unix.Capset(&header, &before[0]) }, nil
}
