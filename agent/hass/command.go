package hass

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// Bounds of a command, in bytes but for the texts, which are in runes.
const (
	maxCommand = 4096
	maxRequest = 64
	maxWaiting = 64
)

// answerFor is how long a command that is being carried out when the agent ends
// has for its answer.
const answerFor = 2 * time.Second

// parseCommand reads a command in JSON: {"request", "action", "device",
// "policy", "reason", "until"}. Until is a time (RFC 3339) or a date, which
// lasts until its end. An unknown key is an error: a misspelt "until" must not
// accept something for good. The request, chosen by
// whoever asks and given back in the answer, is returned with an error too.
func parseCommand(payload []byte, now time.Time) (request string, c report.Command, err error) {
	var in struct {
		report.Command
		Request string `json:"request"`
		Until   string `json:"until"`
	}
	if len(payload) > maxCommand {
		return "", c, fmt.Errorf("the command is longer than %d bytes", maxCommand)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	err = d.Decode(&in)
	request, c = fact.Clean(in.Request, maxRequest), in.Command
	if err != nil {
		return request, c, fmt.Errorf("the command is not understood: %s", fact.Clean(err.Error(), 200))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return request, c, errors.New("the command is not understood: there is more after its end")
	}
	if c.Until, err = parseUntil(in.Until); err != nil {
		return request, c, err
	}
	err = c.Validate(now)
	c.Reason = fact.Clean(c.Reason, report.MaxReason)
	return request, c, err
}

func parseUntil(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return time.Time{}, fmt.Errorf("until %q is no date such as 2027-01-31", fact.Clean(s, 40))
	}
	return t.AddDate(0, 0, 1).UTC(), nil
}

// parseControl reads what an entity of Home Assistant sends: the trusted
// switch, or a check button.
func (n names) parseControl(topic string, payload []byte) (report.Command, error) {
	rest := strings.TrimPrefix(topic, n.root()+"/")
	id, what, _ := strings.Cut(rest, "/")
	c := report.Command{Device: discovery.ID(id)}
	text := fact.Clean(string(payload[:min(len(payload), 40)]), 20)
	switch {
	case !idForm.MatchString(id):
		return c, fmt.Errorf("%q is no device's id", fact.Clean(id, 40))
	case what == "check/set" && text == "PRESS":
		c.Action = report.Recheck
	case what == "trusted/set" && text == on:
		c.Action = report.Trust
	case what == "trusted/set" && text == off:
		c.Action = report.Untrust
	default:
		return c, fmt.Errorf("%q is nothing that can be sent to %q", text, what)
	}
	return c, nil
}

// seldom logs at most once a minute, with how many there were since: whoever may
// write to our topics must not fill the log. It is safe for concurrent use.
type seldom struct {
	last atomic.Int64 // when it was logged, in nanoseconds since 1970
	left atomic.Int64 // how many were not
}

func (s *seldom) warn(o Options, text string, args ...any) {
	now, last := o.Now().UnixNano(), s.last.Load()
	if last != 0 && now >= last && now-last < int64(time.Minute) || !s.last.CompareAndSwap(last, now) {
		s.left.Add(1)
		return
	}
	if n := s.left.Swap(0); n > 0 {
		args = append(args, "others_since", n)
	}
	o.Log.Warn(text, args...)
}

type answer struct {
	Request string `json:"request"`
	OK      bool   `json:"ok"`
	Error   string `json:"error,omitempty"`
}

type job struct {
	request string
	command report.Command
	err     error
}

// listen subscribes to commands and returns what ends that.
func (p *Publisher) listen() (cancel func()) {
	take := func(parse func(discovery.Message) job) func(discovery.Message) {
		return func(m discovery.Message) {
			if m.Retained || len(m.Payload) == 0 {
				return // a retained command would be carried out at every start
			}
			select {
			case p.jobs <- parse(m):
			default:
				p.refused.warn(p.o, "a command was dropped: too many wait", "topic", m.Topic)
			}
		}
	}
	control := take(func(m discovery.Message) (j job) {
		j.command, j.err = p.n.parseControl(m.Topic, m.Payload)
		return j
	})
	command := take(func(m discovery.Message) (j job) {
		j.request, j.command, j.err = parseCommand(m.Payload, p.o.Now())
		return j
	})
	cancels := []func(){
		p.session.Subscribe(p.n.command("+", "trusted"), 1, control),
		p.session.Subscribe(p.n.command("+", "check"), 1, control),
		p.session.Subscribe(p.n.root()+"/command", 1, command),
	}
	return func() {
		for _, c := range cancels {
			c()
		}
	}
}

// work carries out commands one after the other until ctx is done.
func (p *Publisher) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.jobs:
			p.carryOut(ctx, j)
		}
	}
}

func (p *Publisher) carryOut(ctx context.Context, j job) {
	// A decision that is saved while the agent ends must not be called refused.
	ctx, cancel := outlive(ctx, answerFor)
	defer cancel()
	err := j.err
	if err == nil {
		err = p.o.Command(ctx, j.command)
	}
	a := answer{Request: j.request, OK: err == nil}
	if err != nil {
		a.Error = fact.Clean(err.Error(), 500)
		p.refused.warn(p.o, "a command was refused", "error", a.Error, "action", string(j.command.Action), "device", string(j.command.Device))
	}
	if err := p.session.Publish(ctx, discovery.Message{Topic: p.n.result(), Payload: encode(a)}); err != nil && ctx.Err() == nil {
		p.o.Log.Warn("the answer to a command was not sent", "error", err)
	}
}

// outlive returns a context that ends some time after ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return out, func() { stop(); cancel() }
}
