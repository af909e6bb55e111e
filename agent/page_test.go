package agent

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/policy"
)

// TestPage: the agent serves the page where it is configured, makes its password,
// and carries a finding itself while the page is open to the network without
// encryption.
func TestPage(t *testing.T) {
	for _, tt := range []struct {
		name, host string
		want       policy.Status // of the finding; empty for none
	}{
		{"this machine only", "127.0.0.1", ""},
		{"the whole network", "0.0.0.0", policy.Open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t)
			cfg := config.Default()
			cfg.StateDir, cfg.Web.Listen, cfg.MQTT.Listen = t.TempDir(), tt.host+":"+port, "127.0.0.1:"+freePort(t)
			a := start(t, Options{Config: cfg, Sources: []discovery.SourceKind{}})
			soon(t, "the page is served", func() bool {
				resp, err := http.Get("http://127.0.0.1:" + port + "/")
				if err != nil {
					return false
				}
				return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
			})
			info, err := os.Stat(filepath.Join(cfg.StateDir, "web-password"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("password file: %v, %v", info, err)
			}
			soon(t, "the hub is judged by its page", func() bool {
				status, judged := pageFinding(a.Snapshot())
				return judged && status == tt.want
			})
		})
	}
}

// pageFinding returns the status of the finding about the page, and whether the hub
// has been judged by it.
func pageFinding(s *report.Snapshot) (status policy.Status, judged bool) {
	hub := s.Device(discovery.Hub)
	for _, v := range hub.Verdicts {
		judged = judged || v.Policy.ID == "hub-page-clear" && v.Result != policy.Unknown
	}
	for _, f := range hub.Findings {
		if f.Policy.ID == "hub-page-clear" {
			status = f.Status
		}
	}
	return status, judged
}
