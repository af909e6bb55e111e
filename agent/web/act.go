package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// done is what is said after a command; empty for none.
func done(action, value string) string {
	off := value == report.Off
	switch a := report.Action(action); {
	case a == report.Trust:
		return "Trusted."
	case a == report.Untrust:
		return "No longer trusted."
	case a == report.Accept:
		return "Accepted. It stays listed, and costs no points."
	case a == report.Unaccept:
		return "No longer accepted."
	case a == report.Recheck:
		return "Checking now. New results show here as they come."
	case a == report.Name || a == report.Class || a == report.Room:
		return "Saved."
	case a == report.ListenOnly && off:
		return "It will be asked again from the next check on."
	case a == report.ListenOnly:
		return "From now on it is only listened to."
	case a == report.Mute && off:
		return "No longer muted."
	case a == report.Mute:
		return "Muted: still checked and listed here, with no news of it and no entities."
	case a == report.Merge:
		return "One device from now on."
	case a == report.Split:
		return "Devices of their own again."
	case a == report.Forget:
		return "Forgotten until it is seen again."
	case a == report.Pause && off:
		return "Events are no longer paused."
	case a == report.Pause:
		return "Events are paused. A summary follows at the end."
	case a == report.Unhide:
		return "It shows in Home Assistant again."
	default:
		return ""
	}
}

// decide carries out what the owner chose in a form, for one or more devices.
func (p *Page) decide(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, v, http.StatusBadRequest, "The form could not be read.")
		return
	}
	if !v.changes {
		p.passwordForm(w, r, v, http.StatusUnauthorized, "Log in to change something.")
		return
	}
	if !p.sessions.valid(v, r.PostForm.Get("token")) {
		p.fail(w, r, v, http.StatusForbidden, "The page was too old. Go back, reload it and try again.")
		return
	}
	commands, err := commandsOf(r.PostForm, p.now())
	if err != nil {
		p.fail(w, r, v, http.StatusBadRequest, sentence(err))
		return
	}
	for n, c := range commands {
		if err := p.opt.Do(r.Context(), c); err != nil {
			text := sentence(err)
			if n > 0 {
				text = fmt.Sprintf("Done for %s. Then: %s", count(n, "device"), text)
			}
			p.fail(w, r, v, http.StatusConflict, text)
			return
		}
	}
	back, query, _ := strings.Cut(backTo(r), "?")
	values, _ := url.ParseQuery(query) // fits place
	what := string(commands[0].Action)
	if commands[0].Value == report.Off {
		what += "." + report.Off
	}
	values.Set("done", what)
	if commands[0].Action == report.Forget {
		back = "devices" // its own page is gone
	}
	seeOther(w, back+"?"+values.Encode())
}

// commandsOf reads the commands of a form: one a device.
func commandsOf(form url.Values, now time.Time) ([]report.Command, error) {
	c := report.Command{Action: report.Action(form.Get("action")), Policy: form.Get("policy"), Reason: strings.TrimSpace(form.Get("reason")), Value: strings.TrimSpace(form.Get("value"))}
	if date := form.Get("until"); date != "" {
		day, err := time.ParseInLocation(time.DateOnly, date, time.Local)
		if err != nil {
			return nil, fmt.Errorf("%q is not a date such as 2027-01-31", date)
		}
		c.Until = day.AddDate(0, 0, 1).Add(-time.Second) // the day itself is part of it
	}
	if hours := form.Get("hours"); hours != "" {
		n, err := strconv.ParseUint(hours, 10, 8)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%q is not a number of hours", hours)
		}
		c.Until = now.Add(time.Duration(n) * time.Hour)
	}
	devices := slices.Compact(slices.Sorted(slices.Values(form["device"])))
	if len(devices) == 0 {
		return nil, errors.New("no device is chosen")
	}
	var out []report.Command
	for _, id := range devices {
		c.Device = discovery.ID(id)
		if err := c.Validate(now); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// sentence writes an error as one.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(string(first)) + strings.TrimSuffix(text[size:], ".") + "."
}
