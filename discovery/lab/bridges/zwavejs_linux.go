package bridges

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// ZWaveJSConfig says which Z-Wave home to play.
type ZWaveJSConfig struct {
	Port     int  // of the server; 0 means 3000
	Hardened bool // the hardened twin

	// cold starts without the recorded interviews, which then take most of a minute.
	cold bool
}

// ZWaveJS is a running Z-Wave JS server with its driver and a simulated network.
type ZWaveJS struct {
	*lab.Proc        // the server, of the last start
	URL       string // ws://host:port
	Home      string // home id, 8 hex digits

	mock         *lab.Proc
	host         *lab.Host
	cfg          ZWaveJSConfig
	modules, dir string
	name         string // weak or hardened
}

// granted are the security classes that nodes were granted when they were
// included, none where it is empty. The mock has every key, so the driver knows
// them from its cache only.
var granted = map[string]map[int]string{
	"weak": {2: "", 3: "S2_AccessControl", 4: "S2_Unauthenticated", 5: "S0_Legacy", 6: "",
		10: "S0_Legacy", 11: "S0_Legacy", 12: ""},
	"hardened": {3: "S2_AccessControl", 4: "S2_Authenticated", 5: "S2_Authenticated", 6: "S2_Authenticated"},
}

// StartZWaveJS starts the server on a host and waits until it listens.
func StartZWaveJS(t testing.TB, h *lab.Host, cfg ZWaveJSConfig) *ZWaveJS {
	t.Helper()
	z := &ZWaveJS{host: h, cfg: cfg, modules: installed(t), dir: t.TempDir(), name: "weak", Home: "cafe0001"}
	if cfg.Hardened {
		z.name, z.Home = "hardened", "cafe0002"
	}
	if z.cfg.Port == 0 {
		z.cfg.Port = 3000
	}
	z.URL = "ws://" + z.addr()
	for _, name := range []string{"split.cjs", "network.cjs", "driver.json"} {
		put(t, z.dir, name)
	}
	if cfg.cold {
		write(t, z.dir, "cache/"+z.Home+".jsonl", grants(z.name))
	} else {
		for _, part := range cacheParts {
			b, err := files.ReadFile("cache-" + z.name + part)
			if err != nil {
				t.Fatal(err)
			}
			write(t, z.dir, "cache/"+z.Home+part, b)
		}
	}
	z.Start(t)
	return z
}

// cacheParts are the files in which the driver keeps what it knows of a network.
var cacheParts = []string{".jsonl", ".values.jsonl"}

// grants is a driver's cache of a network in which no node was interviewed yet.
func grants(name string) []byte {
	var b strings.Builder
	b.WriteString(`{"k":"cacheFormat","v":2}` + "\n")
	for node, class := range granted[name] {
		for _, c := range []string{"S2_AccessControl", "S2_Authenticated", "S2_Unauthenticated", "S0_Legacy"} {
			fmt.Fprintf(&b, "{\"k\":\"node.%d.securityClasses.%s\",\"v\":%t}\n", node, c, c == class)
		}
	}
	return []byte(b.String())
}

func (z *ZWaveJS) addr() string {
	return net.JoinHostPort(z.host.IP().String(), strconv.Itoa(z.cfg.Port))
}

// Start starts the mock stick and the server, again after Kill, and waits until
// the server listens.
func (z *ZWaveJS) Start(t testing.TB) {
	t.Helper()
	mockPort := strconv.Itoa(z.cfg.Port + 10000)
	mock := exec.Command("node", "-r", "./split.cjs", filepath.Join(z.modules, "zwave-js/bin/mock-server.cjs"),
		"-i", "127.0.0.1", "-p", mockPort, "-c", filepath.Join(z.dir, "network.cjs"))
	mock.Dir = z.dir
	mock.Env = append(os.Environ(), "NETWORK="+z.name)
	z.mock = z.host.StartCmd(t, mock)
	z.mock.WaitOutput(t, time.Minute, "Server listening")
	server := exec.Command("node", filepath.Join(z.modules, "@zwave-js/server/dist-esm/bin/server.js"), "tcp://127.0.0.1:"+mockPort,
		"--config", filepath.Join(z.dir, "driver.json"), "--host", z.host.IP().String(), "--port", strconv.Itoa(z.cfg.Port), "--disable-dns-sd")
	server.Dir = z.dir
	z.Proc = z.host.StartCmd(t, server)
	z.WaitOutput(t, 2*time.Minute, "ZwaveJS server listening")
}

// Kill kills the server and the mock stick.
func (z *ZWaveJS) Kill() {
	z.Proc.Kill()
	z.mock.Kill()
}

// Include opens the network. A node that waits for it, node 9, joins at once and
// without security; after that the network stays open until StopInclusion.
func (z *ZWaveJS) Include(t testing.TB) {
	t.Helper()
	const insecure = 2 // zwave-js, InclusionStrategy
	z.Command(t, map[string]any{"command": "controller.begin_inclusion", "options": map[string]any{"strategy": insecure}})
}

// StopInclusion closes the network.
func (z *ZWaveJS) StopInclusion(t testing.TB) {
	t.Helper()
	z.Command(t, map[string]any{"command": "controller.stop_inclusion"})
}

// Command sends a command of the API, as a client of its own, and returns the result.
func (z *ZWaveJS) Command(t testing.TB, command map[string]any) json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return z.host.Dial("tcp", z.addr())
	}}}
	ws, _, err := websocket.Dial(ctx, z.URL, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatalf("connect to Z-Wave JS: %v", err)
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(16 << 20)
	command["messageId"] = "command"
	for _, c := range []map[string]any{{"messageId": "initialize", "command": "initialize", "schemaVersion": 40}, command} {
		b, err := json.Marshal(c)
		if err == nil {
			err = ws.Write(ctx, websocket.MessageText, b)
		}
		if err != nil {
			t.Fatalf("send to Z-Wave JS: %v", err)
		}
	}
	for {
		_, b, err := ws.Read(ctx)
		var m struct {
			MessageID string
			Success   bool
			Result    json.RawMessage
		}
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err != nil {
			t.Fatalf("read from Z-Wave JS: %v", err)
		}
		if m.MessageID == "command" {
			if !m.Success {
				t.Fatalf("%v: %s", command["command"], b)
			}
			return m.Result
		}
	}
}

// record copies the driver's cache to a folder, for others to start with.
func (z *ZWaveJS) record(t testing.TB, dir string) {
	t.Helper()
	for _, part := range cacheParts {
		b, err := fs.ReadFile(os.DirFS(z.dir), "cache/"+z.Home+part)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "cache-"+z.name+part, b)
	}
}
