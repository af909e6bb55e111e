package policy

// property is a key of a policy file: the one list that the reader, the schema
// and the messages go by.
type property struct {
	name     string
	required bool
	doc      string
	schema   map[string]any
}

// The limits of texts, in runes. A title is the name of an entity.
const (
	maxTitle   = 60
	maxSummary = 600
	maxRemedy  = 2000
	maxExpr    = 2000
	// maxEvidence is the longest sentence of evidence that is kept.
	maxEvidence = 500
)

func text(max int) map[string]any {
	return map[string]any{"type": "string", "minLength": 1, "maxLength": max}
}

func listOf(item map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": item}
}

var (
	severitySchema = map[string]any{"enum": severityNames}
	idSchema       = map[string]any{"type": "string", "pattern": idPattern}
	exprSchema     = map[string]any{"type": []string{"string", "boolean"}, "maxLength": maxExpr}
)

const idPattern = `^[a-z0-9]+(-[a-z0-9]+)*$`

// properties are the keys of a policy in the order in which to write them.
var properties = []property{
	{"id", true, "Name of the policy for ever: small letters, digits and hyphens; the file has the same name.", idSchema},
	{"title", true, "What the finding is called in Home Assistant: short, sentence case, without the device's name.", text(maxTitle)},
	{"severity", true, "What the owner should do: critical now, high today, medium this week, low when convenient, info nothing. Or a list: the first whose `if` is true, ending in a plain one; it may bring its own summary and remedy.",
		map[string]any{"anyOf": []any{severitySchema, map[string]any{"type": "array", "minItems": 2, "items": map[string]any{"anyOf": []any{
			severitySchema,
			map[string]any{"type": "object", "additionalProperties": false, "required": []string{"if", "then"},
				"properties": map[string]any{"if": exprSchema, "then": severitySchema, "summary": text(maxSummary), "remedy": text(maxRemedy)}},
		}}}}}},
	{"confidence", true, "sure: the evidence shows it. likely: it is a good sign only.", map[string]any{"enum": []string{string(Sure), string(Likely)}}},
	{"rules", true, "Rules 1 to 9 of the article that the policy serves; [] for none.",
		map[string]any{"type": "array", "uniqueItems": true, "items": map[string]any{"type": "integer", "minimum": 1, "maximum": 9}}},
	{"when", true, "CEL expression: the devices to which the policy applies; \"true\" for all.", exprSchema},
	{"require", true, "CEL expression: what must hold. False is a finding; unknown is not checked.", exprSchema},
	{"after", false, "Words that must have been looked for before known(...) is believed: such as a word of the probe that gives those of known(...).", listOf(map[string]any{"type": "string", "pattern": namePattern})},
	{"settle", false, "How long it must fail before anybody is told, such as 15m; at most 24h.", map[string]any{"type": []string{"string", "integer"}}},
	{"evidence", false, "CEL expression: what was seen, as a sentence. Words that it lacks leave it out.", text(maxExpr)},
	{"summary", true, "What is wrong and what can happen, for home owners.", text(maxSummary)},
	{"remedy", true, "What to do, in steps that work for a lay person.", text(maxRemedy)},
	{"refs", true, "Standards and advisories.", map[string]any{"type": "array", "minItems": 1, "items": text(200)}},
	{"examples", true, "Evidence with the result it must give: at least one each of pass, fail, unknown and, unless when is \"true\", notapplicable.",
		map[string]any{"type": "array", "minItems": 3}},
}

const namePattern = `^[a-z0-9][a-z0-9_.-]*$`

// exampleProperties are the keys of one example; the schema of facts is made
// from the vocabulary.
var exampleProperties = []property{
	{"facts", true, "What is known: the value of each word; {likely: value} where that is only likely; null for a word that was looked for in vain.", nil},
	{"finished", false, "Sources and probes of `after` that have finished, in policies written for 0.1.0. Else the facts hold the word of `after`, or null.", listOf(map[string]any{"type": "string"})},
	{"now", false, "The time of judging; 2026-01-01T00:00:00Z if not given.", map[string]any{"type": "string"}},
	{"want", true, "The result.", map[string]any{"enum": []string{string(Pass), string(Fail), string(Unknown), string(NotApplicable)}}},
	{"severity", false, "The severity of a fail.", severitySchema},
	{"confidence", false, "The confidence of a pass or fail.", map[string]any{"enum": []string{string(Sure), string(Likely)}}},
	{"evidence", false, "The sentence that a fail gives as evidence.", text(maxEvidence)},
}

func names(ps []property) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.name
	}
	return out
}
