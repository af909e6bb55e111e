package clients

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
	"github.com/thingwarden/thingwarden/discovery/prober/recorded"
)

// installed returns the folder with the client libraries, and ends the test if it is
// not there.
func installed(t *testing.T) string {
	t.Helper()
	wanted, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "thingwarden-test", fmt.Sprintf("clients-%x", sha256.Sum256(wanted))[:len("clients-")+12])
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		lab.SkipOrFail(t, "lab", "the client libraries are not installed: run discovery/lab/clients/install.sh (make lab-deps)")
	}
	return dir
}

// What the client of others makes of a recorded device is what our probe makes of it.
func TestClients(t *testing.T) {
	python := filepath.Join(installed(t), "bin", "python")
	for i, tt := range []struct{ client, archive string }{
		{"shelly", "product/shelly/gen2-open"},
		{"wled", "product/wled/open"},
		{"roku", "product/roku/open"},
		{"hue", "product/signify/in-use"},
		{"cast", "protocol/cast/testdata/speaker"},
		{"kasa_open", "product/tplink/open-plug"},
		{"kasa_open", "product/tplink/open-bulb"},
		{"kasa_protected", "product/tplink/protected"},
		{"kasa_protected", "product/tplink/not-set-up"},
		{"wiz", "product/wiz/open"},
		{"yeelight", "product/yeelight/open"},
		{"elgato", "product/elgato/open"},
		{"broadlink", "product/broadlink/open"},
		{"broadlink", "product/broadlink/locked"},
		{"lifx", "product/lifx/open"},
	} {
		t.Run(tt.client+" "+filepath.Base(tt.archive), func(t *testing.T) {
			t.Parallel()
			d := probertest.Read(t, filepath.Join("../..", tt.archive+".txtar"))
			// The clients know one port only, so that each device has an address.
			host := netip.AddrFrom4([4]byte{127, 80, 21, byte(i + 1)})
			serve(t, d, host)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, python, "ask.py", tt.client, host.String())
			var complaint strings.Builder
			cmd.Stderr = &complaint
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, complaint.String())
			}
			var words map[string]any
			if err := json.Unmarshal(out, &words); err != nil || len(words) == 0 {
				t.Fatalf("the client says %q (%v)", out, err)
			}
			for word, value := range words {
				if line := fmt.Sprintf("\n%s = %v |", word, value); !strings.Contains("\n"+d.Want, line) {
					t.Errorf("the client reads %s = %v, our probe:\n%s", word, value, d.Want)
				}
			}
		})
	}
}

// serve opens the ports of a device at an address of loopback until the test ends.
func serve(t *testing.T, d *recorded.Device, host netip.Addr) {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	for _, port := range d.Ports() {
		ln, err := net.Listen("tcp", netip.AddrPortFrom(host, port).String())
		mayListen(t, err)
		t.Cleanup(func() { _ = ln.Close() })
		serving.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { d.Serve(port, c) })
			}
		})
	}
	for _, port := range d.UDPPorts() {
		c, err := net.ListenPacket("udp", netip.AddrPortFrom(host, port).String())
		mayListen(t, err)
		t.Cleanup(func() { _ = c.Close() })
		serving.Go(func() { d.ServeUDP(port, c) })
	}
}

func mayListen(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, syscall.EACCES) {
		lab.SkipOrFail(t, "lab", "ordinary users may not listen on the ports of a device: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
