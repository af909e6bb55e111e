package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/policy"
)

// frameFor is the frame around pages that show a snapshot.
func frameFor(t *testing.T, s *report.Snapshot) frame {
	t.Helper()
	return newFixture(t, s).page.frame(httptest.NewRequest("GET", "/", nil), visitor{reads: true, changes: true}, "", "")
}

func TestHeadline(t *testing.T) {
	with := func(blind string, checked int, status policy.Status, sevs ...policy.Severity) *report.Snapshot {
		d := report.Device{Device: discovery.Device{ID: discovery.Hub}, Checked: checked}
		for _, s := range sevs {
			d.Findings = append(d.Findings, found(telnetOpen, status, s))
		}
		return &report.Snapshot{Devices: []report.Device{d}, Blind: blind}
	}
	for _, tt := range []struct {
		name  string
		s     *report.Snapshot
		want  string
		grade string
	}{
		{"nothing checked", with("", 0, policy.Open), "Nothing has been checked yet. The first results come within a minute or two.", "none"},
		{"nothing to be seen is never well", with("No network.", 1, policy.Open), "Nothing can be said about your home network yet.", "good"},
		{"well", with("", 1, policy.Open), "Nothing to fix was found in what was checked.", "good"},
		{"good to know", with("", 1, policy.Open, policy.Info), "Nothing to fix was found in what was checked.", "good"},
		{"mild", with("", 1, policy.Open, policy.Low, policy.Medium), "Nothing urgent. 2 things to fix this week or later.", "fair"},
		{"milder", with("", 1, policy.Open, policy.Low), "Nothing urgent. 1 thing to fix when convenient.", "fair"},
		{"one high", with("", 1, policy.Open, policy.Low, policy.High), "1 thing to fix today.", "poor"},
		{"two high", with("No network.", 1, policy.Open, policy.High, policy.High), "2 things to fix today.", "poor"},
		{"critical", with("", 1, policy.Open, policy.Critical, policy.High), "1 thing to fix now.", "poor"},
		{"accepted is neither well nor green", with("", 1, policy.Accepted, policy.Critical), "Nothing to fix except what you accepted: 1 risk.", "fair"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := headline(tt.s, tt.s.Counts()); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := homeGauge(tt.s, tt.s.Counts()).Grade; got != tt.grade {
				t.Errorf("grade %q, want %q", got, tt.grade)
			}
		})
	}
}

// TestAccepted: what was accepted stands with reason and date on every page that
// shows the device, and the device is not called well.
func TestAccepted(t *testing.T) {
	s := snapshot()
	camera := &s.Devices[1]
	camera.Findings, camera.NotChecked = camera.Findings[:1], nil
	f := newFixture(t, s)
	for _, path := range []string{"/", "/todo", "/device/mac_ecfabc001122"} {
		page := body(t, f.request("GET", path))
		if !strings.Contains(page, "accepted by you until 23 December 2026: guest network &lt;only&gt;") {
			t.Errorf("%s does not list what was accepted", path)
		}
		if path != "/" && path != "/todo" && (strings.Contains(page, "Nothing to fix was found") || strings.Contains(page, `ring good`)) {
			t.Errorf("%s calls the device well", path)
		}
	}
	if page := body(t, f.request("GET", "/devices?q=porch")); !strings.Contains(page, "1 accepted") || strings.Contains(page, "score good") {
		t.Error("the list calls the device well")
	}
}

