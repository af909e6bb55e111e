package prober

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// isShared reports whether more than one socket has a UDP port.
func isShared(port uint16) bool {
	n := 0
	for _, file := range []string{"/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue // no IPv6
		}
		suffix := fmt.Sprintf(":%04X", port)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasSuffix(fields[1], suffix) {
				n++
			}
		}
		_ = f.Close()
	}
	return n > 1
}
