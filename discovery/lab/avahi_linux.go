package lab

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Avahi is the Avahi multicast DNS daemon on a host, with a system bus of its
// own, so that avahi-browse and avahi-publish work on the host too.
type Avahi struct {
	*Proc
	dir string // of service files
}

// AvahiService is a DNS-SD service that a host announces.
type AvahiService struct {
	Name string   // of the instance: "Porch camera"
	Type string   // "_http._tcp"
	Port int      // 1 to 65535
	TXT  []string // "key=value"
}

const (
	avahiServices = "/etc/avahi/services" // fixed when Avahi is built
	dbusSocket    = "/run/dbus/system_bus_socket"
)

// Avahi starts avahi-daemon on the host, which then answers as <hostname>.local,
// and waits until it has claimed the name and announced the services.
func (h *Host) Avahi(t testing.TB, hostname string, services ...AvahiService) *Avahi {
	t.Helper()
	if _, err := os.Stat(avahiServices); err != nil {
		SkipOrFail(t, "lab", "avahi-daemon is not installed: %v", err)
	}
	dir := t.TempDir()
	a := &Avahi{dir: filepath.Join(dir, "services")}
	// In a user namespace there is no other user than root to become.
	write(t, filepath.Join(dir, "passwd"), "root:x:0:0::/root:/bin/sh\navahi:x:0:0::/:/bin/false\n")
	write(t, filepath.Join(dir, "group"), "root:x:0:\navahi:x:0:\n")
	if err := h.ns.onThread(func() error { return mountForAvahi(dir) }); err != nil {
		t.Fatal(err)
	}
	h.dbus(t, dir)
	for _, s := range services {
		a.write(t, s)
	}
	conf := filepath.Join(dir, "avahi.conf")
	write(t, conf, fmt.Sprintf(`[server]
host-name=%s
use-ipv4=yes
use-ipv6=yes
ratelimit-interval-usec=0
[publish]
publish-workstation=no
publish-hinfo=no
`, hostname))
	a.Proc = h.Start(t, "avahi-daemon", "--file="+conf, "--no-drop-root", "--no-chroot", "--no-rlimits")
	a.WaitOutput(t, 30*time.Second, "Server startup complete")
	for _, s := range services {
		a.WaitOutput(t, 30*time.Second, a.established(s))
	}
	return a
}

// mountForAvahi puts the user database and the folder of services in dir in the
// place of the system's, for the calling thread and what it starts.
func mountForAvahi(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "services"), 0o755); err != nil {
		return err
	}
	for from, to := range map[string]string{"services": avahiServices, "passwd": "/etc/passwd", "group": "/etc/group"} {
		if err := unix.Mount(filepath.Join(dir, from), to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %q: %w", to, err)
		}
	}
	return os.MkdirAll(filepath.Dir(dbusSocket), 0o755)
}

// dbus starts a system bus for the host alone, on which everybody may do all.
func (h *Host) dbus(t testing.TB, dir string) {
	t.Helper()
	conf := filepath.Join(dir, "dbus.conf")
	write(t, conf, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=`+dbusSocket+`</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
`)
	p := h.Start(t, "dbus-daemon", "--config-file="+conf, "--nofork", "--nopidfile", "--print-address")
	p.WaitOutput(t, 30*time.Second, dbusSocket)
}

// Publish announces one more service, or another port or TXT record of one, and
// waits until Avahi has done so.
func (a *Avahi) Publish(t testing.TB, s AvahiService) {
	t.Helper()
	before := strings.Count(a.Output(), a.established(s))
	a.write(t, s)
	WaitFor(t, 30*time.Second, a.established(s), func() bool {
		return strings.Count(a.Output(), a.established(s)) > before
	})
}

// Withdraw ends a service; Avahi sends a goodbye (RFC 6762 section 10.1).
func (a *Avahi) Withdraw(t testing.TB, s AvahiService) {
	t.Helper()
	if err := os.Remove(a.file(s)); err != nil {
		t.Fatal(err)
	}
	a.WaitOutput(t, 30*time.Second, filepath.Base(a.file(s))+" vanished")
}

func (a *Avahi) file(s AvahiService) string {
	return filepath.Join(a.dir, fmt.Sprintf("%s-%d-%x.service", s.Type, s.Port, s.Name))
}

func (a *Avahi) write(t testing.TB, s AvahiService) {
	t.Helper()
	type service struct {
		Type string   `xml:"type"`
		Port int      `xml:"port"`
		TXT  []string `xml:"txt-record"`
	}
	b, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"service-group"`
		Name    string   `xml:"name"`
		Service service  `xml:"service"`
	}{Name: s.Name, Service: service{s.Type, s.Port, s.TXT}})
	if err != nil {
		t.Fatalf("service %q: %v", s.Name, err)
	}
	doctype := `<?xml version="1.0"?><!DOCTYPE service-group SYSTEM "avahi-service.dtd">`
	temp := a.file(s) + ".new"
	write(t, temp, doctype+string(b))
	if err := os.Rename(temp, a.file(s)); err != nil {
		t.Fatal(err)
	}
}

// established is what Avahi logs once it has announced a service.
func (a *Avahi) established(s AvahiService) string {
	return fmt.Sprintf("Service %q (%s/%s) successfully established", s.Name, avahiServices, filepath.Base(a.file(s)))
}

// write writes a file for a daemon to read, whatever user it becomes.
func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
