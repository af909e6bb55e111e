package e2e

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// TestPictures takes the pictures of the README, when PICTURES names the folder
// for them, as an absolute path, and PLAYWRIGHT one in which the npm package
// playwright-core is installed. VERSION is the version that they show.
func TestPictures(t *testing.T) {
	folder := os.Getenv("PICTURES")
	if folder == "" {
		t.Skip("PICTURES names no folder")
	}
	if os.Getenv("PLAYWRIGHT") == "" {
		t.Fatal("PLAYWRIGHT names no folder with playwright-core")
	}
	w := newWorld(t)
	camera := w.lab.Host("porch", lab.WithMAC("24:0a:c4:00:53:02"))
	camera.Telnetd(t, 23)
	camera.Lighttpd(t, 80, "admin")
	w.agent = startAgent(t, w.lab.Hub(), w.config+`
learning_period: 1h
devices: [{match: "`+camera.MAC().String()+`", name: Porch camera, class: camera}]
`)
	s := w.ha.connect(t)
	id := macID(camera)
	s.waitState(time.Minute, id+"_telnet_open", "on")
	s.waitState(time.Minute, id+"_http_basic_clear", "on")
	w.settled(s)
	w.ha.addDashboard(t)
	devices := s.devices()
	page, hub := "/config/devices/device/"+devices[id].ID, "/config/devices/device/"+devices["hub"].ID
	cmd := exec.Command("node", "pictures.mjs", haURL, folder,
		"homeassistant-device", "740", page, "",
		"homeassistant-hub", "1260", hub, "",
		"homeassistant-dashboard", "650", "/"+dashboardPath+"/security", "",
		"homeassistant-finding", "1100", page, s.entities()[id+"_telnet_open"].ID)
	cmd.Env = append(os.Environ(), "TOKEN="+w.ha.token)
	p := w.lab.Hub().StartCmd(t, cmd)
	if err := p.Wait(3 * time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, p.Output())
	}
}
