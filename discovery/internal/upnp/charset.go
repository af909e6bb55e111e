package upnp

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// declared finds the encoding that a document of XML declares (XML 1.0, section
// 2.8).
var declared = regexp.MustCompile(`^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']`)

// charsetOf returns an encoding that devices use beside UTF-8; nil for any other.
// ISO-8859-1 is read as the superset that Windows-1252 is, as browsers do (WHATWG
// Encoding Standard, section 4.2).
func charsetOf(name string) encoding.Encoding {
	switch strings.ToLower(name) {
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1", "windows-1252", "cp1252":
		return charmap.Windows1252
	case "gb2312", "gbk", "gb_2312-80", "cp936":
		return simplifiedchinese.GBK
	case "gb18030":
		return simplifiedchinese.GB18030
	}
	return nil
}

// readableText returns a document as text that XML allows: bytes that fit neither
// the encoding that it declares nor UTF-8 are taken for Windows-1252, characters
// that XML forbids become spaces, and ampersands that begin no entity of XML are
// escaped.
func readableText(b []byte) []byte { return escapeAmpersands(readableBytes(b)) }

// reference is what may begin with an ampersand (XML 1.0, sections 4.1 and 4.6).
var reference = regexp.MustCompile(`^&(?:amp|lt|gt|quot|apos|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));`)

func isReference(b []byte) bool {
	m := reference.FindSubmatch(b)
	if m == nil || len(m[1])+len(m[2]) == 0 {
		return m != nil
	}
	n, err := strconv.ParseUint(string(m[1]), 10, 32)
	if len(m[2]) > 0 {
		n, err = strconv.ParseUint(string(m[2]), 16, 32)
	}
	return err == nil && isXMLChar(rune(n))
}

// escapeAmpersands leaves CDATA sections as they are, in which an ampersand stands
// for itself.
func escapeAmpersands(b []byte) []byte {
	const begin, end = "<![CDATA[", "]]>"
	var out []byte
	from := 0
	for at := 0; at < len(b); at++ {
		switch {
		case b[at] == '<' && bytes.HasPrefix(b[at:], []byte(begin)):
			n := bytes.Index(b[at:], []byte(end))
			if n < 0 {
				at = len(b)
				continue
			}
			at += n
		case b[at] == '&' && !isReference(b[at:min(len(b), at+12)]):
			out = append(append(out, b[from:at]...), "&amp;"...)
			from = at + 1
		}
	}
	return append(out, b[from:]...)
}

func readableBytes(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if m := declared.FindSubmatch(b); m != nil {
		if from := charsetOf(string(m[1])); from != nil && !utf8.Valid(b) {
			if decoded, err := from.NewDecoder().Bytes(b); err == nil {
				b = decoded
			}
		}
	}
	if isReadable(b) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(b[0])
		}
		if !isXMLChar(r) {
			r = ' '
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}

func isReadable(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return !isXMLChar(r) }) < 0
}

// isXMLChar reports whether XML allows a character (XML 1.0, section 2.2).
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != utf8.RuneError || r >= 0x10000 && r <= utf8.MaxRune
}
