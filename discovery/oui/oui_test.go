package oui

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestVendor(t *testing.T) {
	tests := []struct {
		name, mac string
		want      string // how the name starts
	}{
		{"24 bits", "b827eb123456", "Raspberry Pi Foundation"},
		{"upper case", "B827EB123456", "Raspberry Pi Foundation"},
		{"first row", "000000000001", "XEROX"},
		{"28 bits inside a range of the authority", "b0c5ca012345", "EM-Tech"},
		{"36 bits inside a range of the authority", "70b3d5001123", "SOREDI"},
		{"part of the authority's range without a row", "70b3d59f3123", "none"},
		{"locally administered", "b227eb123456", "none"},
		{"group", "b927eb123456", "none"},
		{"too short", "b827eb", "none"},
		{"with colons", "b8:27:eb:12:34:56", "none"},
		{"no hex", "b827ebxx3456", "none"},
		{"empty", "", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Vendor(tt.mac)
			if ok != (got != "") {
				t.Fatalf("Vendor(%q) = %q, %v", tt.mac, got, ok)
			}
			if tt.want == "none" && ok || tt.want != "none" && !strings.HasPrefix(got, tt.want) {
				t.Errorf("Vendor(%q) = %q, want %q", tt.mac, got, tt.want)
			}
		})
	}
}

// Every row must be found from the first and from the last address of its
// range, unless a longer prefix takes it.
func TestEveryRowIsFound(t *testing.T) {
	rest, names := table, namesOf(t)
	rows := 0
	for n := range registries {
		var r registry
		r, rest = nextRegistry(rest)
		last := uint64(0)
		for i := range len(r.rows) / rowSize {
			prefix := r.row(i) >> nameBits
			if i > 0 && last >= prefix {
				t.Fatalf("/%d rows %d and %d are not sorted", r.bits, i-1, i)
			}
			last = prefix
			mac := prefix << (48 - r.bits)
			got, ok := vendor(mac)
			if want := nameAt(names, r.row(i)); !ok || got == "" || n == 0 && got != want {
				t.Fatalf("vendor(%012x) = %q, %v, want %q", mac, got, ok, want)
			}
			rows++
		}
	}
	if rows < 50_000 {
		t.Fatalf("%d rows", rows)
	}
}

func namesOf(t *testing.T) string {
	t.Helper()
	names := table
	for range registries {
		_, names = nextRegistry(names)
	}
	return names
}

func TestRandom(t *testing.T) {
	for mac, want := range map[string]bool{"b827eb123456": false, "ba27eb123456": true, "020000000001": true, "x2": false, "": false} {
		if got := Random(mac); got != want {
			t.Errorf("Random(%q) = %v, want %v", mac, got, want)
		}
	}
}

// TestTableIsCurrent compares the table with the data set named by OUI_DATA.
func TestTableIsCurrent(t *testing.T) {
	in := os.Getenv("OUI_DATA")
	if in == "" {
		t.Skip("OUI_DATA does not name the index.json of oui-data")
	}
	out := filepath.Join(t.TempDir(), "table.bin")
	if msg, err := exec.Command("go", "run", "./gen", "-in", in, "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("gen: %v\n%s", err, msg)
	}
	fresh, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if string(fresh) != table {
		t.Error("table.bin is not what go generate makes of OUI_DATA")
	}
	raw, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]string
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	// The input itself says what each of its ranges must answer.
	for prefix, text := range index {
		want, _, _ := strings.Cut(text, "\n")
		got, ok := Vendor((strings.ToLower(prefix) + "000000")[:12])
		if want == "Private" || want == "IEEE Registration Authority" {
			want = ""
		}
		if len(prefix) == 9 && (got != want || ok != (want != "")) {
			t.Errorf("Vendor of %s = %q, want %q", prefix, got, want)
		}
	}
}

func BenchmarkVendor(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Vendor("b827eb123456")
	}
}
