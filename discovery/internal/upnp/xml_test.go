package upnp

import (
	"errors"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Threat T2: whatever a document has, reading it costs little, and nothing but it
// is read.
func TestParseXML(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	many := func(n int) string { return "<a>" + strings.Repeat("<b/>", n) + "</a>" } // two tokens each
	padded := func(n int) string { return "<a>" + strings.Repeat(" ", n-len("<a></a>")) + "</a>" }
	for _, tt := range []struct {
		name, in string
		want     string // of the error; "" if it is read
	}{
		{"as devices write it", "<?xml version=\"1.0\"?>\n<!-- x --><root xmlns=\"urn:x\"><a>b</a></root>\n", ""},
		{"prefixes", `<s:Envelope xmlns:s="x"><s:Body/></s:Envelope>`, ""},
		{"what follows is not read", "<a/>" + strings.Repeat("<", 100), ""},
		{"as deep as allowed", nested(maxXMLDepth), ""},
		{"deeper", nested(maxXMLDepth + 1), "deeper than 32"},
		{"as many tokens as allowed", many(maxXMLTokens/2 - 1), ""},
		{"more tokens", many(maxXMLTokens / 2), "more than 5000 tokens"},
		{"as large as allowed", padded(maxXML), ""},
		{"larger", padded(maxXML + 1), "more than 262144 bytes"},
		{"document type", `<!DOCTYPE a><a/>`, "a document type"},
		{"entities of its own", `<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>`, "a document type"},
		{"external entity", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`, "a document type"},
		{"unknown entity", `<a>&b;</a>`, ""},
		{"document type within", `<a><!DOCTYPE b></a>`, "a document type"},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`, ""},
		{"a byte of another encoding", "<a>\xff</a>", ""},
		{"UTF-16", "\xff\xfe<\x00a\x00/\x00>\x00", "syntax error"},
		{"ends early", "<a><b>", "unexpected EOF"},
		{"nothing", "", "it ends early"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := ParseXML([]byte(tt.in))
			if (err == nil) != (tt.want == "") || root == nil && err == nil {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err != nil && (!errors.Is(err, prober.ErrUnreadable) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

// What a document says is read in whatever way it is written.
func TestXMLText(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"UTF-8", "<a>Küche</a>", "Küche"},
		{"a bare ampersand", "<a>Chat & Play</a>", "Chat & Play"},
		{"an entity that is none", "<a>A&B;C&amp;D&#x41;</a>", "A&B;C&DA"},
		{"in CDATA", "<a><![CDATA[/x?a=1&b=2]]></a>", "/x?a=1&b=2"},
		{"Latin-1 without saying so", "<a>K\xfcche</a>", "Küche"},
		{"Latin-1 that says UTF-8", "<?xml version=\"1.0\" encoding=\"utf-8\"?><a>K\xfcche ü</a>", "Küche ü"},
		{"ISO-8859-1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>K\xfcche</a>", "Küche"},
		{"UTF-8 that says ISO-8859-1", "<?xml version='1.0' encoding='iso-8859-1'?><a>Küche</a>", "Küche"},
		{"Windows-1252", "<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x801</a>", "€1"},
		{"GB2312", "<?xml version=\"1.0\" encoding=\"gb2312\"?><a>\xd6\xd0\xb9\xfa</a>", "中国"},
		{"GBK", "<?xml version=\"1.0\" encoding=\"GBK\"?><a>\x81\x40</a>", "丂"},
		{"a control character", "<a>a\x01b</a>", "a b"},
		{"a mark of byte order", "\xef\xbb\xbf<a>b</a>", "b"},
	} {
		root, err := ParseXML([]byte(tt.in))
		if err != nil || root.Text != tt.want {
			t.Errorf("%s: %v, %v; want %q", tt.name, root, err, tt.want)
		}
	}
}

// What comes before a place that makes no sense is there.
func TestXMLBeforeTheEnd(t *testing.T) {
	root, err := ParseXML([]byte("<a><b>1</b><c>2 <3 </c><d>4</d></a>"))
	if err == nil || root.Value("b") != "1" || !root.Child("b").Whole || root.Child("c").Whole || root.Child("d").Name != "" {
		t.Errorf("%+v, %v", root, err)
	}
}

func TestXMLTextIsCut(t *testing.T) {
	root, err := ParseXML([]byte("<a>" + strings.Repeat("x", maxXMLText-1) + "<b/>" + strings.Repeat("y", 100_000) + "</a>"))
	if err != nil || len(root.Text) != maxXMLText {
		t.Errorf("%d bytes of text, %v; want %d", len(root.Text), err, maxXMLText)
	}
}
