// Package page reads what a web page and its HTTP header show: title, fields,
// scripts, headings of settings, and the log-in that the server asks for.
//
// It fetches nothing, and it does not decide what a page means for its device: that
// is for the probe that asked for it.
package page

import (
	"bytes"
	"mime"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxTokens bounds the reading of a page beyond its 64 KiB.
const maxTokens = 20_000

// Form is what a front page shows of itself.
type Form struct {
	Title    string // cleaned
	Password bool   // it has a visible field for a password
	Active   bool   // scripts, frames or objects may show more than its text does
	Refresh  string // address to which it sends the browser on; "" if it does not
	// Scripts are the addresses of scripts and style sheets, and "<" with the name
	// of each element that HTML does not know.
	Scripts []string
	// Generator is the program that made the page (HTML, section 4.2.5.1), cleaned.
	Generator string

	heading string // first title or heading that speaks of settings, cleaned
	Control string // first field of a form for sending settings, cleaned
	Login   bool   // a title, heading or field speaks of a log-in
	posting bool   // inside a form that is sent by POST
}

// Read reads a page. Its bytes are taken as UTF-8, whatever they are; what
// is none is dropped.
func Read(body []byte, contentType string) Form {
	var f Form
	if !isHTML(body, contentType) {
		return f
	}
	z := html.NewTokenizer(bytes.NewReader(body))
	z.SetMaxBuf(len(body) + 1)
	inTitle, hidden := false, 0
	var title strings.Builder
	var heading *strings.Builder // of the heading that is open
	for range maxTokens {
		switch z.Next() {
		case html.ErrorToken:
			f.Title = fact.Clean(title.String(), fact.MaxText)
			f.noteHeading(f.Title)
			return f
		case html.TextToken:
			if inTitle && title.Len() < 4*fact.MaxText {
				title.Write(z.Text())
			}
			if heading != nil && heading.Len() < 4*maxHeading {
				heading.Write(z.Text())
			}
		case html.EndTagToken:
			switch z.Token().DataAtom {
			case atom.Title:
				inTitle = false
			case atom.Template:
				hidden = max(0, hidden-1)
			case atom.Form:
				f.posting = false
			case atom.H1, atom.H2, atom.H3, atom.Legend:
				if heading != nil && hidden == 0 {
					f.noteHeading(heading.String())
				}
				heading = nil
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			switch tag.DataAtom {
			case atom.Title:
				inTitle = title.Len() == 0
			case atom.Template:
				hidden++
			case atom.H1, atom.H2, atom.H3, atom.Legend:
				heading = &strings.Builder{}
			default:
				f.note(tag, hidden > 0)
			}
		}
	}
	f.Title, f.Active = fact.Clean(title.String(), fact.MaxText), true // there is more than we read
	return f
}

func (f *Form) note(tag html.Token, hidden bool) {
	if tag.DataAtom == atom.Script || tag.DataAtom == atom.Link {
		f.noteScript(attr(tag, "src") + attr(tag, "href"))
	}
	switch tag.DataAtom {
	case atom.Input:
		if strings.EqualFold(attr(tag, "type"), "password") && !hidden && visible(tag) {
			f.Password = true
		}
		f.noteField(tag, hidden)
	case atom.Select, atom.Textarea, atom.Button:
		f.noteField(tag, hidden)
	case atom.Form:
		f.posting = strings.EqualFold(attr(tag, "method"), "post")
	case atom.Script, atom.Frame, atom.Iframe, atom.Object, atom.Embed:
		f.Active = true
	case atom.Meta:
		if strings.EqualFold(attr(tag, "http-equiv"), "refresh") {
			if to := refreshTarget(attr(tag, "content")); to != "" {
				f.Refresh = to
			}
		}
		if strings.EqualFold(attr(tag, "name"), "generator") && f.Generator == "" {
			f.Generator = fact.Clean(attr(tag, "content"), fact.MaxText)
		}
	default:
		if strings.Contains(tag.Data, "-") { // an element of its own (HTML Standard, valid custom element name)
			f.noteScript("<" + tag.Data)
		}
	}
}

// The most scripts of a page that are kept, and of each so many bytes.
const (
	maxScripts = 32
	maxScript  = 200
)

func (f *Form) noteScript(s string) {
	if s != "" && len(f.Scripts) < maxScripts {
		f.Scripts = append(f.Scripts, s[:min(len(s), maxScript)])
	}
}

// visible reports whether a field is shown; hidden ones catch robots.
func visible(tag html.Token) bool {
	for _, a := range tag.Attr {
		style := strings.ReplaceAll(strings.ToLower(a.Val), " ", "")
		if a.Key == "hidden" || a.Key == "style" && (strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden")) {
			return false
		}
	}
	return true
}

func attr(tag html.Token, key string) string {
	for _, a := range tag.Attr {
		if a.Key == key {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// refreshTarget takes the address out of "0; url=/login.html".
func refreshTarget(content string) string {
	_, rest, ok := strings.Cut(content, ";")
	if !ok {
		_, rest, ok = strings.Cut(content, ",")
	}
	rest = strings.TrimSpace(rest)
	if !ok || len(rest) < 4 || !strings.EqualFold(rest[:3], "url") {
		return ""
	}
	_, to, _ := strings.Cut(rest, "=")
	return strings.Trim(to, " '\"")
}

// isHTML says whether to read a body as a page. Many devices name no type, or a
// wrong one.
func isHTML(body []byte, contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && (kind == "text/html" || kind == "application/xhtml+xml") {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], "\xef\xbb\xbf \t\r\n"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) || bytes.HasPrefix(start, []byte("<head"))
}