func TestTasks(t *testing.T) {
	first, more := frameFor(t, snapshot()).tasks(2)
	type short struct {
		Title, Device, Step string
		More                int
	}
	var got []short
	for _, x := range first {
		got = append(got, short{x.Title, x.Device.ID, x.Step, x.More})
	}
	want := []short{
		{"</details><script>alert(1)</script>{{ 7*7 }}", "mac_020000000001", "<b>x</b>", 0},
		{"Old-style remote log-in (Telnet) is open", "mac_ecfabc001122", "Open the device's settings page or app and switch Telnet off.", 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first tasks (-want +got):\n%s", diff)
	}
	if more != 1 {
		t.Errorf("%d more, want 1", more)
	}
}

func TestChanges(t *testing.T) {
	var got []string
	for _, c := range frameFor(t, snapshot()).changes(noon.Add(-24 * time.Hour)) {
		got = append(got, c.Kind+" "+c.Device.ID+": "+c.Text)
	}
	want := []string{
		"new mac_020000000001: Seen for the first time", "new mac_0a0000000002: Seen for the first time", "new mac_240ac4004f2a: Seen for the first time",
		"new zigbee_00158d0001a2b3c4: Seen for the first time", "better mac_ecfabc001122: Fixed: Lock joined without the highest security",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLastVisit: the time of the last visit stays the same throughout the present one.
func TestLastVisit(t *testing.T) {
	var cookie *http.Cookie
	refresh := func(at time.Time) time.Time {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		if cookie != nil {
			r.AddCookie(cookie)
		}
		last := lastVisit(w, r, at)
		cookie = w.Result().Cookies()[0]
		return last
	}
	for _, tt := range []struct {
		name     string
		at, want time.Time
	}{
		{"first", noon, time.Time{}},
		{"still the first", noon.Add(20 * time.Minute), time.Time{}},
		{"second", noon.Add(2 * time.Hour), noon.Add(20 * time.Minute)},
		{"still the second", noon.Add(150 * time.Minute), noon.Add(20 * time.Minute)},
		{"third", noon.Add(24 * time.Hour), noon.Add(150 * time.Minute)},
	} {
		if got := refresh(tt.at); !got.Equal(tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	cookie = &http.Cookie{Name: visitCookie, Value: "99999999999999999999-x"}
	if got := refresh(noon); !got.IsZero() {
		t.Errorf("of a broken cookie: %v", got)
	}
}

func TestDevices(t *testing.T) {
	f := newFixture(t, snapshot())
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", []string{"mac_020000000001", "mac_ecfabc001122", "mac_240ac4004f2a", "hub", "zigbee_00158d0001a2b3c4", "mac_0a0000000002"}},
		{"?sort=name", []string{"mac_020000000001", "zigbee_00158d0001a2b3c4", "mac_ecfabc001122", "hub", "mac_240ac4004f2a", "mac_0a0000000002"}},
		{"?q=PORCH+192.0.2", []string{"mac_ecfabc001122"}},
		{"?q=ec:fa:bc", []string{"mac_ecfabc001122"}},
		{"?q=nothing", nil},
		{"?class=lock", []string{"zigbee_00158d0001a2b3c4"}},
		{"?show=accepted", []string{"mac_ecfabc001122"}},
		{"?show=away", []string{"mac_240ac4004f2a"}},
		{"?show=todo&sort=address", []string{"hub", "mac_ecfabc001122", "mac_020000000001", "mac_240ac4004f2a"}},
		{"?sort=%00&class=<b>", nil},
	} {
		t.Run(tt.query, func(t *testing.T) {
			page := body(t, f.request("GET", "/devices"+tt.query))
			_, list, _ := strings.Cut(page, `id="list"`)
			var got []string
			for _, part := range strings.Split(list, `device/`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				got = append(got, id)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnchecked: a check that was not made can't be read as a finding.
func TestUnchecked(t *testing.T) {
	page := body(t, newFixture(t, snapshot()).request("GET", "/unchecked"))
	for _, want := range []string{"Could not check for: <b>Zigbee network uses a published key</b>", "None of them is a finding"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(page, "badge critical") || strings.Contains(page, "badge medium") {
		t.Error("what was not checked has a severity")
	}
}

func TestOwnPage(t *testing.T) {
	facts := func(names ...string) (out []fact.Entry) {
		for _, n := range names {
			out = append(out, fact.Entry{Name: n, Value: true})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		d    report.Device
		want string
	}{
		{"none", report.Device{Device: discovery.Device{IDs: []discovery.Identifier{ip("192.0.2.9")}}}, ""},
		{"no address", report.Device{Facts: facts("http.open")}, ""},
		{"plain", report.Device{Device: discovery.Device{IDs: []discovery.Identifier{ip("192.0.2.9")}}, Facts: facts("http.open")}, "http://192.0.2.9/"},
		{"by HTTPS too", report.Device{Device: discovery.Device{IDs: []discovery.Identifier{ip("192.0.2.9")}}, Facts: facts("http.open", "http.tls")}, "https://192.0.2.9/"},
		{"IPv6", report.Device{Device: discovery.Device{IDs: []discovery.Identifier{ip("2001:db8::9")}}, Facts: facts("http.open")}, "http://[2001:db8::9]/"},
		{"announced at another port", report.Device{Device: discovery.Device{IDs: []discovery.Identifier{ip("192.0.2.9")},
			Services: []discovery.Service{{Proto: "tcp", Port: 8080, Name: "_http._tcp"}}}}, "http://192.0.2.9:8080/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ownPage(tt.d); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
