package config

import _ "embed"

//go:generate go test -run ^Test(Schema|Example)IsCurrent$ . -update

//go:embed schema.json
var schema []byte

// Schema returns the JSON schema of the configuration file, for editors that
// check YAML while it is written. It is made from the structs when the program
// is built: what makes it is no part of the program.
func Schema() []byte { return schema }
