//go:build !linux

package prober

// isShared reports whether more than one socket has a UDP port, which only Linux tells.
func isShared(uint16) bool { return false }
