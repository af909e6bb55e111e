package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// strict reads YAML against a Go type. Viper alone converts wrong types
// silently and knows no lines, so this pass comes first: what it returns holds
// only known keys with values of the right types.
type strict struct {
	file string
	// json is true for the options of the app: an empty text in them means that
	// the key is not set, and their lines mean nothing to the owner, who filled
	// in a form.
	json     bool
	lines    map[string]int // of each key that is there
	problems Problems
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document reads the one document of a file into nested maps.
func (s *strict) document(b []byte, k option) map[string]any {
	s.lines = map[string]int{}
	if s.json {
		var err error
		if b, err = plainJSON(b); err != nil {
			s.problem(0, "", "not valid JSON: %v", err)
			return nil
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		var more yaml.Node
		if merr := dec.Decode(&more); merr == nil {
			s.problem(more.Line, "", "a second document begins here; put everything into one")
		} else if !errors.Is(merr, io.EOF) {
			err = merr
		}
	}
	if err != nil {
		text := err.Error()
		m := yamlLine.FindStringSubmatch(text)
		line := 0
		if m != nil {
			line, _ = strconv.Atoi(m[1])
			text = text[len(m[0]):]
		}
		s.problem(line, "", "not valid YAML: %s", text)
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	v, _ := s.value(doc.Content[0], k, "").(map[string]any)
	return v
}

// plainJSON writes JSON anew as YAML can read it: without tabs, without escapes
// that only JSON knows, and with dotted keys taken apart.
func plainJSON(b []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows after its end")
	}
	if options, ok := v.(map[string]any); ok {
		nest(options)
	}
	return json.Marshal(v)
}

// nest puts options such as "sources.zwavejs.urls" where they belong: what a form
// of Home Assistant fills in has no more than two levels. What has no place stays
// where it is, as an unknown key.
func nest(options map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		path := strings.SplitN(name, ".", maxDepth+1)
		at, last := options, path[len(path)-1]
		for _, key := range path[:len(path)-1] {
			if _, there := at[key]; !there {
				at[key] = map[string]any{}
			}
			at, _ = at[key].(map[string]any)
			if at == nil {
				break
			}
		}
		if _, there := at[last]; at != nil && !there {
			at[last] = options[name]
			delete(options, name)
		}
	}
}

func (s *strict) problem(line int, key, format string, args ...any) {
	if s.json {
		line = 0
	}
	s.problems = append(s.problems, Problem{File: s.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// value returns what the node holds as the key wants it, or nil if it is not
// set or wrong. It descends by the keys and not by the document, so a document
// can't make it descend far.
func (s *strict) value(n *yaml.Node, k option, at string) any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if at != "" {
		s.lines[at] = n.Line
	}
	switch {
	case ownTag(n):
		s.problem(n.Line, at, "%s", insteadOfTag(n.Tag, k, at))
		return nil
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return nil
	case k.typ == nil:
		return s.mapping(n, k.keys, at)
	case k.list():
		return s.list(n, element(k.typ), at)
	default:
		return s.scalar(n, scalarOf(k.typ), at, k.tag.Get("secret") != "")
	}
}

// ownTag reports whether a value carries a tag of another program, such as !secret
// or !include of Home Assistant.
func ownTag(n *yaml.Node) bool {
	return len(n.Tag) > 1 && n.Tag[0] == '!' && n.Tag[1] != '!'
}

// insteadOfTag says what to do in place of a tag.
func insteadOfTag(tag string, k option, at string) string {
	text := fmt.Sprintf("%s works only in files of Home Assistant itself; write the value here", cut(tag))
	if k.typ == nil || k.list() || strings.Contains(at, "[") {
		return text
	}
	if file := at + "_file"; slices.ContainsFunc(leaves(), func(l leaf) bool { return l.key == file }) {
		text += ", name a file that holds it in " + file
	}
	return text + ", or set the environment variable " + envName(at)
}

func (s *strict) scalar(n *yaml.Node, sc *scalar, key string, secret bool) any {
	if n.Kind == yaml.ScalarNode && s.json && n.ShortTag() == "!!str" && n.Value == "" {
		return nil
	}
	if n.Kind != yaml.ScalarNode || !sc.accepts(n) {
		s.problem(n.Line, key, "want %s, have %s%s", sc.want, describe(n, secret), sc.hint(n))
		return nil
	}
	v, err := sc.parse(n.Value)
	if err != nil {
		s.problem(n.Line, key, "%v", err)
		return nil
	}
	return v
}

func (s *strict) list(n *yaml.Node, elem option, key string) any {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = fmt.Sprintf("; write [%s]", quoteIfText(n))
		}
		s.problem(n.Line, key, "want a list, have %s%s", describe(n, false), hint)
		return nil
	}
	out := make([]any, 0, len(n.Content))
	for i, c := range n.Content {
		at := fmt.Sprintf("%s[%d]", key, i)
		before := len(s.problems)
		v := s.value(c, elem, at)
		if v == nil {
			if len(s.problems) == before {
				s.problem(c.Line, at, "the entry is empty")
			}
			// Something must stand here, so that those behind keep their numbers.
			if v = any(map[string]any{}); elem.typ != nil {
				v = reflect.Zero(elem.typ).Interface()
			}
		}
		out = append(out, v)
	}
	return out
}

func (s *strict) mapping(n *yaml.Node, keys []option, key string) any {
	if n.Kind != yaml.MappingNode {
		if key == "" {
			s.problem(n.Line, "", "want keys such as \"site: home\", have %s", describe(n, false))
		} else {
			s.problem(n.Line, key, "want keys below it, have %s", describe(n, false))
		}
		return nil
	}
	out, first := map[string]any{}, map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := join(key, k.Value)
		if k.Kind != yaml.ScalarNode {
			s.problem(k.Line, key, "a key must be a plain word")
			continue
		}
		f := slices.IndexFunc(keys, func(x option) bool { return x.name == k.Value })
		if f < 0 {
			s.problem(k.Line, at, "unknown key%s", s.suggest(k.Value, key, keys))
			continue
		}
		if line, twice := first[k.Value]; twice {
			s.problem(k.Line, at, "is there twice, first on line %d", line)
			continue
		}
		first[k.Value] = k.Line
		if got := s.value(v, keys[f], at); got != nil {
			out[k.Value] = got
		}
	}
	return out
}

