package config

import (
	"reflect"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/builtin"
)

// option is a key of the file: a single value, a list, or a section of more keys.
// The keys are those of Config, and below sources those of each source's own
// configuration.
type option struct {
	name string
	typ  reflect.Type // of a value or list; nil for a section
	tag  reflect.StructTag
	def  any      // as an empty file has it
	keys []option // of a section
}

// list reports whether the key holds a list.
func (k option) list() bool {
	return k.typ != nil && k.typ.Kind() == reflect.Slice && scalarOf(k.typ) == nil
}

// root is the whole file as a section.
func root() option {
	k := option{keys: keysOf(reflect.ValueOf(Default()))}
	sources := option{name: "sources"}
	for _, kind := range builtin.Sources {
		sources.keys = append(sources.keys, sourceKey(kind))
	}
	k.keys = append(k.keys, sources)
	return k
}

// sourceKey is the section of a source.
func sourceKey(kind discovery.SourceKind) option {
	on := option{name: "enabled", typ: reflect.TypeFor[bool](), def: true}
	return option{name: kind.Name, keys: append([]option{on}, keysOf(reflect.ValueOf(kind.Default()).Elem())...)}
}

// keysOf are the keys of a struct.
func keysOf(v reflect.Value) []option {
	var out []option
	for i := range v.NumField() {
		field, f := v.Type().Field(i), v.Field(i)
		k := option{name: field.Tag.Get("yaml"), tag: field.Tag}
		switch {
		case k.name == "-" || !field.IsExported():
			continue
		case scalarOf(plain(f.Type())) != nil, f.Kind() == reflect.Slice:
			k.typ, k.def = plain(f.Type()), f.Interface()
		default:
			k.keys = keysOf(f)
		}
		out = append(out, k)
	}
	return out
}

// plain is the type without its pointer.
func plain(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// element is what stands in a list.
func element(list reflect.Type) option {
	elem := list.Elem()
	if scalarOf(elem) != nil {
		return option{typ: elem}
	}
	return option{keys: keysOf(reflect.New(elem).Elem())}
}

// leaf is a key that holds a value and not other keys.
type leaf struct {
	key string // dotted
	typ reflect.Type
	tag reflect.StructTag
	def any    // nil: an empty list
	env string // variable that sets it; "" for a list
}

// leaves returns all keys outside lists.
func leaves() []leaf { return appendLeaves(nil, root(), "") }

func appendLeaves(out []leaf, k option, at string) []leaf {
	switch {
	case k.typ == nil:
		for _, below := range k.keys {
			out = appendLeaves(out, below, join(at, below.name))
		}
	case k.list():
		l := leaf{key: at, typ: k.typ, tag: k.tag}
		if reflect.ValueOf(k.def).Len() > 0 {
			l.def = k.def
		}
		out = append(out, l)
	default:
		out = append(out, leaf{at, k.typ, k.tag, k.def, envName(at)})
	}
	return out
}
