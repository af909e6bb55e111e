package probe

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
		{"unknown entity", `<a>&b;</a>`, "invalid character entity"},
		{"document type within", `<a><!DOCTYPE b></a>`, "a document type"},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`, "encoding"},
		{"no UTF-8", "<a>\xff</a>", "UTF-8"},
		{"ends early", "<a><b>", "unexpected EOF"},
		{"nothing", "", "it ends early"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := parseXML([]byte(tt.in))
			if (root == nil) != (err != nil) || (err == nil) != (tt.want == "") {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err != nil && (!errors.Is(err, prober.ErrUnreadable) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestXMLTextIsCut(t *testing.T) {
	root, err := parseXML([]byte("<a>" + strings.Repeat("x", maxXMLText-1) + "<b/>" + strings.Repeat("y", 100_000) + "</a>"))
	if err != nil || len(root.text) != maxXMLText {
		t.Errorf("%d bytes of text, %v; want %d", len(root.text), err, maxXMLText)
	}
}
