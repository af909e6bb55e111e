package recorded

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
)

// SOAPAnswer makes the answer to a call (path, action, arguments) of its short
// forms; see Device.
func SOAPAnswer(call, text string) ([]byte, error) {
	if strings.HasPrefix(text, "HTTP/") {
		return unescape(text, true)
	}
	status, body := "200 OK", ""
	if code, ok := strings.CutPrefix(strings.TrimSpace(text), "fault "); ok {
		status = "500 Internal Server Error"
		body = `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>` +
			code + `</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault>`
	} else {
		_, action, _ := strings.Cut(call, " ")
		action, _, _ = strings.Cut(action, " ")
		if action == "" {
			return nil, fmt.Errorf("%q names no action", call)
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			plain, err := unescape(value, false)
			if err != nil {
				return nil, err
			}
			var b bytes.Buffer
			_ = xml.EscapeText(&b, plain) // writing to memory
			body += "<" + name + ">" + b.String() + "</" + name + ">"
		}
		body = `<u:` + action + `Response xmlns:u="x">` + body + `</u:` + action + `Response>`
	}
	body = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body), nil
}

// SOAPCall is a request as archives name it: path, action and arguments. It fits
// nothing when header and body do not say the same.
func SOAPCall(req *http.Request) string {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err.Error()
	}
	root, err := upnp.ParseXML(body)
	if err != nil || len(root.Child("Body").Children) != 1 {
		return fmt.Sprintf("unreadable: %s", body)
	}
	action := root.Child("Body").Children[0]
	service, name, _ := strings.Cut(strings.Trim(req.Header.Get("SOAPAction"), `"`), "#")
	if name == "" { // SOAP 1.2 has it as a parameter (RFC 3902)
		_, parameters, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
		service, name = path.Split(parameters["action"])
		service = strings.TrimSuffix(service, "/")
	}
	if name != action.Name || !strings.Contains(string(body), `xmlns:u="`+service+`"`) {
		return fmt.Sprintf("header %s, body %s", req.Header.Get("SOAPAction"), body)
	}
	call := []string{path.Clean(req.RequestURI), name}
	for _, a := range action.Children {
		call = append(call, a.Text)
	}
	return strings.Join(call, " ")
}
