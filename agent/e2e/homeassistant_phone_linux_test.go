package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// phone is a telephone with Home Assistant's app on it: the app is registered as
// the real one is, and the service that pushes messages to it is ours.
type phone struct {
	ha     *homeAssistant
	Device string // Home Assistant's id of it

	mu  sync.Mutex
	got []notification // that no test has waited for yet
}

// notification is a message on the phone's screen.
type notification struct {
	Title, Message string
	Data           struct {
		Tag     string
		URL     string
		Actions []struct{ Action, Title string }
	}
}

// newPhone gives the owner a phone.
func newPhone(t *testing.T, ha *homeAssistant, name string) *phone {
	t.Helper()
	p := &phone{ha: ha}
	push := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n notification
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Errorf("a message to the phone: %v", err)
		}
		p.mu.Lock()
		p.got = append(p.got, n)
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(push.Close)
	ha.post("/api/mobile_app/registrations", map[string]any{
		"device_id": "phone", "app_id": "io.homeassistant.companion.android", "app_name": "Home Assistant", "app_version": "2026.11.1",
		"device_name": name, "manufacturer": "Test", "model": "Phone", "os_name": "Android", "os_version": "17", "supports_encryption": false,
		"app_data": map[string]any{"push_token": "token", "push_url": push.URL},
	})
	s := ha.connect(t)
	lab.WaitFor(t, 20*time.Second, "the phone", func() bool {
		var rows []struct {
			ID          string     `json:"id"`
			Identifiers [][]string `json:"identifiers"`
		}
		s.call("config/device_registry/list", nil).into(&rows)
		for _, r := range rows {
			if slices.ContainsFunc(r.Identifiers, func(id []string) bool { return id[0] == "mobile_app" }) {
				p.Device = r.ID
			}
		}
		var services map[string]map[string]any
		s.call("get_services", nil).into(&services)
		return p.Device != "" && len(services["notify"]) > 3 // there are three without a phone
	})
	return p
}

// wait waits for a message and takes it.
func (p *phone) wait(t *testing.T, what string, ok func(notification) bool) notification {
	t.Helper()
	var out notification
	poll(30*time.Second, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.got, ok)
		if i >= 0 {
			out = p.got[i]
			p.got = slices.Delete(p.got, i, i+1)
		}
		return i >= 0
	})
	if out.Message == "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.Fatalf("no message to the phone: %s; others are %+v\n%s", what, p.got, p.ha.proc.Output())
	}
	return out
}

// waitCleared waits until a message is taken away again.
func (p *phone) waitCleared(t *testing.T, tag string) {
	t.Helper()
	p.wait(t, tag+" taken away", func(n notification) bool { return n.Message == "clear_notification" && n.Data.Tag == tag })
}

// none fails the test if there is a message of this title.
func (p *phone) none(t *testing.T, title string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.got {
		if strings.Contains(n.Title, title) {
			t.Errorf("one message too many: %+v", n)
		}
	}
}

// press taps a button of a message, as the app says so.
func (p *phone) press(t *testing.T, n notification, title string) {
	t.Helper()
	for _, a := range n.Data.Actions {
		if a.Title == title {
			p.ha.post("/api/events/mobile_app_notification_action", map[string]any{"action": a.Action, "message": n.Message})
			return
		}
	}
	t.Fatalf("no button %q in %+v", title, n)
}
