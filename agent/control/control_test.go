package control

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func aHome() *report.Snapshot {
	telnet := &policy.Policy{ID: "telnet-open", Title: "Telnet is open", Severity: []policy.Case{{Then: policy.High}}, Settle: time.Minute}
	ev := fact.New("telnet", at)
	fact.TelnetOpen.Set(ev, true, "tcp/23: login:")
	fact.TelnetPort.Set(ev, 23, "tcp/23")
	fact.HTTPRealm.Unknown(ev, fact.NoAnswer)
	fact.MDNSServices.Set(ev, []string{"_http._tcp"}, "")
	proof, _ := ev.Entry("telnet.open")
	return &report.Snapshot{
		Site: "home", Version: "1", At: at, Blind: "nothing", LastScan: at,
		Events: []report.Event{{Seq: 5, At: at, Type: report.DeviceAppeared, Device: "mac_aabbccddeeff"}},
		Health: []report.Component{{Name: "mdns", Status: discovery.Degraded, Error: "No multicast."}},
		Devices: []report.Device{
			{Device: discovery.Device{ID: discovery.Hub, Name: "Thingwarden"}, Kind: "hub"},
			{
				Device: discovery.Device{ID: "mac_aabbccddeeff", IDs: []discovery.Identifier{{Kind: discovery.MACID, Value: "aabbccddeeff"}},
					Name: "Camera", Services: []discovery.Service{{Proto: "tcp", Port: 23, Name: "telnet"}}, FirstSeen: at, LastSeen: at},
				Kind: "lan", Online: true, Facts: ev.Entries(), Checked: 1, Sent: report.Sent{Packets: 2, Connections: 1},
				Findings: []policy.Finding{{Policy: telnet, Status: policy.Open, Severity: policy.High, Since: at, Proof: []fact.Entry{proof},
					Acceptance: &policy.Acceptance{Reason: "soon", At: at, Severity: policy.High}}},
				Verdicts:   []policy.Verdict{{Policy: telnet, Result: policy.Fail, Severity: policy.High, Proof: []fact.Entry{proof}}},
				NotChecked: []report.NotChecked{{Policy: telnet, Missing: []policy.Missing{{Word: "http.realm", Why: fact.NoAnswer}}}},
			},
		},
	}
}

// serve starts a server in a fresh state folder and stops it at the test's end.
func serve(t *testing.T, do func(context.Context, report.Command) error) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, Path(dir), API{Snapshot: aHome, Do: do}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Stat(Path(dir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := NewClient(dir).Health(t.Context()); err == nil {
			return dir
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSnapshot(t *testing.T) {
	dir := serve(t, nil)
	got, err := NewClient(dir).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aHome(), got); diff != "" {
		t.Errorf("snapshot differs (-want +got):\n%s", diff)
	}
	health, err := NewClient(dir).Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aHome().Health, health); diff != "" {
		t.Errorf("health differs (-want +got):\n%s", diff)
	}
}

func TestOnlyTheOwnerMayConnect(t *testing.T) {
	st, err := os.Stat(Path(serve(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", st.Mode().Perm())
	}
}

func TestDo(t *testing.T) {
	var got report.Command
	dir := serve(t, func(_ context.Context, c report.Command) error {
		got = c
		if c.Device == "mac_000000000001" {
			return errors.New(`there is no device "mac_000000000001"`)
		}
		return nil
	})
	want := report.Command{Action: "accept", Device: "mac_aabbccddeeff", Policy: "telnet-open", Reason: "next week", Until: at}
	if err := NewClient(dir).Do(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("command differs (-want +got):\n%s", diff)
	}
	err := NewClient(dir).Do(t.Context(), report.Command{Action: "trust", Device: "mac_000000000001"})
	if err == nil || err.Error() != `there is no device "mac_000000000001"` {
		t.Errorf("error %v", err)
	}
	err = NewClient(dir).Do(t.Context(), report.Command{Action: "accept", Reason: strings.Repeat("x", maxCommand)})
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a command that is too long: error %v", err)
	}
}

func TestCommandIsAnsweredWhileTheAgentEnds(t *testing.T) {
	dir := t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	requests := make(chan bool)
	go func() {
		ended <- Serve(ctx, Path(dir), API{Snapshot: aHome, Do: func(ctx context.Context, _ report.Command) error {
			close(requests)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond): // the disk takes its time
				return nil
			}
		}})
	}()
	done := make(chan error, 1)
	go func() {
		err := ErrNotRunning
		for errors.Is(err, ErrNotRunning) {
			err = NewClient(dir).Do(t.Context(), report.Command{Action: "trust"})
		}
		done <- err
	}()
	<-requests
	end()
	if err := <-done; err != nil {
		t.Errorf("a decision that was saved is answered with %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(dir).Snapshot(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v, want ErrNotRunning", err)
	}
	// A killed agent leaves its socket.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: Path(dir), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := NewClient(dir).Do(t.Context(), report.Command{Action: "trust"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead socket: %v, want ErrNotRunning", err)
	}
	// The next agent replaces it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, Path(dir), API{Snapshot: aHome}); err != nil {
		t.Errorf("Serve over a dead socket: %v", err)
	}
}

func TestPathTooLong(t *testing.T) {
	err := Serve(t.Context(), Path(filepath.Join(t.TempDir(), strings.Repeat("x", 100))), API{})
	if err == nil || !strings.Contains(err.Error(), "set state_dir") {
		t.Errorf("error %v, want one that names state_dir", err)
	}
}

func FuzzDecode(f *testing.F) {
	b, err := encode(aHome())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if err != nil {
			return
		}
		if _, err := encode(s); err != nil {
			t.Errorf("decoded and can't be encoded again: %v", err)
		}
	})
}

func TestScanJSONForPrograms(t *testing.T) {
	dir := serve(t, nil)
	b, err := NewClient(dir).request(t.Context(), http.MethodGet, "scan.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version string
		Devices []struct{ ID string }
	}
	if err := json.Unmarshal(b, &got); err != nil || got.Version != "1" || len(got.Devices) != 2 || got.Devices[1].ID != "mac_aabbccddeeff" {
		t.Errorf("%v: %s", err, b)
	}
}
