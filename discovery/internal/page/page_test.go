package page

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober/probertest"
)

func FuzzReadForm(f *testing.F) {
	for _, b := range probertest.Seeds(f, "../../protocol/http/testdata") {
		_, body, _ := strings.Cut(string(b), "\n\n")
		f.Add([]byte(body), "text/html")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		got := Read(body, contentType)
		if fact.Clean(got.Title, fact.MaxText) != got.Title || !utf8.ValidString(got.Title) {
			t.Errorf("title %q is not clean", got.Title)
		}
		if got.Settings() != "" && !utf8.ValidString(got.Settings()) {
			t.Errorf("settings %q", got.Settings())
		}
		if got.Password && !strings.Contains(strings.ToLower(string(body)), "input") {
			t.Errorf("a password field in %q", body)
		}
	})
}

func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Basic realm="x"`, `Digest qop="auth", realm="a, b", nonce=c, Basic realm=d`, `Negotiate abc==`, `a"b\`, ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := Challenges([]string{value, value})
		if len(got) > maxChallenges {
			t.Errorf("%d challenges", len(got))
		}
		for _, c := range got {
			if !isToken(c.Scheme) || fact.Clean(c.Realm, fact.MaxText) != c.Realm {
				t.Errorf("challenge %+v", c)
			}
		}
	})
}

func TestChallenges(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		want []Challenge
	}{
		{"none", nil, nil},
		{"basic", []string{`Basic realm="IP Camera"`}, []Challenge{{"basic", "IP Camera"}}},
		{"no realm", []string{"Basic"}, []Challenge{{"basic", ""}}},
		{"two values", []string{`Digest realm="a", nonce="n"`, `BASIC realm="b"`}, []Challenge{{"digest", "a"}, {"basic", "b"}}},
		{"two in one value", []string{`Digest realm="a, x", nonce="n", Basic realm="b"`}, []Challenge{{"digest", "a, x"}, {"basic", "b"}}},
		{"realm is not the first", []string{`Digest qop="auth", algorithm=MD5, realm="a"`}, []Challenge{{"digest", "a"}}},
		{"spaces", []string{`Basic  realm = "a b"`, `Basic charset="UTF-8",realm = "c"`}, []Challenge{{"basic", "a b"}, {"basic", "c"}}},
		{"escapes", []string{`Basic realm="a \"b\" \\ c"`}, []Challenge{{"basic", `a "b" \ c`}}},
		{"token", []string{"Negotiate YII=, Basic realm=x"}, []Challenge{{"negotiate", ""}, {"basic", "x"}}},
		{"control characters", []string{"Basic realm=\"a\x1b[31m\u202eb\""}, []Challenge{{"basic", "a[31mb"}}},
		{"junk", []string{`="`, `"""`, "realm=x", "()"}, nil},
		{"a name that only begins so", []string{`Basic-like realm="x"`}, []Challenge{{"basic-like", "x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Challenges(tt.in), cmp.AllowUnexported(Challenge{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
