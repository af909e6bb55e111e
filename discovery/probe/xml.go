package probe

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/thingwarden/thingwarden/discovery/prober"
)

// The limits of XML from a device (threat T2).
const (
	maxXML       = 256 << 10 // bytes
	maxXMLDepth  = 32
	maxXMLTokens = 5000 // white space not counted
	maxXMLText   = 4096 // bytes of one element; the rest is dropped
)

// element is an element of an XML document: its name without prefix, and its text.
type element struct {
	name     string
	text     string
	children []*element
}

// parseXML reads a document in UTF-8. Document types, and with them entities of
// the document's own, are refused. Errors wrap discovery.ErrUnreadable.
func parseXML(b []byte) (*element, error) {
	if len(b) > maxXML {
		return nil, unreadableXML(fmt.Errorf("more than %d bytes", maxXML))
	}
	var open []*element
	d := xml.NewDecoder(bytes.NewReader(b))
	for tokens := 0; ; {
		token, err := d.Token()
		if err != nil {
			return nil, unreadableXML(err)
		}
		text, isText := token.(xml.CharData)
		if isText && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if tokens++; tokens > maxXMLTokens {
			return nil, unreadableXML(fmt.Errorf("more than %d tokens", maxXMLTokens))
		}
		switch x := token.(type) {
		case xml.Directive:
			return nil, unreadableXML(errors.New("a document type"))
		case xml.StartElement:
			if len(open) == maxXMLDepth {
				return nil, unreadableXML(fmt.Errorf("deeper than %d", maxXMLDepth))
			}
			e := &element{name: x.Name.Local}
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			}
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.text += string(x[:min(len(x), maxXMLText-len(e.text))])
			}
		case xml.EndElement:
			if len(open) == 1 {
				return open[0], nil // what follows is nobody's business
			}
			open = open[:len(open)-1]
		}
	}
}

func unreadableXML(err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends early")
	}
	// The text may hold bytes of the device.
	return fmt.Errorf("xml: %w: %q", prober.ErrUnreadable, strings.ToValidUTF8(err.Error(), ""))
}

// child returns the first child of that name, an empty element if there is none.
func (e *element) child(name string) *element {
	if i := slices.IndexFunc(e.children, func(c *element) bool { return c.name == name }); i >= 0 {
		return e.children[i]
	}
	return &element{}
}

// value returns the text of the first child of that name, without white space
// around it.
func (e *element) value(name string) string { return strings.TrimSpace(e.child(name).text) }

// each calls f for the element and all below it of that name.
func (e *element) each(name string, f func(*element)) {
	if e.name == name {
		f(e)
	}
	for _, c := range e.children {
		c.each(name, f)
	}
}
