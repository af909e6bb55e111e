package discovery

import (
	"errors"
	"fmt"
)

// SourceKind is what the rest of the program knows of a source: its names, how
// far its word goes, and its configuration. The core asks for these traits and
// never for a source's name.
type SourceKind struct {
	// Name is the source's name in the configuration, and that of its package.
	Name string
	// Title is what people read, such as "Z-Wave JS".
	Title string
	// Doc is one sentence that says what the source sees and what it sends.
	Doc string
	// Rank decides whose name for a device wins, and whose words that identify it.
	Rank Rank
	Role Role
	// Default returns a new configuration as an empty file has it, as a pointer to
	// the source's own struct. Its fields are the keys below sources.<name>, beside
	// the key enabled that every source has.
	Default func() SourceConfig
}

// SourceConfig is the configuration of a source: a pointer to a struct whose
// fields are texts, booleans, whole numbers, durations, prefixes or lists of
// them. Tags of a field say the rest:
//
//	yaml:"key"                   name of the key; "-" if it is none
//	jsonschema_description:"…"   explanation, in the schema and the example
//	secret:"true"                the value is never repeated in a message
//	url:"ws,wss"                 the value is a URL of one of these schemes, without log-in
//	holds:"token"                the value names a file that holds the value of key token
//	app:"str?"                   the form of Home Assistant's apps has the key, with this schema
//	written:"urls"               not a key: set to true if the owner wrote key urls
type SourceConfig interface {
	// Validate checks what types and tags cannot say; its errors are made by
	// Wrong, several of them joined by errors.Join.
	Validate() error
	// New makes the source. It does no I/O, and it is called again after each
	// failure of the source.
	New(env Env) (Source, error)
}

// Optional is the configuration of a source that does nothing until the owner, or
// the system it runs on, has given it an address.
type Optional interface {
	SourceConfig
	// SetUp reports whether the source has what it needs.
	SetUp(env Env) bool
}

// KeyError is a mistake in the configuration of a source.
type KeyError struct {
	Key  string // relative to the source's section, such as "urls[0]"
	Text string // what is wrong, and what to write instead
}

// Error implements error.
func (e *KeyError) Error() string { return e.Key + ": " + e.Text }

// Wrong returns a KeyError. A secret must not be in the text.
func Wrong(key, format string, args ...any) error {
	return &KeyError{key, fmt.Sprintf(format, args...)}
}

// KeyErrors returns the mistakes that Validate joined; an error of another kind
// has no key.
func KeyErrors(err error) []*KeyError {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*KeyError
		for _, e := range joined.Unwrap() {
			out = append(out, KeyErrors(e)...)
		}
		return out
	}
	if e, ok := errors.AsType[*KeyError](err); ok {
		return []*KeyError{e}
	}
	return []*KeyError{{Text: err.Error()}}
}

// Rank orders those who name and identify a device: the word of the higher wins.
type Rank int

// The ranks, lowest first. RankNone is that of the agent's own words.
const (
	RankNone       Rank = iota
	RankAddress         // follows from the device's address
	RankAnnounced       // the device says it to everybody
	RankRecognised      // follows from what the device shows
	RankProduct         // the device says it when asked: that of every probe
	RankRegistry        // another program's list of devices
	RankBridge          // what the device is connected by
	RankOwner           // the owner; not saved, since the owner may change it
)

// Role are the traits of a source, of which it may have several.
type Role uint

// The roles.
const (
	// Opinion marks a source that says something about devices and cannot show that
	// they are there.
	Opinion Role = 1 << iota
	// Hearsay marks a source that passes on what another program knows: it keeps a
	// device known, and is no sign of life.
	Hearsay
	// Resolves marks a source that finds the hardware address of an on-link
	// address: where it names none, none can be had.
	Resolves
	// NamesMachines marks a source whose host names are unique on the link: two
	// devices that have the same one are interfaces of one machine.
	NamesMachines
)

// Has reports whether all roles of x are among r.
func (r Role) Has(x Role) bool { return r&x == x }

// OwnerDevice is what the owner says of one device in the configuration.
type OwnerDevice struct {
	Match string // as ParseID reads it
	Name  string // "" leaves the name to others
	Class string // a value of fact.DeviceClass; "" leaves it to others
}
