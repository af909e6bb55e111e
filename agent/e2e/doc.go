// Package e2e proves the whole of Thingwarden on real peers: the built binary
// in a network of its own with real daemons, and a real Home Assistant that
// reads what it publishes. It holds tests only; nothing imports it.
package e2e
