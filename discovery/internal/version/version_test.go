package version

import "testing"

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b  string
		order int
		ok    bool
	}{
		{"1.4.4", "1.5.0", -1, true},
		{"1.10.0", "1.9.9", 1, true},
		{"v1.14.0", "1.14", 0, true},
		{"1.4.4-gabc", "1.4.4-gabc", 0, true},
		{"1.4.4-beta1", "1.4.4", 0, false},
		{"1.4.4-beta1", "1.5.0", -1, true},
		{"1.4", "", 0, false},
		{"1..4", "1.4", 0, false},
		{"99999999999999999999", "1", 0, false},
		{"-1", "1", 0, false},
	} {
		if order, ok := Compare(tt.a, tt.b); order != tt.order || ok != tt.ok {
			t.Errorf("CompareVersions(%q, %q) = %d, %v; want %d, %v", tt.a, tt.b, order, ok, tt.order, tt.ok)
		}
	}
}

func FuzzCompare(f *testing.F) {
	for _, s := range []string{"2023.5.5", "20230913-112003/v1.14.0", "Build 160503n", "1.15.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, version string) {
		if order, ok := Compare(version, version); order != 0 {
			t.Errorf("%q is not itself: %d, %v", version, order, ok)
		}
	})
}

func TestIsPreview(t *testing.T) {
	for version, want := range map[string]bool{
		"1.5.0-beta1": true, "1.5.0-rc2": true, "2026.8.0-dev": true, "20230913-112003/v1.14.0-rc1": true,
		"1.5.0": false, "20230913-112003/v1.14.0-gcb84623": false, "V5.4.5 build 170124": false, "": false,
	} {
		if got := IsPreview(version); got != want {
			t.Errorf("IsPreview(%q) = %v", version, got)
		}
	}
}
