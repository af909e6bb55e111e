package lab

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace with a thread of its own in it. Processes are
// started from that thread, for three reasons: they inherit its network
// namespace and its private mounts, and the kernel kills them when the thread
// ends, be it that the test process was killed.
type namespace struct {
	handle  netns.NsHandle
	netlink *netlink.Handle
	calls   chan func()
	stop    chan struct{}
}

// newNamespace makes an anonymous namespace, which goes when its handle and the
// last process in it have gone.
func newNamespace() (*namespace, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("open own network namespace: %w", err)
	}
	defer here.Close()
	handle, err := netns.New()
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	if err := netns.Set(here); err != nil {
		panic(fmt.Sprintf("return to own network namespace: %v", err))
	}
	return openNamespace(handle)
}

func openNamespace(handle netns.NsHandle) (*namespace, error) {
	ns := &namespace{handle: handle, calls: make(chan func()), stop: make(chan struct{})}
	var err error
	if ns.netlink, err = netlink.NewHandleAt(handle); err != nil {
		handle.Close()
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	lo, err := ns.netlink.LinkByName("lo")
	if err == nil {
		err = ns.netlink.LinkSetUp(lo)
	}
	if err != nil {
		return nil, fmt.Errorf("set loopback up: %w", err)
	}
	ready := make(chan error)
	go ns.thread(ready)
	if err := <-ready; err != nil {
		ns.close()
		return nil, err
	}
	return ns, nil
}

// thread serves onThread until close. It never unlocks its OS thread, so that
// the thread ends with it.
func (ns *namespace) thread(ready chan<- error) {
	runtime.LockOSThread()
	err := netns.Set(ns.handle)
	if err == nil {
		err = privateMounts()
	}
	ready <- err
	for {
		select {
		case f := <-ns.calls:
			f()
		case <-ns.stop:
			return
		}
	}
}

// privateMounts gives the calling thread, and what it starts, a /run of its own,
// where daemons such as Avahi have fixed paths, and a /sys that shows the
// interfaces of its namespace.
func privateMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	mountSysfs()
	return nil
}

// mountSysfs shows the interfaces of the current namespace in /sys, where the
// kernel allows it; a container that masks parts of /sys does not.
func mountSysfs() { _ = unix.Mount("sysfs", "/sys", "sysfs", unix.MS_RDONLY, "") }

// onThread runs f on the namespace's own thread.
func (ns *namespace) onThread(f func() error) error {
	result := make(chan error, 1)
	select {
	case ns.calls <- func() { result <- f() }:
		return <-result
	case <-ns.stop:
		return errors.New("the host was removed")
	}
}

// do runs f on the calling goroutine inside the namespace.
func (ns *namespace) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer here.Close()
	if err := netns.Set(ns.handle); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer func() {
		if err := netns.Set(here); err != nil {
			panic(fmt.Sprintf("return to own network namespace: %v", err))
		}
	}()
	return f()
}

// removeLink deletes an interface now; with the namespace it would go some time later.
func (ns *namespace) removeLink(name string) error {
	link, err := ns.netlink.LinkByName(name)
	if err != nil {
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			return nil
		}
		return fmt.Errorf("find interface %q: %w", name, err)
	}
	return ns.netlink.LinkDel(link)
}

func (ns *namespace) close() {
	close(ns.stop)
	ns.netlink.Close()
	ns.handle.Close()
}
