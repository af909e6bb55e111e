// Package control connects the command line to the running agent of the same
// user: HTTP over a Unix socket in the state folder, which only that user can
// open.
//
// It is not its job to carry out a command (package agent does), nor to be
// reached over the network.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/thingwarden/thingwarden/agent/home"
	"github.com/thingwarden/thingwarden/agent/report"
)

const (
	// maxCommand and maxSnapshot bound what the two sides read, in bytes.
	maxCommand  = 16 << 10
	maxSnapshot = 256 << 20
	// maxPath is the longest path of a socket that every system takes (sun_path
	// is 104 bytes on macOS and 108 on Linux, with a zero at the end).
	maxPath = 103
	// commandTimeout is how long a decision may take to be on disk.
	commandTimeout = 30 * time.Second
)

// Path returns the path of the socket in a state folder.
func Path(stateDir string) string { return filepath.Join(stateDir, "control.sock") }

// API is what the agent offers.
type API struct {
	// Snapshot returns the newest snapshot.
	Snapshot func() *report.Snapshot
	// Do carries out a command; when it returns nil, a decision is on disk.
	Do func(context.Context, report.Command) error
	// Import takes over decisions from elsewhere; when it returns nil, they are on
	// disk.
	Import func(context.Context, *home.Transfer) error
}

// result is the answer to a command.
type result struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Serve answers on the socket of that path until ctx is done. A socket that an
// earlier agent left is replaced: the caller holds the lock of the folder.
func Serve(ctx context.Context, path string, api API) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path of the control socket, %q, is longer than %d bytes; set state_dir to a shorter one", path, maxPath)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing the control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("opening the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("protecting the control socket: %w", err), l.Close())
	}
	srv := &http.Server{
		Handler: handler(api), ReadTimeout: commandTimeout, WriteTimeout: 2 * commandTimeout, MaxHeaderBytes: maxCommand,
		// Else a decision that is saved while the agent ends would be refused.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	// A command that is being carried out gets its answer.
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err = srv.Shutdown(wait)
	<-ended
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return err
}

func handler(api API) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, _ *http.Request) {
		b, err := encode(api.Snapshot())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // fails only when the asker has gone
	})
	// For programs, in the form of `scan --format json`.
	mux.HandleFunc("GET /scan.json", func(w http.ResponseWriter, _ *http.Request) {
		s := api.Snapshot()
		w.Header().Set("Content-Type", "application/json")
		_ = report.WriteJSON(w, s, s.LastScan, s.At) // fails only when the asker has gone
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(api.Snapshot().Health)
	})
	mux.HandleFunc("POST /command", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(command(r, api))
	})
	mux.HandleFunc("POST /import", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(transfer(r, api))
	})
	return mux
}

func command(r *http.Request, api API) result {
	var cmd report.Command
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxCommand))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cmd); err != nil {
		return result{Error: fmt.Sprintf("the command can't be read: %v", err)}
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	if err := api.Do(ctx, cmd); err != nil {
		return result{Error: err.Error()}
	}
	return result{OK: true}
}

func transfer(r *http.Request, api API) result {
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, home.MaxTransfer))
	if err != nil {
		return result{Error: fmt.Sprintf("the decisions can't be read: %v", err)}
	}
	t, err := home.ParseTransfer(b)
	if err != nil {
		return result{Error: err.Error()}
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	if err := api.Import(ctx, t); err != nil {
		return result{Error: err.Error()}
	}
	return result{OK: true}
}

// ErrNotRunning means that no agent answers on the socket.
var ErrNotRunning = errors.New("no agent is running")

// Client asks a running agent.
type Client struct{ http *http.Client }

// NewClient returns a client of the agent with that state folder. It does not
// connect yet.
func NewClient(stateDir string) *Client {
	path := Path(stateDir)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, ErrNotRunning
		}
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if errors.Is(err, errRefused) {
			return nil, ErrNotRunning // a socket that a killed agent left
		}
		return c, err
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 2 * commandTimeout}}
}

// Snapshot returns the agent's newest snapshot; ErrNotRunning if there is no agent.
func (c *Client) Snapshot(ctx context.Context) (*report.Snapshot, error) {
	b, err := c.request(ctx, http.MethodGet, "snapshot", nil)
	if err != nil {
		return nil, err
	}
	return decode(b)
}

// Health returns how the agent's parts are; ErrNotRunning if there is no agent.
func (c *Client) Health(ctx context.Context) ([]report.Component, error) {
	b, err := c.request(ctx, http.MethodGet, "health", nil)
	if err != nil {
		return nil, err
	}
	var out []report.Component
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("reading the agent's answer: %w", err)
	}
	return out, nil
}

// Do has the agent carry out a command; ErrNotRunning if there is no agent.
func (c *Client) Do(ctx context.Context, cmd report.Command) error {
	body, err := json.Marshal(cmd)
	if err != nil {
		return fmt.Errorf("writing the command: %w", err)
	}
	return c.post(ctx, "command", body)
}

// Import has the agent take over decisions from elsewhere; ErrNotRunning if there is
// no agent.
func (c *Client) Import(ctx context.Context, t *home.Transfer) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("writing the decisions: %w", err)
	}
	return c.post(ctx, "import", body)
}

func (c *Client) post(ctx context.Context, path string, body []byte) error {
	b, err := c.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("reading the agent's answer: %w", err)
	}
	if !r.OK {
		return errors.New(r.Error)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://agent/"+path, newBody(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, ErrNotRunning) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("asking the running agent: %w", errors.Unwrap(err))
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxSnapshot))
	if err != nil {
		return nil, fmt.Errorf("reading the agent's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the running agent answered %s: %q", resp.Status, string(b[:min(len(b), 200)]))
	}
	return b, nil
}
