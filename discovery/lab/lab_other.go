//go:build !linux

package lab

import (
	"os"
	"testing"
)

// Lab is a home network; there are none on this system. Tests that use more of
// it than New belong in files named _linux_test.go.
type Lab struct{}

// New skips the test, or fails it when TEST_REQUIRE names "lab".
func New(t testing.TB) *Lab {
	t.Helper()
	SkipOrFail(t, "lab", "a network lab needs Linux")
	return nil
}

// Main runs the tests as they are.
func Main(m *testing.M) { os.Exit(m.Run()) }