// suggest guesses the key that an unknown one stands for: a sibling, or a key of that
// very name elsewhere.
func (s *strict) suggest(name, parent string, keys []option) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	if c := closest(name, names); c != "" {
		return fmt.Sprintf("; did you mean %q?", join(parent, c))
	}
	var elsewhere []string
	for _, l := range leaves() {
		if strings.HasSuffix(l.key, "."+name) {
			elsewhere = append(elsewhere, l.key)
		}
	}
	if len(elsewhere) == 1 {
		return fmt.Sprintf("; did you mean %q?", elsewhere[0])
	}
	return s.nested(name, parent)
}

// nested says how to write a key that stands with dots, as in the options of the app.
func (s *strict) nested(name, parent string) string {
	if s.json || !slices.ContainsFunc(leaves(), func(l leaf) bool { return l.key == join(parent, name) }) {
		return ""
	}
	above, last := strings.Split(name, "."), "…"
	for _, key := range slices.Backward(above) {
		last = fmt.Sprintf("{%s: %s}", key, last)
	}
	return "; each level has a key of its own: write " + last[1:len(last)-1]
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// describe names what is there, without the value of a secret.
func describe(n *yaml.Node, secret bool) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "keys below it"
	}
	name := "text"
	switch n.ShortTag() {
	case "!!int", "!!float":
		name = "number"
	case "!!bool":
		name = "value"
	case "!!timestamp":
		name = "date"
	}
	if secret {
		return "a " + name
	}
	return "the " + name + " " + quoteIfText(n)
}

func quoteIfText(n *yaml.Node) string {
	if n.ShortTag() == "!!str" {
		return strconv.Quote(cut(n.Value))
	}
	return cut(n.Value)
}

// cut keeps a value in a message short.
func cut(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
