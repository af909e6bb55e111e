package agent

import (
	"github.com/thingwarden/thingwarden/discovery"
)

// newFunc is the configuration of a source that a test makes.
type newFunc func(discovery.Env) (discovery.Source, error)

func (newFunc) Validate() error { return nil }

func (f newFunc) New(env discovery.Env) (discovery.Source, error) { return f(env) }

// kindOf is a source of that name.
func kindOf(name string, s discovery.Source) discovery.SourceKind {
	return discovery.SourceKind{Name: name, Default: func() discovery.SourceConfig {
		return newFunc(func(discovery.Env) (discovery.Source, error) { return s, nil })
	}}
}
