// Package dashboards holds the dashboard for Home Assistant that is in this folder.
// It is not its job to fit it to a home: package hass does.
package dashboards

import _ "embed" // for the file

// Home is thingwarden.yaml, the dashboard of a home whose site is "home".
//
//go:embed thingwarden.yaml
var Home []byte
