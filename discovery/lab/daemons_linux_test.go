package lab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestAvahi(t *testing.T) {
	l := New(t)
	http := AvahiService{Name: "Porch camera", Type: "_http._tcp", Port: 80, TXT: []string{"path=/", "id=<1>"}}
	l.Hub().Avahi(t, "hub")
	cam := l.Host("cam").Avahi(t, "cam", http, AvahiService{Name: "Porch & more", Type: "_hap._tcp", Port: 81})
	ipp := AvahiService{Name: "Printer", Type: "_ipp._tcp", Port: 631}
	cam.Publish(t, ipp)
	var found string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("found last:\n%s", found)
		}
	})
	WaitFor(t, 20*time.Second, "all services", func() bool {
		found = l.Hub().Run(t, "avahi-browse", "-a", "-t", "-r", "-p")
		return strings.Count(found, "\n=;lan0;IPv4;") == 3
	})
	if want := `=;lan0;IPv4;Porch\032camera;Web Site;local;cam.local;10.99.0.10;80;"id=<1>" "path=/"`; !strings.Contains(found, want) {
		t.Errorf("no %q in\n%s", want, found)
	}
	cam.Withdraw(t, ipp)
	WaitFor(t, 20*time.Second, "the service to go", func() bool {
		return !strings.Contains(l.Hub().Run(t, "avahi-browse", "-a", "-t", "-p"), "_ipp._tcp")
	})
}

func TestDHCP(t *testing.T) {
	l := New(t)
	server := l.Hub().Dnsmasq(t)
	cam := l.Host("cam", WithAddrs())
	addr := cam.Udhcpc(t, "porch-cam", "udhcp 1.35")
	if !LAN0.IPv4.Contains(addr) || cam.IP() != addr {
		t.Errorf("lease = %v, IP() = %v", addr, cam.IP())
	}
	if log := server.Output(); !strings.Contains(log, "client provides name: porch-cam") || !strings.Contains(log, "vendor class: udhcp 1.35") {
		t.Errorf("log of the server:\n%s", log)
	}
	l.Hub().Run(t, "ping", "-c1", "-W5", addr.String())
}

func TestTelnetd(t *testing.T) {
	l := New(t)
	cam := l.Host("cam")
	cam.Telnetd(t, 23)
	c, err := l.Hub().Dial("tcp", net.JoinHostPort(cam.IP().String(), "23"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	const iac = 255 // RFC 854: each command of a telnet server begins with it
	b := make([]byte, 512)
	n, err := c.Read(b)
	if err != nil || !bytes.HasPrefix(b[:n], []byte{iac}) {
		t.Errorf("read = %q, %v", b[:n], err)
	}
}

func TestMosquitto(t *testing.T) {
	l := New(t)
	cfg := MosquittoConfig{Username: "ha", Password: "secret", Persist: true}
	tests := []struct {
		name  string
		start func(t *testing.T) *Mosquitto
		run   func(name string, args ...string) (string, error)
	}{
		{"on a host", func(t *testing.T) *Mosquitto { return l.Hub().Mosquitto(t, cfg) }, func(name string, args ...string) (string, error) {
			p := l.Hub().Start(t, name, args...)
			err := p.Wait(10 * time.Second)
			return p.Output(), err
		}},
		{"local", func(t *testing.T) *Mosquitto { return LocalMosquitto(t, cfg) }, func(name string, args ...string) (string, error) {
			out, err := exec.Command(name, args...).CombinedOutput()
			return string(out), err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.start(t)
			host, port, _ := net.SplitHostPort(m.Addr)
			url := func(password string) []string {
				return []string{"-h", host, "-p", port, "-u", "ha", "-P", password, "-t", "x"}
			}
			if out, err := tt.run("mosquitto_pub", append(url("secret"), "-r", "-m", "kept")...); err != nil {
				t.Fatalf("publish: %v\n%s", err, out)
			}
			if out, err := tt.run("mosquitto_pub", append(url("wrong"), "-m", "x")...); err == nil {
				t.Errorf("a wrong password is accepted: %s", out)
			}
			for _, end := range []func(){func() { m.Stop() }, func() { m.Kill() }} {
				end()
				if m.Running() {
					t.Error("Running() = true after the end")
				}
				m.Start(t)
				if out, err := tt.run("mosquitto_sub", append(url("secret"), "-C", "1", "-W", "5")...); err != nil || out != "kept\n" {
					t.Errorf("retained message after a restart = %q, %v", out, err)
				}
			}
		})
	}
}

func TestCapture(t *testing.T) {
	l := New(t)
	cam := l.Host("cam")
	c := cam.Capture(t)
	conn, err := l.Hub().Dial("tcp", net.JoinHostPort(cam.IP().String(), "81"))
	if err == nil {
		t.Fatal(conn.RemoteAddr(), "accepts")
	}
	udp := l.Hub().ListenPacket("udp", ":0")
	if _, err := udp.WriteTo([]byte("hello"), &net.UDPAddr{IP: cam.IP().AsSlice(), Port: 5353}); err != nil {
		t.Fatal(err)
	}
	WaitFor(t, 20*time.Second, "a datagram", func() bool {
		return len(c.Frames(func(f Frame) bool { return f.To == cam.IP() && f.Port() == 5353 })) == 1
	})
	if got := c.Connections(); got != 1 {
		t.Errorf("Connections() = %d, want 1", got)
	}
	if got := c.Received(); got < 2 {
		t.Errorf("Received() = %d, want the SYN and the datagram at least", got)
	}
}

// TestDaemonsWithoutRoot runs the daemons as an ordinary user could.
func TestDaemonsWithoutRoot(t *testing.T) {
	New(t)
	const inside = "THINGWARDEN_LAB_TEST_UNSHARED"
	if os.Getenv(inside) != "" {
		t.Skip("started by itself")
	}
	cmd := exec.Command("unshare", "-Urn", "sh", "-c", `ip link set lo up && exec "$@"`, "sh", os.Args[0], "-test.run=^Test(Avahi|DHCP|Telnetd|Mosquitto|Capture)$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Error(fmt.Errorf("run: %w\n%s", err, out))
	}
}
