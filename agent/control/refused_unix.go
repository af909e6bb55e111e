//go:build unix

package control

import "syscall"

const errRefused = syscall.ECONNREFUSED
