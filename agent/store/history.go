package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// HistoryFile is the name of the history: one JSON object a line.
	HistoryFile = "history.jsonl"
	// maxHistory bounds the history in bytes; beyond it the older half goes.
	maxHistory = 2 << 20
)

// AppendHistory adds whole lines to the history, which is for people: nothing is
// decided by it, and losing it costs nothing.
func (s *Store) AppendHistory(lines []byte) error {
	path := filepath.Join(s.dir, HistoryFile)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("looking at the history: %w", err)
	case info.Size()+int64(len(lines)) > maxHistory:
		return s.halveHistory(path, lines)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return fmt.Errorf("opening the history: %w", err)
	}
	_, err = f.Write(lines)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("adding to the history: %w", err)
	}
	return nil
}

// halveHistory writes the newer half of the history, and the new lines.
func (s *Store) halveHistory(path string, lines []byte) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	if len(lines) > maxHistory/2 {
		lines = lines[len(lines)-maxHistory/2:]
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	if len(old) > maxHistory/2 {
		old = old[len(old)-maxHistory/2:]
		old = old[bytes.IndexByte(old, '\n')+1:]
	}
	return s.Write(HistoryFile, append(old, lines...))
}
