package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
)

// problem is what the running agent says of one of its parts; empty when it is well.
func (a *agent) problem(part string) string {
	parts, err := control.NewClient(a.dir).Health(a.t.Context())
	if err != nil {
		return "no answer"
	}
	for _, p := range parts {
		if p.Name == part {
			return p.Error
		}
	}
	return ""
}

// waitProblem waits until the agent says that of a part; empty for well.
func (a *agent) waitProblem(t testing.TB, part, want string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		is := a.problem(part)
		if is == want || want != "" && strings.Contains(is, want) {
			return
		}
		if time.Now().After(deadline) || !a.Running() {
			t.Fatalf("health of %s is %q, want %q\n%s", part, is, want, a.Output())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (a *agent) waitKnows(t testing.TB, h *lab.Host) {
	t.Helper()
	lab.WaitFor(t, 20*time.Second, "the agent to know "+h.Name, func() bool {
		s, err := control.NewClient(a.dir).Snapshot(t.Context())
		return err == nil && s.Device(discovery.ID(macID(h))) != nil
	})
}

// scanHealth is what a scan with that output says of one of its parts.
func scanHealth(t testing.TB, stdout, part string) string {
	t.Helper()
	var s struct {
		Health []struct{ Component, Status, Error string }
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		t.Fatalf("scan printed no JSON: %v\n%s", err, stdout)
	}
	for _, h := range s.Health {
		if h.Component == part {
			return h.Status + ": " + h.Error
		}
	}
	return ""
}

// TestBrokerThatDoesNotTakeUs starts without a broker, says once why, finds the
// devices all the same, and publishes once the broker is there.
func TestBrokerThatDoesNotTakeUs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		password string // of the broker that is there at first; empty for none
		want     string
	}{
		{"no broker", "", "o MQTT broker answers at 10.99.0.2:1883 (connection refused)"},
		{"wrong password", "another", `he MQTT broker at 10.99.0.2:1883 refused the user name "thingwarden" or its password`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			lamp := l.Host("lamp")
			kill := func() {}
			if tt.password != "" {
				kill = l.Hub().Mosquitto(t, lab.MosquittoConfig{Username: brokerUser, Password: tt.password}).Kill
			}
			a := startAgent(t, l.Hub(), fmt.Sprintf("mqtt: {url: \"mqtt://10.99.0.2\", username: %s, password: %s}\n", brokerUser, brokerPassword))
			a.waitProblem(t, "mqtt", tt.want)
			a.waitKnows(t, lamp)

			stdout, stderr, code := program(t, "scan", "--for", "3s", "--format", "json", "--config", a.file)
			if code != 0 || !strings.Contains(stdout, macID(lamp)) {
				t.Errorf("scan: exit code %d, want 0 and the lamp:\n%s", code, stdout)
			}
			if h := scanHealth(t, stdout, "mqtt"); !strings.HasPrefix(h, "down: ") || !strings.Contains(h, tt.want) {
				t.Errorf("scan: health of mqtt is %q, want %q", h, tt.want)
			}
			for who, text := range map[string]string{"run": a.Output(), "scan": stderr} {
				if n := strings.Count(text, tt.want[1:30]); n != 1 {
					t.Errorf("%s says %d times what is wrong, want once:\n%s", who, n, text)
				}
				if strings.Contains(text, brokerPassword) {
					t.Errorf("%s tells the password:\n%s", who, text)
				}
			}

			kill()
			o := look(t, startBroker(t, l))
			lab.WaitFor(t, 30*time.Second, "the lamp on the broker", func() bool { c, _ := o.device(macID(lamp)); return c != nil })
			a.waitProblem(t, "mqtt", "")
			for range 5 {
				stdout, _, _ = program(t, "scan", "--for", "500ms", "--format", "json", "--config", a.file)
				if h := scanHealth(t, stdout, "mqtt"); h != "ok: " {
					t.Errorf("scan: health of mqtt is %q, want that it is well", h)
				}
			}
		})
	}
}

