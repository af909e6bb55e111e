package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestHistoryDropsTheOldest(t *testing.T) {
	s := testStore(t)
	line := func(n int) []byte {
		return fmt.Appendf(nil, "{\"n\":%d,\"fill\":%q}\n", n, bytes.Repeat([]byte("x"), 100_000))
	}
	for n := range 50 {
		if err := s.AppendHistory(line(n)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(s.dir, HistoryFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	if len(b) > maxHistory || len(lines) < 10 || !bytes.HasPrefix(lines[0], []byte(`{"n":`)) || !bytes.HasPrefix(lines[len(lines)-1], []byte(`{"n":49,`)) {
		t.Errorf("%d bytes in %d lines, from %.10s to %.10s", len(b), len(lines), lines[0], lines[len(lines)-1])
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestFolderOfOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a folder in which everybody may write is taken")
	}
	dir = t.TempDir()
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("the link of the lock is followed")
	}
}

func TestUnusableFilesDoNotPileUp(t *testing.T) {
	s := testStore(t)
	for n := range 10 {
		if err := os.WriteFile(filepath.Join(s.dir, StateFile), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ReadState(noon.AddDate(0, 0, n)); err != nil {
			t.Fatal(err)
		}
	}
	aside, _ := filepath.Glob(filepath.Join(s.dir, StateFile+".unusable-*"))
	if len(aside) != keepUnusable || filepath.Base(aside[len(aside)-1]) != StateFile+".unusable-20261202T120000Z" {
		t.Errorf("kept are %v", aside)
	}
}
