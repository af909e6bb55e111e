package supervisor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const token = "a-token-of-the-supervisor"

// supervisorWith simulates a Supervisor with one answer.
func supervisorWith(t *testing.T, path string, status int, body string) *Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != path {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return New(s.URL, token)
}

func TestBroker(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Broker
		err    string // part of it
	}{
		{
			name: "port is a number", status: 200,
			body: `{"result":"ok","data":{"addon":"core_mosquitto","host":"core-mosquitto","port":1883,"ssl":false,"username":"addons","password":"p@:/ß","protocol":"3.1.1"}}`,
			want: Broker{"mqtt://core-mosquitto:1883", "addons", "p@:/ß"},
		},
		{
			name: "port is a text, encrypted", status: 200,
			body: `{"result":"ok","data":{"host":"192.0.2.7","port":"8883","ssl":true,"username":"u","password":"p"}}`,
			want: Broker{"mqtts://192.0.2.7:8883", "u", "p"},
		},
		{
			name: "IPv6", status: 200,
			body: `{"result":"ok","data":{"host":"fd00::7","port":1883}}`,
			want: Broker{URL: "mqtt://[fd00::7]:1883"},
		},
		{name: "no broker", status: 400, body: `{"result":"error","message":"Service not enabled"}`, err: "Mosquitto broker"},
		{name: "no broker, said with status 200", status: 200, body: `{"result":"error","message":"Service not enabled"}`, err: "Mosquitto broker"},
		{name: "wrong token", status: 401, body: "401: Unauthorized", err: "refused to tell"},
		{name: "right is missing", status: 403, body: `{"result":"error","message":"No access to mqtt service!"}`, err: "refused to tell"},
		{name: "Supervisor starts", status: 502, body: "<html>Bad gateway", err: "answered 502"},
		{name: "no such path", status: 404, body: "404: Not Found", err: "answered 404"},
		{name: "redirected", status: 307, body: "", err: "answered 307"},
		{name: "no JSON", status: 200, body: "OK", err: "can't be read"},
		{name: "no data", status: 200, body: `{"result":"ok"}`, err: "can't be read"},
		{name: "port out of range", status: 200, body: `{"result":"ok","data":{"host":"h","port":70000}}`, err: "70000"},
		{name: "no host", status: 200, body: `{"result":"ok","data":{"port":1883}}`, err: `host ""`},
		{name: "host with a path", status: 200, body: `{"result":"ok","data":{"host":"h/../x","port":1883}}`, err: "h/../x"},
		{name: "too large", status: 200, body: strings.Repeat(" ", 1<<20), err: "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := supervisorWith(t, "/services/mqtt", tt.status, tt.body).Broker(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("broker (-want +got):\n%s", diff)
			}
			if text := errorText(err); !strings.Contains(text, tt.err) || tt.err == "" && text != "" {
				t.Errorf("error %q, want one with %q", text, tt.err)
			} else if strings.Contains(text, token) {
				t.Errorf("the error %q holds the token", text)
			}
		})
	}
}

// TestBrokerLater: what was missing is there once somebody installs it.
func TestBrokerLater(t *testing.T) {
	var there atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !there.Load() {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"result":"error","message":"Service not enabled"}`))
			return
		}
		_, _ = w.Write([]byte(`{"result":"ok","data":{"host":"core-mosquitto","port":1883}}`))
	}))
	defer s.Close()
	c := New(s.URL, token)
	if _, err := c.Broker(t.Context()); !errors.Is(err, ErrNoBroker) {
		t.Fatalf("error %v, want ErrNoBroker", err)
	}
	there.Store(true)
	if b, err := c.Broker(t.Context()); err != nil || b.URL != "mqtt://core-mosquitto:1883" {
		t.Fatalf("got %v, %v", b, err)
	}
}

func TestBrokerWithoutSupervisor(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	if _, err := New(s.URL, token).Broker(t.Context()); err == nil || !strings.Contains(err.Error(), "can't be reached") {
		t.Fatalf("error %v", err)
	}
}

func TestSelf(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       Self
		err        string
	}{
		{"app network", `{"result":"ok","data":{"slug":"a0d7b954_thingwarden","host_network":false,"ip_address":"172.30.33.4","ingress_port":8099}}`,
			Self{false, netip.MustParseAddr("172.30.33.4"), 8099, "a0d7b954_thingwarden"}, ""},
		{"host network", `{"result":"ok","data":{"slug":"local_thingwarden","host_network":true,"ip_address":"172.30.32.1","ingress_port":62311}}`,
			Self{true, netip.MustParseAddr("172.30.32.1"), 62311, "local_thingwarden"}, ""},
		{"no ingress", `{"result":"ok","data":{"ip_address":"172.30.33.4","ingress_port":null}}`, Self{}, "port"},
		{"no slug", `{"result":"ok","data":{"ip_address":"172.30.33.4","ingress_port":8099}}`, Self{}, "calls it"},
		{"bad slug", `{"result":"ok","data":{"slug":"../config","ip_address":"172.30.33.4","ingress_port":8099}}`, Self{}, "calls it"},
		{"no address", `{"result":"ok","data":{"ip_address":"here","ingress_port":8099}}`, Self{}, "here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := supervisorWith(t, "/addons/self/info", 200, tt.body).Self(t.Context())
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if text := errorText(err); !strings.Contains(text, tt.err) || tt.err == "" && text != "" {
				t.Errorf("error %q, want one with %q", text, tt.err)
			}
		})
	}
}

func TestHomeAssistant(t *testing.T) {
	socket, token := New(DefaultURL+"/", "secret").HomeAssistant()
	if socket != "ws://supervisor/core/websocket" || token != "secret" {
		t.Errorf("at %q with the token %q", socket, token)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
