package cli

import (
	"testing"
	"testing/fstest"
)

func TestContainerMemory(t *testing.T) {
	const v1, v2 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n", "0::/system.slice/thingwarden.service\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"version 2", map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/system.slice/thingwarden.service/memory.max": "67108864\n"}, 64 << 20},
		{"version 2 without a limit", map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/system.slice/thingwarden.service/memory.max": "max\n"}, 0},
		{"of a group above", map[string]string{"proc/self/cgroup": v2,
			"sys/fs/cgroup/system.slice/thingwarden.service/memory.max": "134217728\n", "sys/fs/cgroup/system.slice/memory.max": "67108864\n"}, 64 << 20},
		{"in a container", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "67108864\n"}, 64 << 20},
		{"version 1", map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "67108864\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 64 << 20},
		{"version 1 in a container", map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n"}, 64 << 20},
		{"version 1 without a limit", map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"no number", map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/system.slice/thingwarden.service/memory.max": "a lot\n"}, 0},
		{"a path that leads out", map[string]string{"proc/self/cgroup": "0::/../../etc\n", "sys/fs/cgroup/etc/memory.max": "67108864\n"}, 64 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, ok := containerMemory(root)
			if !ok {
				got = 0
			}
			if got != tt.want {
				t.Errorf("%d bytes, want %d", got, tt.want)
			}
		})
	}
}
