package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const maxSettle = 24 * time.Hour

var (
	validID   = regexp.MustCompile(idPattern)
	validName = regexp.MustCompile(namePattern)
	yamlLine  = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
)

// parser reads one policy file strictly: what it does not know is an error.
type parser struct {
	*problems
	source []string // lines of the file, to place messages
	rule   *rule
	nodes  struct {
		when, require, after, evidence, examples *yaml.Node
		cases                                    []*yaml.Node
		example                                  []*yaml.Node
	}
}

func (p *problems) add(n *yaml.Node, key, format string, args ...any) {
	p.at(max(n.Line, 1), max(n.Column, 1), key, format, args...)
}

// parse reads a policy, compiles it and runs its examples. The rule is usable
// only when there are no problems.
func parse(c *compiler, pack, file string, data []byte) (*rule, *problems) {
	p := newParser(pack, file, data)
	root := p.document(data)
	if root == nil {
		return p.rule, p.problems
	}
	p.policy(root)
	p.compile(c)
	if len(p.all) == 0 {
		p.runExamples(c)
	}
	return p.rule, p.problems
}

func newParser(pack, file string, data []byte) *parser {
	return &parser{
		problems: &problems{file: file}, source: strings.Split(string(data), "\n"),
		rule: &rule{policy: &Policy{Pack: pack, File: file}, idNode: &yaml.Node{}},
	}
}

func (p *parser) document(data []byte) *yaml.Node {
	if !utf8.Valid(data) {
		p.at(1, 1, "", "the file is not UTF-8 text")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			p.at(1, 1, "", "the file is empty")
			return nil
		}
		p.yamlError(err)
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		p.add(&more, "", "a file has one policy: put this one into its own file")
		return nil
	} else if !errors.Is(err, io.EOF) {
		p.yamlError(err)
		return nil
	}
	if n := findAlias(&doc); n != nil {
		p.add(n, "", "anchors and aliases are not supported: write the value again")
		return nil
	}
	return doc.Content[0]
}

func (p *parser) yamlError(err error) {
	msg, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	p.at(line, 1, "", "%s", strings.TrimPrefix(msg, "yaml: "))
}

func findAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, c := range n.Content {
		if a := findAlias(c); a != nil {
			return a
		}
	}
	return nil
}

// mapping calls read for each key of a mapping that props has, and reports the
// others, the doubled and the absent ones.
func (p *parser) mapping(n *yaml.Node, key string, props []property, read func(name string, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.add(n, key, "want keys and values, got %s", kindOf(n))
		return
	}
	known := names(props)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, k.Value):
			p.add(k, join(key, k.Value), "unknown key%s", didYouMean(k.Value, known))
		case seen[k.Value]:
			p.add(k, join(key, k.Value), "the key is there twice")
		default:
			seen[k.Value] = true
			read(k.Value, v)
		}
	}
	for _, x := range props {
		if x.required && !seen[x.name] {
			p.add(n, join(key, x.name), "the key is missing")
		}
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func (p *parser) policy(root *yaml.Node) {
	pol := p.rule.policy
	p.mapping(root, "", properties, func(key string, v *yaml.Node) {
		switch key {
		case "id":
			p.rule.idNode = v
			pol.ID = p.id(v)
		case "title":
			pol.Title = p.title(v)
		case "severity":
			pol.Severity = p.severity(v)
		case "confidence":
			pol.Confidence = p.confidence(v, key)
		case "rules":
			pol.Rules = p.rules(v)
		case "when":
			pol.When, p.nodes.when = p.expression(v, key), v
		case "require":
			pol.Require, p.nodes.require = p.expression(v, key), v
		case "after":
			pol.After, p.nodes.after = p.list(v, key, validName), v
		case "settle":
			pol.Settle = p.settle(v)
		case "evidence":
			pol.Evidence, p.nodes.evidence = p.expression(v, key), v
		case "summary":
			pol.Summary = p.text(v, key, maxSummary)
		case "remedy":
			pol.Remedy = p.text(v, key, maxRemedy)
		case "refs":
			pol.Refs = p.list(v, key, nil)
		case "examples":
			p.nodes.examples = v
			pol.Examples = p.examples(v)
		}
	})
}

func (p *parser) id(n *yaml.Node) string {
	id := p.text(n, "id", maxTitle)
	if id == "" {
		return ""
	}
	if !validID.MatchString(id) {
		p.add(n, "id", "%q has other signs than a to z, 0 to 9 and hyphens between them", id)
		return ""
	}
	if file := strings.TrimSuffix(path.Base(p.file), ".yaml"); id != file {
		p.add(n, "id", "%q is not the name of the file, %q", id, file)
	}
	return id
}

func (p *parser) title(n *yaml.Node) string {
	t := p.text(n, "title", maxTitle)
	if strings.ContainsAny(t, "\n\r") || strings.HasSuffix(t, ".") {
		p.add(n, "title", "want one line without a full stop at its end")
	}
	return t
}

// text reads a text of at most max runes; white space around it is dropped.
func (p *parser) text(n *yaml.Node, key string, max int) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		p.add(n, key, "want text, got %s", kindOf(n))
		return ""
	}
	s := strings.TrimSpace(n.Value)
	switch size := utf8.RuneCountInString(s); {
	case size == 0:
		p.add(n, key, "is empty")
	case size > max:
		p.add(n, key, "has %d characters, at most %d are allowed", size, max)
	}
	return s
}

