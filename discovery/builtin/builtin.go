// Package builtin lists the plug-ins that are part of the program. The lists are
// written from the folders by "make generate": a new folder below
// discovery/source, discovery/protocol or discovery/product is all that a new
// plug-in needs.
//
// It holds no code of its own, and nothing registers itself: who needs the lists
// imports them.
package builtin

//go:generate go run ./gen
