package http

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// showsSettings says whether a page shows settings to anyone. A page that only
// tells a state looks like one whose controls come by script, so nothing is said
// of it; nor of that of a product whose own probe knows better.
func (p frontPage) showsSettings(t *prober.Target) answer.Tristate {
	f := p.form
	switch {
	case p.status == 401, p.status == 403:
		return answer.No
	case t.HasOwnProbe([]string{p.title, p.server, p.realm}, p.form.Scripts), p.status != 200:
		return answer.Unclear
	case f.Password && f.Control == "":
		return answer.No
	case f.Password, f.Login: // the password may be a setting; a log-in may be part of a page
		return answer.Unclear
	case f.Settings() != "":
		return answer.Yes
	default:
		return answer.Unclear
	}
}

// leadsToLogin says whether a page sends the browser on to a log-in.
func leadsToLogin(onward string) answer.Tristate {
	u, err := url.Parse(strings.TrimSpace(onward))
	if err == nil && loginPath.MatchString(u.Path) {
		return answer.No
	}
	return answer.Unclear
}

var loginPath = regexp.MustCompile(`(?i)(^|[/_.-])(log-?in|log-?on|sign-?in|auth)`)
