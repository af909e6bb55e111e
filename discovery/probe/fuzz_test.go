package probe

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// seeds are what the devices of the transcripts say.
func seeds(f *testing.F, probe string) (out [][]byte) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", probe, "*.txtar"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no transcripts of %q: %v", probe, err)
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.Contains(file.Name, "/") {
				out = append(out, file.Data)
			}
		}
	}
	return out
}

func FuzzReadForm(f *testing.F) {
	for _, b := range seeds(f, "http") {
		_, body, _ := strings.Cut(string(b), "\n\n")
		f.Add([]byte(body), "text/html")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		got := readForm(body, contentType)
		if fact.Clean(got.title, fact.MaxText) != got.title || !utf8.ValidString(got.title) {
			t.Errorf("title %q is not clean", got.title)
		}
		if got.settings() != "" && !utf8.ValidString(got.settings()) {
			t.Errorf("settings %q", got.settings())
		}
		if got.password && !strings.Contains(strings.ToLower(string(body)), "input") {
			t.Errorf("a password field in %q", body)
		}
	})
}

func FuzzClassifyBanner(f *testing.F) {
	for _, b := range seeds(f, "telnet") {
		f.Add(b)
	}
	f.Add([]byte("\xff\xfa\x18\x01\xff\xf0login: "))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind := classifyBanner(b)
		text, commands := stripCommands(b)
		if len(text) > len(b) || (kind == silentBanner) != (len(b) == 0) {
			t.Errorf("%q: %v, text %q", b, kind, text)
		}
		if commands && kind != loginBanner && kind != otherBanner {
			t.Errorf("commands in %q, but %v", b, kind)
		}
		if s := readable(b); fact.Clean(s, fact.MaxText) != s {
			t.Errorf("proof %q is not clean", s)
		}
	})
}

// bodies are what the devices of the transcripts answer by HTTP.
func bodies(f *testing.F, probe string) (out [][]byte) {
	f.Helper()
	for _, b := range seeds(f, probe) {
		if _, body, ok := bytes.Cut(b, []byte("\n\n")); ok {
			out = append(out, body)
		}
	}
	return out
}

// answers are what the devices of the transcripts say on ports of their own.
func answers(f *testing.F, probe string) (out [][]byte) {
	f.Helper()
	for _, b := range seeds(f, probe) {
		if s, err := strconv.Unquote(`"` + strings.TrimSuffix(string(b), "\n") + `"`); err == nil {
			out = append(out, []byte(s))
		}
	}
	if len(out) == 0 {
		f.Fatal("no seeds")
	}
	return out
}

func FuzzRTSP(f *testing.F) {
	for _, b := range answers(f, "rtsp") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _ := readRTSP(bytes.NewReader(b))
		if fact.Clean(d.line, fact.MaxText) != d.line || d.status < 0 || d.status > 999 {
			t.Errorf("%q: %+v", b, d)
		}
		if d.video && (d.status != 200 || !bytes.Contains(b, []byte("\nm=video "))) {
			t.Errorf("a picture in %q", b)
		}
	})
}

func FuzzShelly(f *testing.F) {
	for _, b := range bodies(f, "shelly") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &prober.Response{Status: 200, Body: body}
		e := fact.New("shelly", today)
		info, why := readShelly(r, nil)
		if why == "" {
			info.tell(e, "", today)
		} else if why != fact.Unreadable {
			t.Errorf("why = %q", why)
		}
		setAccessPoint(e, r, "")
		readGen1Update(r, string(info.FW))
		readGen2Update(r, string(info.Version))
		if open, ok := fact.ControlOpen.Get(e); ok && open && !bytes.Contains(bytes.ToLower(body), []byte("auth")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("open, by %q", body)
		}
	})
}

func FuzzTasmota(f *testing.F) {
	for _, b := range bodies(f, "tasmota") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &prober.Response{Status: 200, Body: body}
		for _, s := range []tasmotaStatus{readStatus2(r), readTasmotaPage(r)} {
			e := fact.New("tasmota", today)
			s.tell(e, today)
			if (s.open == unclear) == (s.proof != "") || len(e.Entries()) != len(tasmotaWords) {
				t.Errorf("%q: %+v", body, s)
			}
		}
	})
}

func FuzzESPHello(f *testing.F) {
	for _, b := range answers(f, "esphome") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readESPHello(bytes.NewReader(b))
		if err == nil && (len(b) < 3 || h.noise != (b[0] == encryptedFrame)) {
			t.Errorf("%x: %+v", b, h)
		}
		if fact.Clean(h.version, fact.MaxText) != h.version {
			t.Errorf("version %q is not clean", h.version)
		}
	})
}

func FuzzConnack(f *testing.F) {
	for _, b := range answers(f, "mqtt") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := readConnack(b); got == accepted && (len(b) < 4 || b[0] != connack || b[3] != 0) {
			t.Errorf("%x: accepted", b)
		}
	})
}

func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Basic realm="x"`, `Digest qop="auth", realm="a, b", nonce=c, Basic realm=d`, `Negotiate abc==`, `a"b\`, ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := challenges([]string{value, value})
		if len(got) > maxChallenges {
			t.Errorf("%d challenges", len(got))
		}
		for _, c := range got {
			if !isToken(c.scheme) || fact.Clean(c.realm, fact.MaxText) != c.realm {
				t.Errorf("challenge %+v", c)
			}
		}
	})
}

func TestChallenges(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		want []challenge
	}{
		{"none", nil, nil},
		{"basic", []string{`Basic realm="IP Camera"`}, []challenge{{"basic", "IP Camera"}}},
		{"no realm", []string{"Basic"}, []challenge{{"basic", ""}}},
		{"two values", []string{`Digest realm="a", nonce="n"`, `BASIC realm="b"`}, []challenge{{"digest", "a"}, {"basic", "b"}}},
		{"two in one value", []string{`Digest realm="a, x", nonce="n", Basic realm="b"`}, []challenge{{"digest", "a, x"}, {"basic", "b"}}},
		{"realm is not the first", []string{`Digest qop="auth", algorithm=MD5, realm="a"`}, []challenge{{"digest", "a"}}},
		{"spaces", []string{`Basic  realm = "a b"`, `Basic charset="UTF-8",realm = "c"`}, []challenge{{"basic", "a b"}, {"basic", "c"}}},
		{"escapes", []string{`Basic realm="a \"b\" \\ c"`}, []challenge{{"basic", `a "b" \ c`}}},
		{"token", []string{"Negotiate YII=, Basic realm=x"}, []challenge{{"negotiate", ""}, {"basic", "x"}}},
		{"control characters", []string{"Basic realm=\"a\x1b[31m\u202eb\""}, []challenge{{"basic", "a[31mb"}}},
		{"junk", []string{`="`, `"""`, "realm=x", "()"}, nil},
		{"a name that only begins so", []string{`Basic-like realm="x"`}, []challenge{{"basic-like", "x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, challenges(tt.in), cmp.AllowUnexported(challenge{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
