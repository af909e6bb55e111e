//go:build !linux

package network

// followChanges can't tell on systems other than Linux.
func followChanges() func() bool { return alwaysChanged }
