package prober

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// The ways in which a question to a device ends without an answer. Errors of a
// Target wrap one of them, or the error of a context that is done.
var (
	// ErrClosed means that the device refused the connection. A closed port is
	// knowledge: nothing listens there.
	ErrClosed = errors.New("connection refused")
	// ErrNoAnswer means that the device stayed silent; it says nothing about
	// what is behind the port.
	ErrNoAnswer = errors.New("no answer")
	// ErrUnreadable means that something answered in a way that could not be
	// understood.
	ErrUnreadable = errors.New("answer not understood")
	// ErrTouch means that the probe needs a higher touch than is allowed.
	ErrTouch = errors.New("not allowed by the touch level")
	// ErrForbidden means an address or port that is never probed.
	ErrForbidden = errors.New("never probed")
	// errTooMuch is the ErrNotProbed of a device of which no more ports or datagrams
	// are allowed in this pass.
	errTooMuch = fmt.Errorf("limit reached: %w", ErrNotProbed)
	// ErrPortInUse means that another program has the local port from which alone a
	// search can be sent.
	ErrPortInUse = errors.New("port in use by another program")
	// ErrNotProbed means that nothing was sent: too many ports in this
	// pass, or the hub itself could not open a connection.
	ErrNotProbed = errors.New("not probed")
)

// WhyOf says why a word is unknown when the question for it ended with err.
// ErrClosed gives Refused, but mostly is an answer: look for it with errors.Is
// first. A defect in the reading of an answer counts as Unreadable.
func WhyOf(err error) fact.Why {
	switch {
	case errors.Is(err, ErrTouch):
		return fact.TouchLevel
	case errors.Is(err, ErrClosed):
		return fact.Refused
	case errors.Is(err, errTooMuch):
		return fact.Limit
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrNotProbed), errors.Is(err, context.Canceled):
		return fact.NotProbed
	case errors.Is(err, ErrNoAnswer), isSilence(err):
		return fact.NoAnswer
	default:
		return fact.Unreadable
	}
}

// winRefused is WSAECONNREFUSED, which package syscall does not name.
const winRefused = syscall.Errno(10061)

func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, winRefused)
}

func isSilence(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// isHangUp reports whether the peer ended the connection.
func isHangUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
