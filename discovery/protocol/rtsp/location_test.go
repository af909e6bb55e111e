package rtsp

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

// Where the camera itself reported its video, its answer decides for the port.
func TestLocationDecides(t *testing.T) {
	notFound := rtspAnswer{status: 404, line: "RTSP/1.0 404 Not Found"}
	for _, tt := range []struct {
		name string
		port uint16
		at   rtspAnswer
		want any // of rtsp.picture_open; nil for unknown
	}{
		{"a password", 554, rtspAnswer{status: 401}, false},
		{"another port", 10554, rtspAnswer{status: 401}, nil},
		{"open", 554, rtspAnswer{status: 200, video: true}, true},
		{"not there either", 554, notFound, nil},
		{"sound only", 554, rtspAnswer{status: 200}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v videos
			v.add(554, "/", notFound, nil)
			v.addLocation(tt.port, "/live", tt.at, nil)
			e := fact.New("rtsp", probertest.Today)
			v.setFacts(e)
			if n, _ := e.Entry(fact.RTSPPictureOpen.Name()); n.Value != tt.want {
				t.Errorf("picture open: %v, want %v", n.Value, tt.want)
			}
		})
	}
}
