package homeassistant

import (
	"fmt"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// reportHealth reports what Home Assistant does not provide, and why.
func (x *connection) reportHealth(now time.Time) {
	reasons := map[string][]string{}
	var order []string
	for _, c := range opening {
		code := x.refused[c]
		if code == "" || code == codeUnknown && now.Sub(x.began) < starting {
			continue
		}
		why := reasonOf(code)
		if reasons[why] == nil {
			order = append(order, why)
		}
		reasons[why] = append(reasons[why], lacks[c])
	}
	var parts []string
	for _, why := range order {
		parts = append(parts, fmt.Sprintf("Home Assistant does not provide %s: %s.", strings.Join(reasons[why], ", "), why))
	}
	if x.reporter.home.full {
		parts = append(parts, "Home Assistant has more devices than Thingwarden keeps; the others are ignored.")
	}
	if len(parts) == 0 {
		if len(x.sent) == 0 || now.Sub(x.began) >= starting {
			x.health.Set(discovery.OK, "")
		}
		return
	}
	parts = append(parts, "Devices that only appear there are not seen; everything else it reports is used.")
	x.health.Set(discovery.Degraded, strings.Join(parts, " "))
}

// The codes of errors that Home Assistant gives (components/websocket_api/const.py),
// and one of our own.
const (
	codeUnauthorized = "unauthorized"
	codeUnknown      = "unknown_command"
	codeUnreadable   = "unreadable"
)

func cleanCode(f frame) string {
	if code := fact.Clean(string(f.Error.Value.Code), 40); code != "" {
		return code
	}
	return "no reason given"
}

func reasonOf(code string) string {
	switch code {
	case codeUnauthorized:
		return "the token belongs to a user who is not an administrator"
	case codeUnknown:
		return "that integration is not enabled, or this Home Assistant is too old"
	case codeUnreadable:
		return "its answer cannot be read"
	default:
		return fmt.Sprintf("the error is %q", code)
	}
}
