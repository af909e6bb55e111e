package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/agent/report"
)

func TestDecide(t *testing.T) {
	camera, plug := "mac_ecfabc001122", "mac_240ac4004f2a"
	for _, tt := range []struct {
		name   string
		form   url.Values
		status int
		want   []report.Command
		to     string // where it leads, or what the answer says
	}{
		{"trust one", url.Values{"action": {"trust"}, "device": {"mac_ecfabc001122"}, "back": {"device/mac_ecfabc001122"}}, 303,
			[]report.Command{{Action: "trust", Device: "mac_ecfabc001122"}}, "./device/mac_ecfabc001122?done=trust"},
		{"trust several, one of them twice", url.Values{"action": {"trust"}, "device": {camera, plug, camera}, "back": {"devices?q=a"}}, 303,
			[]report.Command{{Action: "trust", Device: "mac_240ac4004f2a"}, {Action: "trust", Device: "mac_ecfabc001122"}}, "./devices?done=trust&q=a"},
		{"accept", url.Values{"action": {"accept"}, "device": {camera}, "policy": {"telnet-open"}, "reason": {" in a <guest> network "}, "until": {"2027-01-31"}}, 303,
			[]report.Command{{Action: "accept", Device: "mac_ecfabc001122", Policy: "telnet-open", Reason: "in a <guest> network", Until: time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)}}, "./?done=accept"},
		{"accept without an end", url.Values{"action": {"accept"}, "device": {camera}, "policy": {"telnet-open"}}, 303,
			[]report.Command{{Action: "accept", Device: "mac_ecfabc001122", Policy: "telnet-open"}}, "./?done=accept"},
		{"take back", url.Values{"action": {"unaccept"}, "device": {camera}, "policy": {"telnet-open"}}, 303,
			[]report.Command{{Action: "unaccept", Device: "mac_ecfabc001122", Policy: "telnet-open"}}, "./?done=unaccept"},
		{"check now", url.Values{"action": {"recheck"}, "device": {"hub"}}, 303, []report.Command{{Action: "recheck", Device: "hub"}}, "./?done=recheck"},
		{"back to another site", url.Values{"action": {"recheck"}, "device": {"hub"}, "back": {"//evil.example/"}}, 303, []report.Command{{Action: "recheck", Device: "hub"}}, "./?done=recheck"},

		{"pause", url.Values{"action": {"pause"}, "device": {"hub"}, "hours": {"4"}}, 303,
			[]report.Command{{Action: "pause", Device: "hub", Until: noon.Add(time.Minute + 4*time.Hour)}}, "./?done=pause"},
		{"resume", url.Values{"action": {"pause"}, "device": {"hub"}, "value": {"off"}}, 303,
			[]report.Command{{Action: "pause", Device: "hub", Value: "off"}}, "./?done=pause.off"},
		{"pause for ever", url.Values{"action": {"pause"}, "device": {"hub"}, "hours": {"1000"}}, 400, nil, "not a number of hours"},
		{"pause of one device", url.Values{"action": {"pause"}, "device": {camera}, "hours": {"4"}}, 400, nil, "whole home"},

		{"no action", url.Values{"device": {camera}}, 400, nil, "names no action"},
		{"no such action", url.Values{"action": {"reboot"}, "device": {camera}}, 400, nil, "Unknown action"},
		{"no device", url.Values{"action": {"trust"}}, 400, nil, "No device is chosen"},
		{"no device's id", url.Values{"action": {"trust"}, "device": {"<b>"}}, 400, nil, "no device&#39;s id"},
		{"no date", url.Values{"action": {"accept"}, "device": {camera}, "policy": {"telnet-open"}, "until": {"soon"}}, 400, nil, "not a date"},
		{"a date that has passed", url.Values{"action": {"accept"}, "device": {camera}, "policy": {"telnet-open"}, "until": {"2026-01-01"}}, 400, nil, "has passed"},
		{"too long a reason", url.Values{"action": {"accept"}, "device": {camera}, "policy": {"telnet-open"}, "reason": {strings.Repeat("x", 501)}}, 400, nil, "longer than 500"},
		{"unknown device", url.Values{"action": {"trust"}, "device": {"mac_ffffffffffff"}}, 409, nil, "There is no device"},
		{"the second is unknown", url.Values{"action": {"trust"}, "device": {camera, "mac_ffffffffffff"}}, 409,
			[]report.Command{{Action: "trust", Device: "mac_ecfabc001122"}}, "Done for 1 device. Then: There is no device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, snapshot())
			cookie, token := f.logIn(t)
			tt.form.Set("token", token)
			resp := f.request("POST", "/do", cookie, formOf(tt.form))
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, tt.status, body(t, resp))
			}
			if diff := cmp.Diff(tt.want, f.commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			if tt.status == 303 {
				if got := resp.Header.Get("Location"); got != tt.to {
					t.Errorf("leads to %q, want %q", got, tt.to)
				}
			} else if text := body(t, resp); !strings.Contains(text, tt.to) {
				t.Errorf("says %q, want %q", text, tt.to)
			}
		})
	}
}

// TestForgedForms: a change needs the owner and a token of the owner's own forms.
func TestForgedForms(t *testing.T) {
	f := newFixture(t, snapshot())
	cookie, token := f.logIn(t)
	reader := tokenOf(t, body(t, f.request("GET", "/login")))
	other, _ := f.logIn(t)
	ingress := tokenOf(t, body(t, f.requestIngress("GET", "/todo")))
	f.commands = nil
	trust := func(token string) edit {
		return formOf(url.Values{"action": {"trust"}, "device": {"mac_ecfabc001122"}, "token": {token}})
	}
	for _, tt := range []struct {
		name   string
		change []edit
		want   int
	}{
		{"without a log-in", []edit{trust(reader)}, 401},
		{"without a token", []edit{cookie, trust("")}, 403},
		{"with nonsense for a token", []edit{cookie, trust("AAAA")}, 403},
		{"with the token of a page without log-in", []edit{cookie, trust(reader)}, 403},
		{"with the token of another log-in", []edit{other, trust(token)}, 403},
		{"with the token of ingress", []edit{cookie, trust(ingress)}, 403},
		{"from another site", []edit{cookie, trust(token), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }}, 403},
		{"by another name", []edit{cookie, trust(token), from("127.0.0.1:9", "evil.example")}, 421},
		{"as it should be", []edit{cookie, trust(token)}, 303},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.commands = nil
			if resp := f.request("POST", "/do", tt.change...); resp.StatusCode != tt.want || (len(f.commands) > 0) != (tt.want == 303) {
				t.Errorf("status %d, want %d; commands %v", resp.StatusCode, tt.want, f.commands)
			}
		})
	}
	if resp := f.requestIngress("POST", "/do", trust(ingress)); resp.StatusCode != 303 {
		t.Errorf("in Home Assistant: status %d", resp.StatusCode)
	}
	if a, b := f.page.sessions.token(visitor{}), f.page.sessions.token(visitor{}); a == b {
		t.Error("two tokens are alike: compression can give them away")
	}
}
