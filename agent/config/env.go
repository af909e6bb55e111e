package config

import (
	"fmt"
	"slices"
	"strings"
)

const envPrefix = "THINGWARDEN_"

// environment reads the variables that set single values. An empty variable is
// one that is not set; an unknown one gives a warning, since it may belong to
// another version.
func (s *strict) environment(environ []string) (set map[string]any, warnings []string) {
	set = map[string]any{}
	all := leaves()
	var names []string
	for _, l := range all {
		if l.env != "" {
			names = append(names, l.env)
		}
	}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		i := slices.IndexFunc(all, func(l leaf) bool { return l.env == name })
		if i < 0 {
			warnings = append(warnings, unknownVariable(name, names, all))
			continue
		}
		if text == "" {
			continue
		}
		v, err := scalarOf(all[i].typ).parse(text)
		if err != nil {
			s.problems = append(s.problems, Problem{File: "environment", Key: name, Text: err.Error()})
			continue
		}
		set[all[i].key] = v
	}
	return set, warnings
}

func unknownVariable(name string, names []string, all []leaf) string {
	for _, l := range all {
		if l.env == "" && name == envName(l.key) {
			return fmt.Sprintf("environment: %s: %s is a list; set it in the configuration file", name, l.key)
		}
	}
	if c := closest(name, names); c != "" {
		return fmt.Sprintf("environment: %s: unknown name; did you mean %s?", name, c)
	}
	return fmt.Sprintf("environment: %s: unknown name; it is not used", name)
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}
