package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/control"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/lab"
)

// quiet is a configuration without network or broker, and with one device.
const quiet = noNetwork + `
mqtt: {url: "mqtt://127.0.0.1:1"}
touch: listen
devices:
  - {match: "24:0a:c4:00:00:01", name: Camera}
`

const cameraID = discovery.ID("mac_240ac4000001")

// program runs the program to its end, which must come soon.
func program(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return command(t, exec.Command(binary(t), args...))
}

func command(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tooLong := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer tooLong.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if cmd.ProcessState.ExitCode() < 0 {
		t.Errorf("%s: %s; output\n%s%s", cmd, cmd.ProcessState, out.String(), errOut.String())
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// complaint is standard error without the log.
func complaint(stderr string) string {
	var out []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "time=") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// ownPolicy is a policy of the owner without mistakes.
const ownPolicy = `id: own
title: The lamp is away
severity: low
confidence: sure
rules: []
when: device.class == 'light'
require: device.online
summary: The lamp does not answer.
remedy: |
  Give it power.
refs: [NISTIR 8425]
examples:
  - {facts: {device.class: light, device.online: true}, want: pass}
  - {facts: {device.class: light, device.online: false}, want: fail}
  - {facts: {device.class: light, device.online: null}, want: unknown}
  - {facts: {device.class: camera}, want: notapplicable}
`

// TestMistakesInTheConfiguration starts the program with mistakes: it says where
// each is, in one line, and does nothing.
func TestMistakesInTheConfiguration(t *testing.T) {
	var none [2]string
	for _, tt := range []struct {
		name, config string
		policy       [2]string // what in the owner's policy is replaced by what
		want         string    // one line; FILE and POLICY stand for the files
	}{
		{"unknown key", "colour: red\n", none, "FILE:1: colour: unknown key"},
		{"misspelt key", "mqtt:\n  urll: mqtt://10.0.0.1\n", none, `FILE:2: mqtt.urll: unknown key; did you mean "mqtt.url"?`},
		{"wrong type", "\nnetwork:\n  connections_per_second: {device: many}\n", none, "FILE:3: network.connections_per_second.device: want a whole number"},
		{"a list where one thing is wanted", "site: [a, b]\n", none, "FILE:1: site: want a text"},
		{"bad duration", "learning_period: 24\n", none, `FILE:1: learning_period: the duration "24" needs a unit`},
		{"network of somebody else", "network: {prefixes: [8.8.8.0/24]}\n", none, `FILE:1: network.prefixes[0]: prefix "8.8.8.0/24" is not private`},
		{"not YAML", "site: [\n", none, "FILE:3: not valid YAML: "},
		{"not a broker", "mqtt: {url: \"http://10.0.0.1\"}\n", none, "FILE:1: mqtt.url: "},
		{"device that is none", "devices:\n  - {match: camera}\n", none, "FILE:2: devices[0].match: "},
		{"policy that is not there", "policies: {disable: [telnet-opne]}\n", none, `unknown policy "telnet-opne": did you mean "telnet-open"?`},
		{"policy that is not YAML", "", [2]string{"rules: []", "rules: ["}, "POLICY:"},
		{"policy with a misspelt key", "", [2]string{"rules: []", "rules: []\nremedi: x"}, `POLICY:6:1: remedi: unknown key: did you mean "remedy"?`},
		{"policy with a misspelt fact", "", [2]string{"device.online\n", "device.onlin\n"}, `POLICY:7:10: require: unknown fact "device.onlin": did you mean "device.online"?`},
		{"policy with a broken expression", "", [2]string{"device.online\n", "device.online &&\n"}, "POLICY:7:26: require: "},
		{"policy that is no yes or no", "", [2]string{"device.online\n", "device.class\n"}, "POLICY:7:10: require: "},
		{"policy that fails its own example", "", [2]string{"want: notapplicable}", "want: notapplicable}\n  - {facts: {device.class: camera}, want: pass}"}, "POLICY:17:5: examples[4]: want pass, got notapplicable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file, policy, state := filepath.Join(dir, "thingwarden.yaml"), filepath.Join(dir, "pack", "own.yaml"), filepath.Join(dir, "state")
			config := tt.config + "\nstate_dir: " + state + "\n"
			if tt.policy != none {
				config += "policies: {packs: [" + filepath.Dir(policy) + "]}\n"
				write(t, policy, strings.Replace(ownPolicy, tt.policy[0], tt.policy[1], 1))
			}
			write(t, file, config)
			want := strings.NewReplacer("FILE", file, "POLICY", policy).Replace(tt.want)
			var said []string
			for _, args := range [][]string{{"run"}, {"scan", "--for", "1s"}, {"config", "check"}} {
				stdout, stderr, code := program(t, append(args, "--config", file)...)
				if code != 1 || stdout != "" {
					t.Errorf("%v: exit code %d, output %q; want 1 and none", args, code, stdout)
				}
				said = append(said, complaint(stderr))
			}
			if !strings.Contains(said[0], want) || strings.Count(said[0], "\n") != 1 {
				t.Errorf("said %q, want one line with %q", said[0], want)
			}
			if said[0] != said[1] || said[0] != said[2] {
				t.Errorf("commands say different things: %q", said)
			}
			if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the state folder: %v, want none", err)
			}
		})
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// quietAgent runs an agent until its device is there, has the owner trust the
// device, and ends it.
func quietAgent(t *testing.T) *agent {
	t.Helper()
	l := lab.New(t)
	a := startAgent(t, l.Hub(), quiet)
	waitDevice(t, a)
	if out, code := a.cli("trust", "Camera"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	end(t, a)
	return a
}

func waitDevice(t testing.TB, a *agent) {
	t.Helper()
	lab.WaitFor(t, 20*time.Second, "the agent to know the device", func() bool {
		if !a.Running() {
			t.Fatalf("it ended:\n%s", a.Output())
		}
		s, err := control.NewClient(a.dir).Snapshot(t.Context())
		return err == nil && s.Device(cameraID) != nil
	})
}

// TestDecisionsThatCannotBeRead refuses to start, and leaves all as it is.
func TestDecisionsThatCannotBeRead(t *testing.T) {
	a := quietAgent(t)
	file := filepath.Join(a.dir, "decisions.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"cut in half", string(good[:len(good)/2]), file + " is damaged: "},
		{"empty", "", file + " is damaged: "},
		{"of a newer version", strings.Replace(string(good), `"version": 2`, `"version": 99`, 1), file + " was written by a newer version of Thingwarden; "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, file, tt.in)
			before := files(t, a.dir)
			for _, args := range [][]string{{"run"}, {"scan", "--for", "1s"}, {"trust", "Camera"}, {"explain", "Camera"}} {
				_, stderr, code := program(t, append(args, "--config", a.file)...)
				said := complaint(stderr)
				if code != 1 || !strings.HasPrefix(said, "thingwarden: "+tt.want) || strings.Count(said, "\n") != 1 {
					t.Errorf("%v: exit code %d, said %q; want 1 and a line that begins with %q", args, code, said, tt.want)
				}
			}
			if d := cmp.Diff(before, files(t, a.dir)); d != "" {
				t.Errorf("the state folder changed (-before +after):\n%s", d)
			}
		})
	}
	write(t, file, string(good))
	a.start()
	waitDevice(t, a)
	checkTrusted(t, a)
}

func checkTrusted(t testing.TB, a *agent) {
	t.Helper()
	lab.WaitFor(t, 5*time.Second, "the device to be trusted", func() bool {
		s, err := control.NewClient(a.dir).Snapshot(t.Context())
		return err == nil && s.Device(cameraID) != nil && s.Device(cameraID).Trusted
	})
}

// TestStateThatCannotBeRead starts without what was learned, keeps the file, and
// follows the decisions.
func TestStateThatCannotBeRead(t *testing.T) {
	a := quietAgent(t)
	file := filepath.Join(a.dir, "state.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"cut in half", string(good[:len(good)/2]), "is damaged"},
		{"of a newer version", strings.Replace(string(good), `"version":1`, `"version":2`, 1), "was written by a newer version"},
		{"of another type", `[]`, "is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, file, tt.in)
			a.start()
			waitDevice(t, a)
			checkTrusted(t, a)
			end(t, a)
			if n := strings.Count(a.Output(), tt.want); n != 1 || !strings.Contains(a.Output(), "was set aside as state.json.unusable-") {
				t.Errorf("said %d times %q:\n%s", n, tt.want, a.Output())
			}
			aside, _ := filepath.Glob(file + ".unusable-*")
			if len(aside) != 1 {
				t.Fatalf("set aside are %v, want one file", aside)
			}
			if b, _ := os.ReadFile(aside[0]); string(b) != tt.in {
				t.Errorf("set aside was %q, want %q", b, tt.in)
			}
			if err := os.Remove(aside[0]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSecondAgent is refused while the first goes on undisturbed.
func TestSecondAgent(t *testing.T) {
	l := lab.New(t)
	a := startAgent(t, l.Hub(), quiet)
	waitDevice(t, a)
	_, stderr, code := program(t, "run", "--config", a.file)
	want := fmt.Sprintf("thingwarden: state folder %q: another Thingwarden uses it; stop that one, or set state_dir to another folder", a.dir)
	if said := complaint(stderr); code != 1 || !strings.HasPrefix(said, want) || strings.Count(said, "\n") != 1 {
		t.Errorf("exit code %d, said %q, want 1 and %q", code, said, want)
	}
	if out, code := a.cli("trust", "Camera"); code != 0 {
		t.Errorf("the first agent: exit code %d: %s", code, out)
	}
	checkTrusted(t, a)
}

// asUser runs the program as an ordinary user without any capability.
func asUser(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		lab.SkipOrFail(t, "lab", "only root can become another user")
	}
	share(t, filepath.Dir(binary(t)))
	return exec.Command("setpriv", append([]string{"--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all",
		"--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", binary(t)}, args...)...)
}

// share lets every user enter a temporary folder.
func share(t testing.TB, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStateFolderThatCannotBeWritten ends at once with what is wrong.
func TestStateFolderThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	share(t, dir)
	file := filepath.Join(dir, "thingwarden.yaml")
	config := func(state string) {
		write(t, file, quiet+"state_dir: "+state+"\n")
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, state, want string }{
		{"belongs to another", dir, "thingwarden: opening the lock of the state folder "},
		{"can't be made", filepath.Join(dir, "state"), "thingwarden: making the state folder "},
		{"is a file", file, "thingwarden: making the state folder "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config(tt.state)
			_, stderr, code := command(t, asUser(t, "run", "--config", file))
			if said := complaint(stderr); code != 1 || !strings.HasPrefix(said, tt.want) || !strings.Contains(said, tt.state) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, said %q, want 1 and %q with the folder's name", code, said, tt.want)
			}
		})
	}
}

// TestSignals ends run and scan cleanly, whatever they are doing.
func TestSignals(t *testing.T) {
	l := lab.New(t)
	lamp := l.Host("lamp")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run("run "+sig.String(), func(t *testing.T) {
			a := startAgent(t, l.Hub(), "mqtt: {url: \"mqtt://10.99.0.77\"}\ndevices:\n  - {match: \"24:0a:c4:00:00:01\", name: Camera}\n")
			waitDevice(t, a)
			began := time.Now()
			if err := a.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := a.Wait(10 * time.Second); err != nil {
				t.Fatal(err)
			}
			t.Logf("it took %v", time.Since(began).Round(time.Millisecond))
			for name := range files(t, a.dir) {
				if !slices.Contains([]string{"decisions.json", "state.json", "history.jsonl", "web-password", "lock"}, name) {
					t.Errorf("%q is left behind", name)
				}
			}
		})
		t.Run("run that has just begun "+sig.String(), func(t *testing.T) {
			a := startAgent(t, l.Hub(), "mqtt: {url: \"mqtt://10.99.0.77\"}\n")
			a.WaitOutput(t, 10*time.Second, "starting")
			if err := a.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := a.Wait(10 * time.Second); err != nil {
				t.Errorf("%v\n%s", err, a.Output())
			}
		})
		t.Run("scan "+sig.String(), func(t *testing.T) {
			a := &agent{t: t, hub: l.Hub(), dir: t.TempDir(), file: filepath.Join(t.TempDir(), "thingwarden.yaml")}
			a.configure("")
			probes := lamp.Capture(t)
			scan := l.Hub().Start(t, binary(t), "scan", "--for", "10m", "--config", a.file)
			lab.WaitFor(t, 20*time.Second, "the lamp to be asked", func() bool { return probes.Connections() > 0 })
			if err := scan.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := scan.Wait(10 * time.Second); err != nil || !strings.Contains(scan.Output(), lamp.IP().String()) {
				t.Errorf("end %v, want a clean one and what it has, the lamp:\n%s", err, scan.Output())
			}
		})
	}
}

// files are the files of a folder with what is in them.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			out[e.Name()] = info.Mode().String()
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = fmt.Sprint(info.Mode(), info.ModTime(), "\n", string(b))
	}
	return out
}
