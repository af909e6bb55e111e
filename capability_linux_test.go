package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// ordinaryUser is the user of the container image.
const ordinaryUser = "65532"

// asUser starts a command as an ordinary user, who keeps nothing of root's rights.
var asUser = []string{"setpriv", "--reuid=" + ordinaryUser, "--regid=" + ordinaryUser, "--clear-groups"}

// TestCapabilities runs the program as an ordinary user in each way in which it
// can have NET_RAW or not: it starts in all of them, says whether it can hear
// the network, and keeps no capability in effect.
func TestCapabilities(t *testing.T) {
	l := lab.New(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can give capabilities")
	}
	l.Host("cam")
	dir := sharedDir(t)
	plain, permitted := filepath.Join(dir, "plain"), filepath.Join(dir, "permitted")
	build(t, plain)
	if out, err := exec.Command("sh", "-c", `cp "$0" "$1" && setcap cap_net_raw=p "$1"`, plain, permitted).CombinedOutput(); err != nil {
		lab.SkipOrFail(t, "lab", "giving the capability: %v: %s", err, out)
	}
	tests := []struct {
		name    string
		program string
		user    []string
		hears   bool
	}{
		{"none", plain, asUser, false},
		{"file capability, as in the container", permitted, asUser, true},
		{"file capability that the container may not have", permitted, slices.Concat(asUser, []string{"--bounding-set=-net_raw"}), false},
		{"file capability and no new privileges", permitted, slices.Concat(asUser, []string{"setpriv", "--no-new-privs"}), false},
		{"ambient, as in the systemd unit", plain, slices.Concat(asUser, []string{"--inh-caps=+net_raw", "--ambient-caps=+net_raw"}), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := filepath.Join(sharedDir(t), "thingwarden.yaml")
			if err := os.WriteFile(config, []byte("network: {prefixes: [10.99.0.0/24]}\nstate_dir: "+ownedDir(t)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			command := slices.Concat(tt.user, []string{tt.program})
			found := scan(t, l.Hub(), slices.Concat(command, []string{"scan", "--config", config, "--for", "3s", "--format", "json"}))
			if !slices.Contains(found.macs(), "00:00:5e:00:53:02") {
				t.Errorf("the device is not found: %q", found.macs())
			}
			if deaf := strings.Contains(found.problem("neighbours"), "NET_RAW"); deaf == tt.hears {
				t.Errorf("health of neighbours = %q, want NET_RAW named: %v", found.problem("neighbours"), !tt.hears)
			}
			if tt.program == permitted {
				run := slices.Concat(command, []string{"run", "--config", config})
				p := l.Hub().Start(t, run[0], run[1:]...)
				checkNothingInEffect(t, l.Hub(), p, tt.hears)
				p.Stop()
			}
		})
	}
}

// checkNothingInEffect waits for the program's packet sockets, where it can have
// some, and sees that no thread kept a capability in effect.
func checkNothingInEffect(t *testing.T, hub *lab.Host, p *lab.Proc, hears bool) {
	t.Helper()
	if hears {
		lab.WaitFor(t, 10*time.Second, "packet sockets", func() bool {
			return strings.Count(hub.Run(t, "cat", "/proc/net/packet"), "\n") > 1
		})
	} else {
		lab.WaitFor(t, 10*time.Second, "a first line of output", func() bool { return p.Output() != "" })
	}
	if !p.Running() {
		t.Fatal("it ended by itself")
	}
	status := hub.Run(t, "sh", "-c", "cat /proc/"+strconv.Itoa(p.Cmd.Process.Pid)+"/task/*/status")
	for line := range strings.Lines(status) {
		if set, ok := strings.CutPrefix(line, "CapEff:"); ok && strings.Trim(set, "\t\n0") != "" {
			t.Errorf("a thread has capabilities in effect: %s", set)
		}
	}
}

// scanned is the part of the output of scan that these tests read.
type scanned struct {
	Devices []struct {
		MAC []string `json:"mac"`
	} `json:"devices"`
	Health []struct {
		Component, Status, Error string
	} `json:"health"`
}

func (s scanned) macs() (all []string) {
	for _, d := range s.Devices {
		all = append(all, d.MAC...)
	}
	return all
}

func (s scanned) problem(component string) string {
	for _, h := range s.Health {
		if h.Component == component {
			return h.Error
		}
	}
	return "component " + component + " is missing"
}

func scan(t *testing.T, hub *lab.Host, command []string) (out scanned) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	var stdout strings.Builder
	cmd.Stdout = &stdout
	p := hub.StartCmd(t, cmd)
	if err := p.Wait(30 * time.Second); err != nil {
		t.Fatalf("scan: %v\n%s", err, p.Output())
	}
	if err := json.Unmarshal([]byte(stdout.String()), &out); err != nil {
		t.Fatalf("output of scan: %v\n%s", err, stdout.String())
	}
	return out
}

// build makes the program as the container image does.
func build(t *testing.T, file string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// sharedDir is a temporary folder that every user may enter.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ownedDir is a temporary folder of the ordinary user.
func ownedDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(sharedDir(t), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chown", ordinaryUser+":"+ordinaryUser, dir).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v: %s", err, out)
	}
	return dir
}
