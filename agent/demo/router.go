package demo

import (
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	natpmpPort = 5351
	igdKind    = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
	wanService = "urn:schemas-upnp-org:service:WANIPConnection:1"
)

// router is what changes of the router. Home.mu guards it.
type router struct {
	mappings []mapping
	locked   bool // programs may not map ports any more
}

// mapping is a port mapping.
type mapping struct {
	proto           string
	outside, inside uint16
	to              netip.Addr
	text            string
}

func (r *router) start() {
	r.mappings = []mapping{
		{"TCP", 8554, 554, cameraAt, "IPCAM RTSP"},
		{"UDP", 3074, 3074, console, "Game 3074"},
	}
}

func (h *Home) mapPort(m mapping) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.router.mappings = append(h.router.mappings, m)
}

// lockRouter is what an owner does who cleans up: no mapping is left, and programs
// may see the router's state and change nothing.
func (h *Home) lockRouter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.router = router{locked: true}
}

func (h *Home) routerNow() router {
	h.mu.Lock()
	defer h.mu.Unlock()
	return router{append([]mapping{}, h.router.mappings...), h.router.locked}
}

// newRouter is the home's router, with UPnP (WANIPConnection:1) and NAT-PMP (RFC
// 6886).
func (h *Home) newRouter() *device {
	const port = 5000
	return &device{
		addr: gateway, host: "router", services: []service{{name: "Router", kind: "_http._tcp", port: 80}}, kinds: []string{igdKind},
		locations: []string{"http://" + netip.AddrPortFrom(gateway, port).String() + "/rootDesc.xml"},
		tcp: map[uint16]func(net.Conn){
			80: serveHTTP(page("Router - Log in", `<script src="app.js"></script>`)),
			port: serveHTTP(only(map[string]http.Handler{
				"/rootDesc.xml": text("text/xml", igdDescription), "/scpd.xml": http.HandlerFunc(h.routerActions), "/ctl": http.HandlerFunc(h.routerControl),
			})),
		},
		udp: map[uint16]func([]byte) []byte{natpmpPort: h.answerNATPMP},
	}
}

const igdDescription = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>` + igdKind + `</deviceType>
<friendlyName>Router</friendlyName><manufacturer>Homeline</manufacturer><modelName>R7</modelName>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList>
<service><serviceType>` + wanService + `</serviceType><SCPDURL>/scpd.xml</SCPDURL><controlURL>/ctl</controlURL></service>
</serviceList></device></deviceList></device></deviceList></device></root>`

func (h *Home) routerActions(w http.ResponseWriter, r *http.Request) {
	actions := "<action><name>GetExternalIPAddress</name></action><action><name>GetGenericPortMappingEntry</name></action>"
	if !h.routerNow().locked {
		actions += "<action><name>AddPortMapping</name></action><action><name>DeletePortMapping</name></action>"
	}
	text("text/xml", `<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList>`+actions+`</actionList></scpd>`).ServeHTTP(w, r)
}

// routerControl answers SOAP (UPnP Device Architecture 1.1, section 3).
func (h *Home) routerControl(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Entry *struct {
			Index int `xml:"NewPortMappingIndex"`
		} `xml:"Body>GetGenericPortMappingEntry"`
		Address *struct{} `xml:"Body>GetExternalIPAddress"`
	}
	w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
	mappings := h.routerNow().mappings
	switch err := xml.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&request); {
	case err != nil:
		soapFault(w, 402, "Invalid Args")
	case request.Address != nil: // RFC 5737: documentation
		soapAnswer(w, "GetExternalIPAddress", "NewExternalIPAddress", "203.0.113.7")
	case request.Entry == nil:
		soapFault(w, 401, "Invalid Action")
	case request.Entry.Index < 0 || request.Entry.Index >= len(mappings):
		soapFault(w, 713, "SpecifiedArrayIndexInvalid")
	default:
		d := mappings[request.Entry.Index]
		soapAnswer(w, "GetGenericPortMappingEntry", "NewRemoteHost", "", "NewExternalPort", fmt.Sprint(d.outside),
			"NewProtocol", d.proto, "NewInternalPort", fmt.Sprint(d.inside), "NewInternalClient", d.to.String(),
			"NewEnabled", "1", "NewPortMappingDescription", d.text, "NewLeaseDuration", "0")
	}
}

func soapAnswer(w io.Writer, action string, args ...string) {
	var b strings.Builder
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, "<%s>", args[i])
		_ = xml.EscapeText(&b, []byte(args[i+1])) // in memory
		fmt.Fprintf(&b, "</%s>", args[i])
	}
	soap(w, fmt.Sprintf(`<u:%[1]sResponse xmlns:u=%[2]q>%[3]s</u:%[1]sResponse>`, action, wanService, b.String()))
}

func soapFault(w http.ResponseWriter, code int, what string) {
	w.WriteHeader(http.StatusInternalServerError)
	soap(w, fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>%s</errorDescription></UPnPError></detail></s:Fault>`, code, what))
}

func soap(w io.Writer, body string) {
	_, _ = io.WriteString(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+body+`</s:Body></s:Envelope>`)
}

// answerNATPMP answers the question for the outside address; refused (2) is what
// a router says in which the feature is off (RFC 6886 section 3.5).
func (h *Home) answerNATPMP(request []byte) []byte {
	if len(request) != 2 || request[0] != 0 || request[1] != 0 {
		return nil
	}
	if h.routerNow().locked {
		return []byte{0, 0x80, 0, 2, 0, 0, 1, 0}
	}
	return []byte{0, 0x80, 0, 0, 0, 0, 1, 0, 203, 0, 113, 7}
}
