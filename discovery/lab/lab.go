// Package lab builds small home networks for tests: a hub and its devices, each
// in a network namespace of its own, joined by a bridge, with real daemons
// inside them.
//
// A lab needs Linux and the right to make namespaces: run the tests as root, or
// as an ordinary user through Main or "unshare -Urn". Without that right New
// skips the test, or fails it when the environment variable TEST_REQUIRE names
// "lab". Nothing of a lab outlives its test process: namespaces are anonymous,
// mounts private to them, and daemons die with the process.
//
// It is not this package's job to know anything of Thingwarden; it imports
// nothing of it.
package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Required reports whether the environment variable TEST_REQUIRE, a list with
// commas, names the given kind of test: "lab", "e2e". A test that cannot run is
// then a failure instead of a skip.
func Required(kind string) bool {
	return slices.Contains(strings.Split(os.Getenv("TEST_REQUIRE"), ","), kind)
}

// SkipOrFail ends the test: as failed if TEST_REQUIRE names the kind, else as
// skipped.
func SkipOrFail(t testing.TB, kind, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if Required(kind) {
		t.Fatalf("TEST_REQUIRE names %q, but %s", kind, reason)
	}
	t.Skip(reason)
}

// WaitFor polls done until it reports true, and fails the test after timeout.
func WaitFor(t testing.TB, timeout time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, timeout)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
