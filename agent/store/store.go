// Package store keeps the files of the state folder: decisions.json, which holds
// what can't be learned again, and state.json, which holds what can.
//
// The history is lines for people, which nothing reads again.
//
// It is not its job to know what is in the other two (package home does), nor when
// any is written (the agent's loop decides that).
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/thingwarden/thingwarden/agent/home"
)

// The names of the files.
const (
	DecisionsFile = "decisions.json"
	StateFile     = "state.json"
)

// Store keeps the files of the state folder. One process at a time holds it.
type Store struct {
	dir  string
	lock *os.File
}

// Open makes the folder if need be, and takes its lock.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder %q: %w", dir, err)
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the state folder %q: %w", dir, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("state folder %q: another Thingwarden uses it; stop that one, or set state_dir to another folder: %w", dir, err)
	}
	s := &Store{dir: dir, lock: f}
	s.sweep()
	return s, nil
}

// sweep removes temporary files that a crash left behind.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.dir, ".*.tmp-*"))
	for _, name := range left {
		os.Remove(name)
	}
}

// keepUnusable is how many unusable files are kept, the newest.
const keepUnusable = 3

// thin removes old unusable files, so that with one more there are as many as kept.
func (s *Store) thin(path string) {
	aside, _ := filepath.Glob(path + ".unusable-*") // sorted, and thus by time
	for len(aside) >= keepUnusable {
		os.Remove(aside[0])
		aside = aside[1:]
	}
}

// Close lets another process have the folder.
func (s *Store) Close() error { return s.lock.Close() }

// ReadDecisions returns the owner's decisions, or new ones when there is no file.
// A file that can't be read is an error and stays as it is: it holds what can't be
// learned again. No lock is needed.
func ReadDecisions(dir string, now time.Time) (*home.Decisions, error) {
	path := filepath.Join(dir, DecisionsFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return home.NewDecisions(now), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the owner's decisions: %w", err)
	}
	d, err := home.ParseDecisions(b)
	if err != nil {
		return nil, fmt.Errorf("%s %w; nothing was changed: repair it, restore it from a backup, or move it away to begin anew", path, err)
	}
	return d, nil
}

// ReadState returns what was learned before; nil when there is nothing. A file that can't be used is set
// aside under another name, and notice says so.
func (s *Store) ReadState(now time.Time) (st *home.State, notice string, err error) {
	path := filepath.Join(s.dir, StateFile)
	st, err = ReadState(s.dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return st, "", nil
	}
	s.thin(path)
	aside := fmt.Sprintf("%s.unusable-%s", path, now.UTC().Format("20060102T150405Z"))
	if rerr := os.Rename(path, aside); rerr != nil {
		return nil, "", fmt.Errorf("setting %s aside: %w", path, rerr)
	}
	return nil, fmt.Sprintf("%s %v; it was set aside as %s and will be learned again. The owner's decisions are not touched.",
		path, err, filepath.Base(aside)), nil
}

// ReadState returns what was learned before. It changes nothing and needs no lock.
func ReadState(dir string) (*home.State, error) {
	b, err := os.ReadFile(filepath.Join(dir, StateFile))
	if err != nil {
		return nil, err
	}
	var st home.State
	if err := json.Unmarshal(b, &st); err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	if st.Version > home.StateVersion {
		return nil, home.ErrNewerVersion
	}
	return &st, nil
}

// Write replaces a file so that a crash at any moment leaves the old or the
// new one whole: temporary file, fsync, rename, fsync of the folder.
func (s *Store) Write(name string, b []byte) error { return writeFile(s.dir, name, b) }

func writeFile(dir, name string, b []byte) error {
	f, err := os.CreateTemp(dir, "."+name+".tmp-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("saving %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("saving %s: %w", name, err)
	}
	return nil
}
