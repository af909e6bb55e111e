package product

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thingwarden/thingwarden/discovery/fact"
)

func TestRecognise(t *testing.T) {
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	c := parse(t, map[string]string{
		"acme": `
maker: Acme
products:
  - {id: acme-doorbell, class: doorbell, shown: [{http.server: '^Acme/(?P<version>[\d.]+)$', http.title: '^Bell (?P<model>\w+)', seen: a/b}]}
  - {id: acme-camera, class: camera, shown: [{http.server: '^Acme/(?P<version>[\d.]+)$', seen: a/b}], likely: [{device.hostname: '^cam-', device.mac_vendor: Acme Inc.}]}
`,
		"other":   "maker: Other\nproducts:\n  - {id: other-router, class: router, shown: [{http.realm: Other router, seen: a/b}]}\n",
		"generic": "products:\n  - {class: printer, fallback: true, shown: [{mdns.services: _ipp._tcp, seen: a/b}]}\n",
	})
	type set func(e *fact.Evidence)
	http := func(port, server, title, realm string) set {
		return func(e *fact.Evidence) {
			for w, v := range map[fact.Fact[string]]string{fact.HTTPServer: server, fact.HTTPTitle: title, fact.HTTPRealm: realm} {
				if v != "" {
					w.Set(e, v, port+": "+v)
				}
			}
		}
	}
	for _, tt := range []struct {
		name string
		in   []set
		want map[string]any
	}{
		{"nothing", nil, map[string]any{}},
		{"one sign", []set{http("tcp/80", "Acme/1.2", "", "")},
			map[string]any{"device.product": "acme-camera", "device.manufacturer": "Acme", "device.class": "camera", "device.firmware": "1.2"}},
		{"the first product of a card", []set{http("tcp/80", "Acme/1.2", "Bell D1", "")},
			map[string]any{"device.product": "acme-doorbell", "device.manufacturer": "Acme", "device.class": "doorbell", "device.firmware": "1.2", "device.model": "D1"}},
		{"signs of two answers make no line", []set{http("tcp/80", "Acme/1.2", "", ""), http("tcp/8080", "", "Bell D1", "")},
			map[string]any{"device.product": "acme-camera", "device.manufacturer": "Acme", "device.class": "camera", "device.firmware": "1.2"}},
		{"two cards disagree", []set{http("tcp/80", "Acme/1.2", "", "Other router")},
			map[string]any{"device.product": fact.Conflict, "device.manufacturer": fact.Conflict, "device.class": fact.Conflict, "device.firmware": "1.2"}},
		{"a fallback gives the class only", []set{func(e *fact.Evidence) { fact.MDNSServices.Set(e, []string{"_http._tcp", "_ipp._tcp"}, "") }},
			map[string]any{"device.class": "printer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := fact.New("http", noon)
			for _, set := range tt.in {
				set(ev)
			}
			got := map[string]any{}
			for _, n := range c.Recognise(ev).Entries() {
				got[n.Name] = n.Value
				if !n.Known() {
					got[n.Name] = n.Why
				} else if !n.At.Equal(noon) || n.Proof == "" {
					t.Errorf("%s: at %v with proof %q", n.Name, n.At, n.Proof)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func parse(t *testing.T, files map[string]string) *Cards {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name+"/card.yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := Parse(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
