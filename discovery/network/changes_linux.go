package network

import (
	"os"

	"golang.org/x/sys/unix"
)

// followChanges returns a function that reports whether links, addresses or routes
// have changed since it was called last (rtnetlink(7)). The socket behind it is
// closed when the function is no longer used.
func followChanges() func() bool {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return alwaysChanged
	}
	f := os.NewFile(uintptr(fd), "netlink")
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = f.Close()
		return alwaysChanged
	}
	conn, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return alwaysChanged
	}
	return func() (changed bool) {
		err := conn.Control(func(fd uintptr) { changed = drain(int(fd)) })
		return changed || err != nil
	}
}

// drain reads what waits on a socket, and reports whether it was anything: that
// messages were lost (ENOBUFS) is one too.
func drain(fd int) (found bool) {
	var b [64]byte // the kernel cuts what is longer
	for range 4096 {
		_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
		if err == unix.EAGAIN { //nolint:errorlint // the kernel's own number
			return found
		}
		found = true
	}
	return found
}
