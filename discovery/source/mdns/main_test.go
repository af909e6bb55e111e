package mdns

import (
	"testing"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
