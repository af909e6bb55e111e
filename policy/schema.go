package policy

import (
	"encoding/json"
	"maps"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

//go:generate go test -run ^(TestSchemaIsCurrent|TestReadmeIsCurrent)$ . -update

// Schema returns the JSON schema (draft 7) of a policy file, for editors. It says
// which keys, words and values there are; what an expression may say only Load
// knows.
func Schema() []byte {
	s := object(properties)
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "Thingwarden policy"
	props := s["properties"].(map[string]any)
	example := object(exampleProperties)
	example["properties"].(map[string]any)["facts"] = factsSchema()
	props["examples"].(map[string]any)["items"] = example
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps of texts and numbers only
	}
	return append(out, '\n')
}

func object(ps []property) map[string]any {
	props, required := map[string]any{}, []string{}
	for _, p := range ps {
		one := map[string]any{"description": p.doc}
		maps.Copy(one, p.schema)
		props[p.name] = one
		if p.required {
			required = append(required, p.name)
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "required": required, "properties": props}
}

func factsSchema() map[string]any {
	props := map[string]any{}
	for _, w := range fact.Words() {
		one := map[string]any{}
		switch {
		case w.Values != nil:
			values := []any{nil}
			for _, v := range w.Values {
				values = append(values, v)
			}
			one["enum"] = values
		case w.Type == fact.List:
			one["type"], one["items"] = []string{"array", "null"}, map[string]any{"type": "string"}
		default:
			one["type"] = []string{schemaTypes[w.Type], "null"}
		}
		likely := map[string]any{"type": "object", "additionalProperties": false, "required": []string{"likely"}, "properties": map[string]any{"likely": one}}
		props[w.Name] = map[string]any{"description": w.Doc, "anyOf": []any{one, likely}}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": props}
}

var schemaTypes = map[fact.Type]string{
	fact.Bool: "boolean", fact.Int: "integer", fact.String: "string", fact.Time: "string",
}
