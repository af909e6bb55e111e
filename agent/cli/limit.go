package cli

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// ourShare of a container's memory, in percent, is for what the program holds;
	// the rest is for the pages of its file and for the kernel's buffers.
	ourShare = 50
	// noLimit is from where on a limit is none: cgroup v1 has a large number for that.
	noLimit = math.MaxInt64 / 2
)

// limitMemory has the program collect its garbage in time to stay below the memory
// of its container, unless the owner has set GOMEMLIMIT.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := containerMemory(os.DirFS("/")); ok {
		debug.SetMemoryLimit(limit / 100 * ourShare)
	}
}

// containerMemory returns how many bytes of memory the control group may use in
// which the program runs, or a group above it, whichever is least (cgroups(7)).
// False means no limit, or none that can be read.
func containerMemory(root fs.FS) (least int64, ok bool) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	least = noLimit
	for line := range strings.Lines(string(groups)) {
		// 0::/path of version 2, or 4:memory:/path of version 1
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		dir, file := "sys/fs/cgroup", "memory.max"
		if f[1] != "" {
			if !strings.Contains(","+f[1]+",", ",memory,") {
				continue
			}
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// In a container the path may be the host's, and the group's own folder the root.
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			if n, ok := readLimit(root, path.Join(dir, group, file)); ok {
				least = min(least, n)
			}
			if group == "/" {
				break
			}
		}
	}
	return least, least < noLimit
}

func readLimit(root fs.FS, file string) (int64, bool) {
	b, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && n > 0 // "max" is no number
}
