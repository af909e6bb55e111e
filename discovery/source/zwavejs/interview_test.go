package zwavejs

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// A node has class -1 until the driver has found out its real one.
func TestSecurityBeforeTheInterview(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"interviewed", `{"nodeId":2,"status":4,"highestSecurityClass":-1,"interviewStage":"Complete"}`, "none"},
		{"zwave-js#6098 interviewed, and no class", `{"nodeId":2,"status":4,"isSecure":false,"interviewStage":"Complete","commandClasses":[{"id":37}]}`, ""},
		{"zwave-js-server-python#383 neither known", `{"nodeId":2,"status":4,"isSecure":"unknown","highestSecurityClass":"unknown","interviewStage":"Complete"}`, ""},
		{"interviewed and dead", `{"nodeId":2,"status":3,"highestSecurityClass":-1,"interviewStage":"Complete"}`, "none"},
		{"dead before", `{"nodeId":2,"status":3,"highestSecurityClass":-1,"interviewStage":"ProtocolInfo"}`, ""},
		{"alive, not yet", `{"nodeId":2,"status":4,"highestSecurityClass":-1,"interviewStage":"None","commandClasses":[{"id":37}]}`, ""},
		{"as a number", `{"nodeId":2,"status":4,"highestSecurityClass":-1,"interviewStage":2}`, ""},
		{"an older server, dead and bare", `{"nodeId":2,"status":3,"highestSecurityClass":-1}`, ""},
		{"an older server, dead and known", `{"nodeId":2,"status":3,"highestSecurityClass":-1,"commandClasses":[{"id":37}]}`, "none"},
		{"a class is a class", `{"nodeId":2,"status":3,"highestSecurityClass":2,"interviewStage":"None"}`, "s2-access-control"},
	} {
		var s nodeState
		if err := json.Unmarshal([]byte(tt.in), &s); err != nil {
			t.Fatal(err)
		}
		x, _ := s.node()
		ev := fact.New(Name, time.Time{})
		securityFacts(ev, x)
		if got, _ := fact.ZWaveSecurity.Get(ev); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