// TestBrokerThatDiesAndReturns publishes all that the broker lost, and what the
// owner decided meanwhile.
func TestBrokerThatDiesAndReturns(t *testing.T) {
	for _, tt := range []struct {
		name    string
		persist bool
	}{{"empty", false}, {"with what it had", true}} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			m := l.Hub().Mosquitto(t, lab.MosquittoConfig{Username: brokerUser, Password: brokerPassword, Persist: tt.persist})
			recorder := l.Host("recorder")
			recorder.Telnetd(t, 23)
			id := macID(recorder)
			o := look(t, m)
			a := startAgent(t, l.Hub(), brokerConfig(m))
			lab.WaitFor(t, 30*time.Second, "the finding", func() bool { s, _ := o.finding(id, "telnet-open"); return s == "ON" })
			o.client.Disconnect(0)

			m.Kill()
			a.waitProblem(t, "mqtt", "MQTT broker")
			if out, code := a.cli("trust", recorder.IP().String()); code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
			m.Start(t)
			o = look(t, m)
			lab.WaitFor(t, 40*time.Second, "all on the broker again", func() bool {
				hub, hubState := o.device("hub")
				config, state := o.device(id)
				finding, _ := o.finding(id, "telnet-open")
				status, _ := o.get("thingwarden/home/status")
				return hub != nil && hubState != nil && config != nil && state["trusted"] == "ON" && finding == "ON" && string(status) == "online"
			})
			a.waitProblem(t, "mqtt", "")
			if n := strings.Count(a.Output(), "level=WARN"); n > 3 {
				t.Errorf("%d warnings about one broker that died:\n%s", n, a.Output())
			}
		})
	}
}

// cutOff makes a command run in a network of its own that has nothing but loopback.
func cutOff(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `ip link set lo up && exec "$0" "$@"`, binary(t)}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return cmd
}

// TestNothingOfTheHomeCanBeSeen says so before anything else, where there is no
// network interface or only those of containers.
func TestNothingOfTheHomeCanBeSeen(t *testing.T) {
	onHub := func(t testing.TB, args ...string) *exec.Cmd { return exec.Command(binary(t), args...) }
	for _, tt := range []struct {
		name string
		cmd  func(testing.TB, ...string) *exec.Cmd
		want string
	}{
		{"no interface", cutOff, "this machine has no network interface."},
		{"only container networks", onHub, "left out are lan0 (is a container's cable (veth), not Ethernet or Wi-Fi; name its network in the configuration to look at it). In a container, use host networking;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			m := startBroker(t, l)
			l.Host("lamp")
			want := "Nothing of your home network can be seen from here: " + tt.want
			a := &agent{t: t, hub: l.Hub(), dir: t.TempDir(), file: filepath.Join(t.TempDir(), "thingwarden.yaml")}
			write(t, a.file, brokerConfig(m)+"state_dir: "+a.dir+"\n")

			stdout, _, code := command(t, tt.cmd(t, "scan", "--for", "2s", "--config", a.file))
			if flat := strings.Join(strings.Fields(stdout), " "); code != 1 || !strings.HasPrefix(flat, want) {
				t.Errorf("scan: exit code %d, want 1 and first of all %q:\n%s", code, want, stdout)
			}
			if strings.Contains(stdout, "10.99.0.10") {
				t.Errorf("scan looked at a network that nobody named:\n%s", stdout)
			}
			stdout, stderr, code := command(t, tt.cmd(t, "scan", "--for", "2s", "--format", "json", "--config", a.file))
			if h := scanHealth(t, stdout, "network"); code != 1 || !strings.Contains(h, want) || !strings.Contains(stderr, "thingwarden: "+want) {
				t.Errorf("scan: exit code %d, health of the network %q, error output %q", code, h, stderr)
			}

			a.Proc = l.Hub().StartCmd(t, tt.cmd(t, "run", "--config", a.file))
			a.waitProblem(t, "network", want)
			if tt.name == "no interface" {
				return // nor is there a way to the broker
			}
			o := look(t, m)
			lab.WaitFor(t, 20*time.Second, "critical health of the hub", func() bool {
				config, state := o.device("hub")
				attr, _ := state["health_attr"].(map[string]any)
				return config != nil && state["health"] == "ON" && attr["severity"] == "critical" && strings.HasPrefix(fmt.Sprint(attr["blind"]), want)
			})
			if n := len(o.topics("homeassistant/device/")); n != 1 {
				t.Errorf("%d devices are published, want the hub alone", n)
			}
		})
	}
}

