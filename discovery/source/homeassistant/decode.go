package homeassistant

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/dnssd"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

// The limits of what is kept of one item.
const (
	maxIDs       = 8   // identifiers of a device
	maxAddresses = 16  // of an announced service
	maxPairs     = 64  // of its properties
	maxValue     = 255 // bytes of a property, as in DNS
	maxInstance  = 255 // bytes of the name of a service
)

// frame is any message.
type frame struct {
	ID      loosejson.Number `json:"id"`
	Type    loosejson.Text   `json:"type"`
	Version loosejson.Text   `json:"ha_version"`
	Success loosejson.Flag   `json:"success"`
	Result  json.RawMessage  `json:"result"`
	Event   json.RawMessage  `json:"event"`
	Error   loosejson.Maybe[struct {
		Code loosejson.Text `json:"code"`
	}] `json:"error"`
}

func decodeFrame(b []byte) (frame, error) {
	var f frame
	err := loosejson.Unmarshal(b, wsjson.MaxFrame, &f)
	return f, err
}

// changes is an event of a discovery stream.
type changes[Add, Remove any] struct {
	Add    loosejson.List[Add]    `json:"add"`
	Remove loosejson.List[Remove] `json:"remove"`
}

func decode[T any](what string, b json.RawMessage) (T, error) {
	var v T
	if err := loosejson.Unmarshal(b, wsjson.MaxFrame, &v); err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// lease is a device that got an address.
type lease struct {
	mac  discovery.Identifier
	addr netip.Addr
	host string
	seen int // number of the session in which it last came
	turn int // when it came, in order
}

type leaseRow struct {
	MAC  loosejson.Text `json:"mac_address"`
	IP   loosejson.Text `json:"ip_address"`
	Host loosejson.Text `json:"hostname"`
}

func (r leaseRow) lease() (lease, bool) {
	mac, ok := discovery.MAC(string(r.MAC))
	addr, err := netip.ParseAddr(string(r.IP))
	if !ok || err != nil || !usable(addr) {
		return lease{}, false
	}
	host, _, _ := strings.Cut(string(r.Host), ".")
	host = fact.Clean(host, 63) // a label, RFC 1035 section 2.3.4
	if host == "localhost" || host == "*" {
		host = ""
	}
	return lease{mac: mac, addr: addr.Unmap(), host: host}, true
}

// usable reports whether an address may be that of one device of the home: a
// private one. A link-local one means nothing without its link, which is not known,
// and one of the Internet can be any machine's.
func usable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.Zone() == "" && a.IsPrivate()
}

// instance is an announced service. Its sender is not known: the addresses are
// those that the announcement names.
type instance struct {
	dnssd.Instance
	addrs []netip.Addr
	seen  int
}

type instanceRow struct {
	Name       loosejson.Text                             `json:"name"`
	Type       loosejson.Text                             `json:"type"`
	Port       loosejson.Number                           `json:"port"`
	Properties loosejson.Maybe[map[string]loosejson.Text] `json:"properties"`
	Addresses  loosejson.List[loosejson.Text]             `json:"ip_addresses"`
}

func (r instanceRow) instance() (instance, bool) {
	name, typ := string(r.Name), string(r.Type)
	short, local := strings.CutSuffix(strings.ToLower(typ), ".local.")
	label, of := strings.CutSuffix(name, "."+typ)
	tcp, udp := strings.HasSuffix(short, "._tcp"), strings.HasSuffix(short, "._udp")
	if !local || !of || label == "" || len(name) > maxInstance || !strings.HasPrefix(short, "_") || !tcp && !udp || strings.Count(short, ".") != 1 {
		return instance{}, false
	}
	port, ok := r.Port.Int(0, 65535)
	if !ok {
		return instance{}, false
	}
	i := instance{Instance: dnssd.Instance{Name: label, Type: short, Port: int(port), TXT: map[string]string{}}}
	for k, v := range r.Properties.Value {
		if len(i.TXT) == maxPairs {
			break
		}
		if len(k)+len(v) <= maxValue {
			i.TXT[strings.ToLower(k)] = string(v)
		}
	}
	for _, text := range r.Addresses[:min(len(r.Addresses), maxAddresses)] {
		if a, err := netip.ParseAddr(string(text)); err == nil && usable(a) {
			i.addrs = append(i.addrs, a.Unmap())
		}
	}
	return i, len(i.addrs) > 0
}

