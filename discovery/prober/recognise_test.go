package prober

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

// A probe of a product runs in the pass in which another probe shows the product.
func TestProbesSeeWhatOthersShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		special := probeOn("special", 80)
		special.Applies = func(_ discovery.Device, ev *fact.Evidence) bool {
			product, _ := fact.DeviceProduct.Get(ev)
			return product == "acme"
		}
		h := newHouse(special, probeOn("telnet", 23))
		h.opt.Recognise = func(ev *fact.Evidence) *fact.Evidence {
			out := fact.New("product", time.Now())
			if _, known := fact.TelnetOpen.Get(ev); known {
				fact.DeviceProduct.SetLikely(out, "acme", "telnet.open")
			}
			return out
		}
		defer h.run(t)()
		h.Update(device(10), evidence(nil))
		_, got := h.take()
		if d := cmp.Diff([]string{"telnet mac_00005e00530a", "special mac_00005e00530a"}, got); d != "" {
			t.Error(d)
		}
	})
}
