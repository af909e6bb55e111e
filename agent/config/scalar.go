package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery/prober"
)

// scalar is a kind of single value: what it is called, which YAML it may stand
// as, and how its text is read.
type scalar struct {
	want   string
	tags   []string
	parse  func(string) (any, error)
	format func(any) any // as it would be written in YAML
}

func asIs(v any) any { return v }

var plainInt = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17})$`)

var scalars = map[reflect.Type]*scalar{
	reflect.TypeFor[string](): {"a text", []string{"!!str"}, func(s string) (any, error) { return s, nil }, asIs},
	reflect.TypeFor[bool]():   {"true or false", []string{"!!bool"}, parseBool, asIs},
	reflect.TypeFor[int]():    {"a whole number", []string{"!!int"}, parseInt, asIs},
	reflect.TypeFor[time.Duration](): {`a duration such as "24h" or "90s"`, []string{"!!str", "!!int"}, parseDuration,
		func(v any) any { return formatDuration(v.(time.Duration)) }},
	reflect.TypeFor[prober.Touch](): {"listen, connect or read", []string{"!!str"}, parseTouch,
		func(v any) any { return v.(prober.Touch).String() }},
	reflect.TypeFor[slog.Level](): {"debug, info, warn or error", []string{"!!str"}, parseLevel,
		func(v any) any { return strings.ToLower(v.(slog.Level).String()) }},
	reflect.TypeFor[netip.Prefix](): {`a network such as "192.168.1.0/24"`, []string{"!!str"}, parsePrefix,
		func(v any) any { return v.(netip.Prefix).String() }},
}

func scalarOf(t reflect.Type) *scalar { return scalars[t] }

func (sc *scalar) accepts(n *yaml.Node) bool {
	for _, t := range sc.tags {
		if t == n.ShortTag() {
			return true
		}
	}
	return false
}

// hint says how to write what was probably meant.
func (sc *scalar) hint(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	if _, err := sc.parse(n.Value); err != nil {
		return ""
	}
	if n.ShortTag() == "!!str" {
		return "; write it without quotes"
	}
	return "; put it in quotes"
}

func parseBool(s string) (any, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("want true or false, have %q", cut(s))
}

func parseInt(s string) (any, error) {
	if !plainInt.MatchString(s) {
		return nil, fmt.Errorf("want a whole number, have %q", cut(s))
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, fmt.Errorf("want a whole number, have %q", cut(s))
	}
	return n, nil
}

var durationPart = regexp.MustCompile(`^([0-9]{1,6})d(.*)$`)

// ParseDuration reads a length of time as the configuration and the command
// line write it: as in Go ("1h30m"), with d for days of 24 hours in front
// ("30d", "1d12h"). A unit is needed; 0 alone is fine; it can't be negative.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if plainInt.MatchString(s) {
		return 0, fmt.Errorf("the duration %q needs a unit, such as %ss, %sm or %sh", cut(s), s, s, s)
	}
	rest, days := s, time.Duration(0)
	if m := durationPart.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		days, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if n := days / (24 * time.Hour); n > 36500 {
		return 0, fmt.Errorf("the duration %q is longer than 100 years", cut(s))
	}
	if rest == "" && days > 0 {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest != strings.TrimLeft(rest, "+-") {
		return 0, fmt.Errorf("want a duration such as \"24h\" or \"90s\", have %q", cut(s))
	}
	if d > 36500*24*time.Hour {
		return 0, fmt.Errorf("the duration %q is longer than 100 years", cut(s))
	}
	return days + d, nil
}

func parseDuration(s string) (any, error) {
	d, err := ParseDuration(s)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// formatDuration writes a duration without the zero units of Go's own form.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseTouch(s string) (any, error) {
	for t := prober.Listen; t <= prober.Read; t++ {
		if t.String() == s {
			return t, nil
		}
	}
	if s == "login" {
		return nil, errors.New("there are no log-ins yet; want listen, connect or read")
	}
	return nil, fmt.Errorf("want listen, connect or read, have %q", cut(s))
}

func parseLevel(s string) (any, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	if l, ok := levels[s]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("want debug, info, warn or error, have %q", cut(s))
}

func parsePrefix(s string) (any, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("want a network such as \"192.168.1.0/24\", have %q", cut(s))
	}
	return p, nil
}