// TestWithoutNetRaw runs the agent as an ordinary user without capabilities: it
// finds hosts that say nothing, and says what it does not see.
func TestWithoutNetRaw(t *testing.T) {
	l := lab.New(t)
	m := startBroker(t, l)
	lamp := l.Host("lamp", lab.Silent())
	o := look(t, m)
	dir := t.TempDir()
	share(t, dir)
	a := &agent{t: t, hub: l.Hub(), dir: filepath.Join(dir, "state"), file: filepath.Join(dir, "thingwarden.yaml")}
	a.configure(brokerConfig(m))
	if err := errors.Join(os.Chmod(a.file, 0o644), os.Mkdir(a.dir, 0o700), os.Chown(a.dir, 65532, 65532)); err != nil {
		t.Fatal(err)
	}
	a.Proc = l.Hub().StartCmd(t, asUser(t, "run", "--config", a.file))
	lab.WaitFor(t, 20*time.Second, "the lamp on the broker", func() bool { c, _ := o.device(macID(lamp)); return c != nil })
	lab.WaitFor(t, 20*time.Second, "degraded health of the hub", func() bool {
		_, state := o.device("hub")
		attr, _ := state["health_attr"].(map[string]any)
		parts, _ := attr["components"].(map[string]any)
		said := fmt.Sprint(parts["neighbours"])
		return state["health"] == "ON" && attr["severity"] == "medium" && strings.HasPrefix(said, "degraded: ") && strings.Contains(said, "NET_RAW")
	})
	end(t, a)
}

// TestDiskFull does not acknowledge what it can't save, says so, and goes on
// when there is room again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		lab.SkipOrFail(t, "lab", "mounting a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	l := lab.New(t) // its hosts see what is mounted now
	m := startBroker(t, l)
	a := &agent{t: t, hub: l.Hub(), dir: dir, file: filepath.Join(t.TempDir(), "thingwarden.yaml")}
	a.configure(strings.Replace(quiet, "mqtt: {url: \"mqtt://127.0.0.1:1\"}\n", brokerConfig(m), 1))
	a.start()
	waitDevice(t, a)
	owner := newOwner(t, m)
	if !owner.waitReady(t.Context()) {
		t.Fatal("the agent takes no commands")
	}
	trust := map[string]any{"action": "trust", "device": cameraID}
	untrust := map[string]any{"action": "untrust", "device": cameraID}
	owner.must(trust)

	full := filepath.Join(dir, "full")
	fill(t, full)
	before := files(t, dir)["decisions.json"]
	for range 3 {
		if err := owner.do(t.Context(), untrust); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("answer %v, want that there is no room", err)
		}
	}
	if out, code := a.cli("untrust", "Camera"); code != 1 {
		t.Errorf("exit code %d: %s", code, out)
	}
	a.waitProblem(t, "state", "What you decide can't be saved: ")
	if n := strings.Count(a.Output(), "state not saved"); n != 1 {
		t.Errorf("said %d times that the disk is full, want once:\n%s", n, a.Output())
	}
	if now := files(t, dir)["decisions.json"]; now != before {
		t.Errorf("the decisions were %s\nand are %s", before, now)
	}
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(10 * time.Second); err == nil || !strings.Contains(complaint(a.Output()), "thingwarden: saving decisions.json: ") {
		t.Errorf("end %v, want a failure that names the file:\n%s", err, a.Output())
	}

	a.start() // on a full disk
	waitDevice(t, a)
	checkTrusted(t, a) // the untrusting was refused
	if !owner.waitReady(t.Context()) {
		t.Fatal("the agent takes no commands")
	}
	if err := owner.do(t.Context(), untrust); !errors.Is(err, errRefused) {
		t.Errorf("answer %v, want a refusal", err)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	owner.must(trust)
	a.waitProblem(t, "state", "")
	a.Kill()
	a.start()
	waitDevice(t, a)
	checkTrusted(t, a)
}

// fill writes a file until the disk is full.
func fill(t testing.TB, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
