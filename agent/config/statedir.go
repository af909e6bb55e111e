package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// fillStateDir sets the folder for state if the owner did not: /data in the
// app, what systemd made for us (StateDirectory=), else the user's own.
func (c *Config) fillStateDir() error {
	if c.StateDir != "" {
		c.StateDir = c.beside(c.StateDir)
		return nil
	}
	if c.InApp {
		c.StateDir = "/data"
		return nil
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" && runtime.GOOS == "linux" {
		c.StateDir = dir
		return nil
	}
	dir, err := userStateDir()
	if err != nil {
		return err
	}
	c.StateDir = filepath.Join(dir, "thingwarden")
	return nil
}

// userStateDir is where programs of this user keep state (XDG Base Directory
// Specification; on macOS and Windows their own places).
func userStateDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LOCALAPPDATA"); dir != "" {
			return dir, nil
		}
	case "darwin":
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, "Library", "Application Support"), nil
		}
	default:
		// The specification says that a relative path is to be ignored.
		if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return dir, nil
		}
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "state"), nil
		}
	}
	return "", errors.New("no folder for state: this user has no home folder; set state_dir, or THINGWARDEN_STATE_DIR")
}
