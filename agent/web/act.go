package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
)

// done is what is said after an action; empty for none.
func done(action string) string {
	switch report.Action(action) {
	case report.Trust:
		return "Trusted."
	case report.Untrust:
		return "No longer trusted."
	case report.Accept:
		return "Accepted. It stays listed, and costs no points."
	case report.Unaccept:
		return "No longer accepted."
	case report.Recheck:
		return "Checking now. New results show here as they come."
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
		p.askPassword(w, r, v, http.StatusUnauthorized, "Log in to change something.")
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
	values, _ := url.ParseQuery(query)
	values.Set("done", string(commands[0].Action))
	seeOther(w, back+"?"+values.Encode())
}

// commandsOf reads the commands of a form: one a device.
func commandsOf(form url.Values, now time.Time) ([]report.Command, error) {
	c := report.Command{Action: report.Action(form.Get("action")), Policy: form.Get("policy"), Reason: strings.TrimSpace(form.Get("reason"))}
	if date := form.Get("until"); date != "" {
		day, err := time.ParseInLocation(time.DateOnly, date, time.Local)
		if err != nil {
			return nil, fmt.Errorf("%q is not a date such as 2027-01-31", date)
		}
		c.Until = day.AddDate(0, 0, 1) // the day itself is part of it
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
