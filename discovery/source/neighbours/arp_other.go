//go:build !linux && !darwin

package neighbours

import "errors"

// readARP is not possible here without calling other programs.
func readARP() ([]arpEntry, error) { return nil, errors.ErrUnsupported }
