// Command thingwarden discovers the devices of a home, says what is unsafe about
// each, and tells Home Assistant.
package main

import (
	"os"

	"github.com/thingwarden/thingwarden/agent/cli"
)

// version is set by the linker in a release; empty, the version that Go itself
// writes into the program is shown.
var version string

func main() { os.Exit(cli.Main(os.Args[1:], version, os.Stdout, os.Stderr)) }