// expression reads a CEL expression as it stands, so that places in it keep
// their meaning.
func (p *parser) expression(n *yaml.Node, key string) string {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		return n.Value
	}
	p.text(n, key, maxExpr)
	return n.Value
}

func (p *parser) severity(n *yaml.Node) []Case {
	if n.Kind != yaml.SequenceNode {
		p.nodes.cases = []*yaml.Node{nil}
		return []Case{{Then: p.severityName(n, "severity")}}
	}
	var cases []Case
	for i, item := range n.Content {
		key := fmt.Sprintf("severity[%d]", i)
		last := i == len(n.Content)-1
		if item.Kind != yaml.MappingNode {
			if !last {
				p.add(item, key, "only the last one can be without `if`")
			}
			p.nodes.cases = append(p.nodes.cases, nil)
			cases = append(cases, Case{Then: p.severityName(item, key)})
			continue
		}
		if last {
			p.add(item, key, "the last one must be a plain severity, for when no `if` holds")
		}
		var c Case
		var cond *yaml.Node
		p.mapping(item, key, caseProperties, func(k string, v *yaml.Node) {
			switch at := join(key, k); k {
			case "if":
				c.If, cond = p.expression(v, at), v
			case "then":
				c.Then = p.severityName(v, at)
			case "summary":
				c.Summary = p.text(v, at, maxSummary)
			case "remedy":
				c.Remedy = p.text(v, at, maxRemedy)
			}
		})
		p.nodes.cases = append(p.nodes.cases, cond)
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		p.add(n, "severity", "the list is empty")
	}
	return cases
}

var caseProperties = []property{{name: "if", required: true}, {name: "then", required: true}, {name: "summary"}, {name: "remedy"}}

func (p *parser) severityName(n *yaml.Node, key string) Severity {
	if n.Kind != yaml.ScalarNode {
		p.add(n, key, "want a severity, got %s", kindOf(n))
		return 0
	}
	s, err := ParseSeverity(n.Value)
	if err != nil {
		p.add(n, key, "%s", err)
	}
	return s
}

func (p *parser) confidence(n *yaml.Node, key string) Confidence {
	c := Confidence(n.Value)
	if n.Kind != yaml.ScalarNode || (c != Sure && c != Likely) {
		p.add(n, key, "want sure or likely, got %s", quoted(n))
	}
	return c
}

func (p *parser) rules(n *yaml.Node) []int {
	if n.Kind != yaml.SequenceNode {
		p.add(n, "rules", "want a list of numbers, [] for none, got %s", kindOf(n))
		return nil
	}
	var rules []int
	for i, item := range n.Content {
		r, err := strconv.Atoi(item.Value)
		if err != nil || item.Tag != "!!int" || r < 1 || r > 9 || slices.Contains(rules, r) {
			p.add(item, fmt.Sprintf("rules[%d]", i), "want numbers from 1 to 9, each once, got %s", quoted(item))
			continue
		}
		rules = append(rules, r)
	}
	slices.Sort(rules)
	return rules
}

// list reads a list of one or more texts, each of the given form.
func (p *parser) list(n *yaml.Node, key string, form *regexp.Regexp) []string {
	if n.Kind != yaml.SequenceNode {
		p.add(n, key, "want a list of texts, got %s", kindOf(n))
		return nil
	}
	if len(n.Content) == 0 {
		p.add(n, key, "the list is empty")
	}
	var out []string
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", key, i)
		s := p.text(item, at, 200)
		if s != "" && form != nil && !form.MatchString(s) {
			p.add(item, at, "%q is no word", s)
		}
		out = append(out, s)
	}
	return out
}

func (p *parser) settle(n *yaml.Node) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		p.add(n, "settle", "want a time with its unit, such as 15m, got %s", quoted(n))
		return 0
	}
	if d < 0 || d > maxSettle {
		p.add(n, "settle", "want 0 to %s, got %s", "24h", n.Value)
	}
	return d
}

// kindOf names what stands at a node.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!bool":
		return fmt.Sprintf("%s (a yes or no)", n.Value)
	case n.Tag == "!!int", n.Tag == "!!float":
		return fmt.Sprintf("the number %s", n.Value)
	case n.Tag == "!!timestamp":
		return fmt.Sprintf("the time %s", n.Value)
	default:
		return quoted(n)
	}
}

func quoted(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return kindOf(n)
	}
	v := n.Value
	if len(v) > 60 {
		v = strings.ToValidUTF8(v[:60], "") + "…"
	}
	return strconv.Quote(v)
}