// place is where a device said that it describes itself.
type place struct {
	from     netip.Addr // the sender of the packet
	location string
	gateway  bool
}

type placeRow struct {
	Location loosejson.Text `json:"ssdp_location"`
	ST       loosejson.Text `json:"ssdp_st"`
	NT       loosejson.Text `json:"ssdp_nt"`
	Headers  loosejson.Maybe[struct {
		// Host is the sender's address (async_upnp_client/ssdp.py, get_host_string).
		Host loosejson.Text `json:"_host"`
	}] `json:"ssdp_headers"`
}

// place returns what counts: only what names a place at its sender's own address
// (threat T1).
func (r placeRow) place() (place, bool) {
	from, err := netip.ParseAddr(string(r.Headers.Value.Host))
	if err != nil || !usable(from) || upnp.CheckLocation(string(r.Location), from.Unmap()) != nil {
		return place{}, false
	}
	return place{
		from: from.Unmap(), location: string(r.Location),
		gateway: upnp.IsGateway(string(r.ST)) || upnp.IsGateway(string(r.NT)),
	}, true
}

// deviceRow is an entry of the device registry. Child devices (from 2026.9 on)
// have no connections and are left out for it.
type deviceRow struct {
	ID           loosejson.Text                                 `json:"id"`
	Name         loosejson.Text                                 `json:"name"`
	NameByUser   loosejson.Text                                 `json:"name_by_user"`
	Manufacturer loosejson.Text                                 `json:"manufacturer"`
	Model        loosejson.Text                                 `json:"model"`
	Firmware     loosejson.Text                                 `json:"sw_version"`
	Hardware     loosejson.Text                                 `json:"hw_version"`
	Area         loosejson.Text                                 `json:"area_id"`
	Via          loosejson.Text                                 `json:"via_device_id"`
	Kind         loosejson.Text                                 `json:"entry_type"`
	Disabled     loosejson.Text                                 `json:"disabled_by"`
	URL          loosejson.Text                                 `json:"configuration_url"`
	Connections  loosejson.List[loosejson.List[loosejson.Text]] `json:"connections"`
	Identifiers  loosejson.List[loosejson.List[loosejson.Text]] `json:"identifiers"`
}

type areaRow struct {
	ID   loosejson.Text `json:"area_id"`
	Name loosejson.Text `json:"name"`
}

// entityRow is an entry of the entity registry in its short form
// (helpers/entity_registry.py, DISPLAY_DICT_OPTIONAL).
type entityRow struct {
	ID     loosejson.Text `json:"ei"`
	Device loosejson.Text `json:"di"`
}

// stateRow is a state in its short form (websocket_api/messages.py).
type stateRow struct {
	State loosejson.Text                             `json:"s"`
	Attr  loosejson.Maybe[map[string]loosejson.Text] `json:"a"`
}

// updatesEvent is an event of subscribe_entities: added, changed, removed.
type updatesEvent struct {
	Added   map[string]stateRow `json:"a"`
	Changed map[string]struct {
		Plus loosejson.Maybe[stateRow] `json:"+"`
	} `json:"c"`
	Removed loosejson.List[loosejson.Text] `json:"r"`
}

// adapter is a network interface of Home Assistant's machine.
type adapter struct {
	Name    loosejson.Text `json:"name"`
	Enabled loosejson.Flag `json:"enabled"`
	IPv4    loosejson.List[struct {
		Address loosejson.Text   `json:"address"`
		Bits    loosejson.Number `json:"network_prefix"`
	}] `json:"ipv4"`
}
