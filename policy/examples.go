package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// exampleNow is the time of an example that names none.
var exampleNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const maxExamples = 100

func (p *parser) examples(n *yaml.Node) []Example {
	if n.Kind != yaml.SequenceNode {
		p.add(n, "examples", "want a list, got %s", kindOf(n))
		return nil
	}
	if len(n.Content) > maxExamples {
		p.add(n, "examples", "%d examples, at most %d are allowed", len(n.Content), maxExamples)
		return nil
	}
	var out []Example
	for i, item := range n.Content {
		out = append(out, p.example(item, fmt.Sprintf("examples[%d]", i)))
	}
	p.nodes.example = n.Content
	return out
}

func (p *parser) example(n *yaml.Node, key string) Example {
	x := Example{Facts: map[string]any{}, Now: exampleNow}
	p.mapping(n, key, exampleProperties, func(k string, v *yaml.Node) {
		at := join(key, k)
		switch k {
		case "facts":
			x.Likely = p.facts(v, at, x.Facts)
		case "finished":
			x.Known = p.list(v, at, validName)
		case "now":
			x.Now = p.time(v, at)
		case "severity":
			x.Severity = p.severityName(v, at)
		case "confidence":
			x.Confidence = p.confidence(v, at)
		case "evidence":
			x.Sentence = p.text(v, at, maxEvidence)
		case "want":
			x.Want = Result(v.Value)
			if !slices.Contains([]Result{Pass, Fail, Unknown, NotApplicable}, x.Want) {
				p.add(v, at, "want pass, fail, unknown or notapplicable, got %s", quoted(v))
			}
		}
	})
	if x.Severity != 0 && x.Want != Fail {
		p.add(n, join(key, "severity"), "only a fail has a severity")
	}
	if x.Sentence != "" && x.Want != Fail {
		p.add(n, join(key, "evidence"), "only a fail has evidence")
	}
	if x.Confidence != "" && x.Want != Fail && x.Want != Pass {
		p.add(n, join(key, "confidence"), "only a pass or a fail has a confidence")
	}
	return x
}

// facts reads words and their values, and returns those that are only likely.
func (p *parser) facts(n *yaml.Node, key string, into map[string]any) (likely []string) {
	if n.Kind != yaml.MappingNode {
		p.add(n, key, "want words and their values, got %s", kindOf(n))
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := join(key, k.Value)
		w := fact.Lookup(k.Value)
		if w == nil {
			p.add(k, key, "%s", unknownWord(k.Value))
			continue
		}
		if _, ok := into[w.Name]; ok {
			p.add(k, at, "the word is there twice")
			continue
		}
		if v.Kind == yaml.MappingNode && len(v.Content) == 2 && v.Content[0].Value == "likely" {
			likely = append(likely, w.Name)
			v, at = v.Content[1], join(at, "likely")
			if v.Tag == "!!null" {
				p.add(v, at, "want a value")
			}
		}
		into[w.Name] = p.value(v, at, w)
	}
	return likely
}

// value reads a word's value; nil stands for "looked for in vain".
func (p *parser) value(n *yaml.Node, key string, w *fact.Word) any {
	if n.Tag == "!!null" {
		return nil
	}
	wrong := func() any {
		p.add(n, key, "want %s, got %s", typeNames[w.Type], kindOf(n))
		return nil
	}
	switch w.Type {
	case fact.Bool:
		if b, err := strconv.ParseBool(n.Value); err == nil && n.Tag == "!!bool" {
			return b
		}
	case fact.Int:
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && n.Tag == "!!int" {
			return i
		}
	case fact.String:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			return wrong()
		}
		if w.Values != nil && !slices.Contains(w.Values, n.Value) {
			p.add(n, key, "%s", notInList(w, n.Value))
		}
		return n.Value
	case fact.Time:
		return p.time(n, key)
	case fact.List:
		if n.Kind != yaml.SequenceNode {
			return wrong()
		}
		out := []string{}
		for i, item := range n.Content {
			out = append(out, p.text(item, fmt.Sprintf("%s[%d]", key, i), fact.MaxText))
		}
		return out
	}
	return wrong()
}

var typeNames = map[fact.Type]string{
	fact.Bool: "true or false", fact.Int: "a whole number", fact.String: "text",
	fact.Time: "a time such as 2026-01-31T12:00:00Z", fact.List: "a list of texts",
}

func (p *parser) time(n *yaml.Node, key string) time.Time {
	t, err := time.Parse(time.RFC3339, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		p.add(n, key, "want a time such as 2026-01-31T12:00:00Z, got %s", quoted(n))
		return exampleNow
	}
	return t.UTC()
}

func unknownWord(name string) string {
	all := fact.Words()
	known := make([]string, len(all))
	for i, w := range all {
		known[i] = w.Name
	}
	return fmt.Sprintf("unknown fact %q%s", name, didYouMean(name, known))
}

func notInList(w *fact.Word, value string) string {
	return fmt.Sprintf("%s is never %q%s", w.Name, value, didYouMean(value, w.Values))
}

// Evidence returns the evidence that the example describes.
func (x Example) Evidence() *fact.Evidence {
	ev := fact.New("example", x.Now)
	for name, v := range x.Facts {
		if v == nil {
			ev.MarkUnknown(name, fact.NoAnswer)
			continue
		}
		ev.Put(fact.Entry{Name: name, Value: v, By: "example", At: x.Now, Likely: slices.Contains(x.Likely, name)})
	}
	for _, by := range x.Known {
		ev.Finish(by)
	}
	return ev
}

// runExamples judges each example and reports those that give another result
// than they want, and results that no example shows.
func (p *parser) runExamples(c *compiler) {
	wanted := map[Result]bool{}
	for i, x := range p.rule.policy.Examples {
		key := fmt.Sprintf("examples[%d]", i)
		wanted[x.Want] = true
		v, _ := p.rule.judge(&vars{ev: x.Evidence(), now: x.Now, patterns: c.patterns})
		switch {
		case v.Result != x.Want:
			p.add(p.nodes.example[i], key, "want %s, got %s", x.Want, describe(v))
		case v.Err != "":
			p.add(p.nodes.example[i], key, "the policy failed: %s", v.Err)
		case x.Severity != 0 && v.Severity != x.Severity:
			p.add(p.nodes.example[i], key, "want severity %s, got %s", x.Severity, v.Severity)
		case x.Confidence != "" && v.Confidence != x.Confidence:
			p.add(p.nodes.example[i], key, "want confidence %s, got %s", x.Confidence, v.Confidence)
		case x.Sentence != "" && v.Texts.Evidence != x.Sentence:
			p.add(p.nodes.example[i], key, "want evidence %q, got %q", x.Sentence, v.Texts.Evidence)
		}
	}
	for _, r := range []Result{Pass, Fail, Unknown, NotApplicable} {
		if !wanted[r] && (r != NotApplicable || p.rule.when != nil) {
			p.add(p.nodes.examples, "examples", "no example wants %s", r)
		}
	}
}

func describe(v Verdict) string {
	text := string(v.Result)
	var why []string
	for _, m := range v.Missing {
		why = append(why, fmt.Sprintf("%s is unknown: %s", m.Word, m.Why))
	}
	if v.Err != "" {
		why = append(why, v.Err)
	}
	if len(why) > 0 {
		text += " (" + strings.Join(why, ", ") + ")"
	}
	return text
}
