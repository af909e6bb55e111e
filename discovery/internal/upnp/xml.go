package upnp

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
	maxXMLAttrs  = 8
	maxXMLText   = 4096 // bytes of one element; the rest is dropped
)

// Element is an element of an XML document: its name and those of its attributes
// without prefix, and its text.
type Element struct {
	Name     string
	Text     string
	Attrs    []xml.Attr // the first ones
	Children []*Element
	Whole    bool // its end has been read
}

// ParseXML reads a document as devices write it: in the encodings of charsetOf,
// with bare ampersands and bytes that fit no encoding. Document types, and with
// them entities of the document's own, are refused.
//
// A document that breaks off or stops making sense is returned as far as it goes,
// with the error, unless there is not even a first element. Errors wrap
// prober.ErrUnreadable.
func ParseXML(b []byte) (*Element, error) {
	if len(b) > maxXML {
		return nil, unreadableXML(fmt.Errorf("more than %d bytes", maxXML))
	}
	d := xml.NewDecoder(bytes.NewReader(readableText(b)))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // is UTF-8 by now
	t := tree{}
	for {
		token, err := d.Token()
		if err == nil {
			err = t.add(token)
		}
		switch {
		case err != nil:
			return t.root, unreadableXML(err)
		case t.root != nil && len(t.open) == 0:
			return t.root, nil // what follows is ignored
		}
	}
}

// tree is a document while it is read.
type tree struct {
	root   *Element
	open   []*Element
	tokens int
}

func (t *tree) add(token xml.Token) error {
	text, isText := token.(xml.CharData)
	if isText && len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if t.tokens++; t.tokens > maxXMLTokens {
		return fmt.Errorf("more than %d tokens", maxXMLTokens)
	}
	switch x := token.(type) {
	case xml.Directive:
		return errors.New("a document type")
	case xml.StartElement:
		if len(t.open) == maxXMLDepth {
			return fmt.Errorf("deeper than %d", maxXMLDepth)
		}
		e := &Element{Name: x.Name.Local, Attrs: slices.Clone(x.Attr[:min(len(x.Attr), maxXMLAttrs)])}
		if t.root == nil {
			t.root = e
		} else {
			parent := t.open[len(t.open)-1]
			parent.Children = append(parent.Children, e)
		}
		t.open = append(t.open, e)
	case xml.CharData:
		if len(t.open) > 0 {
			e := t.open[len(t.open)-1]
			e.Text += string(x[:min(len(x), maxXMLText-len(e.Text))])
		}
	case xml.EndElement:
		if len(t.open) == 0 {
			return fmt.Errorf("</%.20s> without a beginning", x.Name.Local)
		}
		t.open[len(t.open)-1].Whole = true
		t.open = t.open[:len(t.open)-1]
	}
	return nil
}

func unreadableXML(err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends early")
	}
	// The text may hold bytes of the device.
	return fmt.Errorf("xml: %w: %q", prober.ErrUnreadable, strings.ToValidUTF8(err.Error(), ""))
}

// Child returns the first child of that name, an empty element if there is none.
func (e *Element) Child(name string) *Element {
	if i := slices.IndexFunc(e.Children, func(c *Element) bool { return c.Name == name }); i >= 0 {
		return e.Children[i]
	}
	return &Element{}
}

// Value returns the text of the first child of that name, without white space
// around it.
func (e *Element) Value(name string) string { return strings.TrimSpace(e.Child(name).Text) }

// Attr returns the value of an attribute; empty if there is none.
func (e *Element) Attr(name string) string {
	if i := slices.IndexFunc(e.Attrs, func(a xml.Attr) bool { return a.Name.Local == name }); i >= 0 {
		return e.Attrs[i].Value
	}
	return ""
}

// Each calls f for the element and all below it of that name.
func (e *Element) Each(name string, f func(*Element)) {
	if e.Name == name {
		f(e)
	}
	for _, c := range e.Children {
		c.Each(name, f)
	}
}
