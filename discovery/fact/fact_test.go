package fact

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestSetGet(t *testing.T) {
	e := New("telnet", noon)
	if _, ok := TelnetOpen.Get(e); ok {
		t.Fatal("a word that nobody set is known")
	}
	TelnetOpen.Unknown(e, NoAnswer)
	if _, ok := TelnetOpen.Get(e); ok {
		t.Fatal("an unknown word is known")
	}
	TelnetOpen.Set(e, false, "tcp/23: refused")
	TelnetOpen.Unknown(e, NoAnswer)
	if v, ok := TelnetOpen.Get(e); v || !ok {
		t.Fatalf("TelnetOpen = %v, %v; want false, true: unknown must not replace a known value", v, ok)
	}
	want := []Entry{{Name: "telnet.open", Value: false, Proof: "tcp/23: refused", By: "telnet", At: noon}}
	if d := cmp.Diff(want, e.Entries()); d != "" {
		t.Error(d)
	}
}

// A value outside a closed list is a mistake of whoever sets it, and one without
// a reason too: both fail the tests that run into them.
func TestMisusePanicsInTests(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Evidence)
	}{
		{"outside the closed list", func(e *Evidence) { DeviceClass.Set(e, "camera\x1b[31m", "") }},
		{"likely, outside the closed list", func(e *Evidence) { DeviceClass.SetLikely(e, "gadget", "") }},
		{"unknown without a reason", func(e *Evidence) { DeviceClass.Unknown(e, "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			tt.do(New("x", noon))
		})
	}
}

func TestLikely(t *testing.T) {
	type set func(e *Evidence)
	sure := func(v string) set { return func(e *Evidence) { DeviceClass.Set(e, v, "sure") } }
	likely := func(v string) set { return func(e *Evidence) { DeviceClass.SetLikely(e, v, "likely") } }
	for _, tt := range []struct {
		name string
		in   []set
		want Entry
	}{
		{"a sign alone", []set{likely("camera")}, Entry{Value: "camera", Proof: "likely", Likely: true}},
		{"the last sign", []set{likely("camera"), likely("plug")}, Entry{Value: "plug", Proof: "likely", Likely: true}},
		{"a sign replaces no proof", []set{sure("plug"), likely("camera")}, Entry{Value: "plug", Proof: "sure"}},
		{"proof replaces a sign", []set{likely("camera"), sure("plug")}, Entry{Value: "plug", Proof: "sure"}},
		{"unknown replaces no sign", []set{likely("camera"), func(e *Evidence) { DeviceClass.Unknown(e, NoAnswer) }},
			Entry{Value: "camera", Proof: "likely", Likely: true}},
		{"a sign replaces unknown", []set{func(e *Evidence) { DeviceClass.Unknown(e, NoAnswer) }, likely("camera")},
			Entry{Value: "camera", Proof: "likely", Likely: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New("x", noon)
			for _, set := range tt.in {
				set(e)
			}
			tt.want.Name, tt.want.By, tt.want.At = "device.class", "x", noon
			if d := cmp.Diff([]Entry{tt.want}, e.Entries()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTimeThatNoFileCanHoldIsUnknown(t *testing.T) {
	for _, year := range []int{-1, 10000} {
		e := New("x", noon)
		DeviceFirstSeen.Set(e, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), "")
		if n, _ := e.Entry("device.first_seen"); n.Why != Unreadable {
			t.Errorf("year %d: %+v, want unreadable", year, n)
		}
		if _, err := json.Marshal(e.Entries()); err != nil {
			t.Errorf("year %d: %v", year, err)
		}
	}
}

func TestExpire(t *testing.T) {
	e := New("telnet", noon)
	TelnetOpen.Set(e, true, "tcp/23: login:")
	DeviceKind.Set(e, "lan", "")
	if next := e.Expire(noon); !next.Equal(noon.Add(week)) {
		t.Errorf("next = %v, want a week later", next)
	}
	if next := e.Expire(noon.Add(week)); !next.IsZero() {
		t.Errorf("next = %v, want none", next)
	}
	if n, _ := e.Entry("telnet.open"); n.Known() || n.Why != Stale {
		t.Errorf("telnet.open = %+v, want stale", n)
	}
	if _, ok := DeviceKind.Get(e); !ok {
		t.Error("a word without MaxAge expired")
	}
}

func TestClean(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		max            int
	}{
		{"plain", "Porch camera", "Porch camera", 64},
		{"escape sequence", "a\x1b[31mred", "a[31mred", 64},
		{"control and NUL", "a\x00b\x07c", "abc", 64},
		{"bidi override", "abc\u202egnp.exe", "abcgnp.exe", 64},
		{"zero width", "a\u200bb\ufeffc", "abc", 64},
		{"white space folds", "  a \t\r\n b  ", "a b", 64},
		{"invalid UTF-8", "a\xff\xfeb", "ab", 64},
		{"cut", strings.Repeat("ä", 100), strings.Repeat("ä", 10), 10},
		{"cut after a space", "a b", "a", 2},
		{"private use", "a\ue000b", "ab", 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in, tt.max); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[0m \u202e", 10)
	f.Fuzz(func(t *testing.T, s string, max int) {
		got := Clean(s, max%1000)
		if n := len([]rune(got)); max >= 0 && n > max%1000 {
			t.Fatalf("%d runes, want at most %d", n, max%1000)
		}
		if strings.ContainsAny(got, "\x00\x1b\r\n\u202e\u200b") {
			t.Fatalf("%q is not clean", got)
		}
		if again := Clean(got, 1000); again != got {
			t.Fatalf("cleaning %q again gives %q", got, again)
		}
	})
}

func TestEntryJSON(t *testing.T) {
	e := New("x", noon)
	TelnetOpen.Set(e, true, "p")
	TelnetPort.Set(e, 23, "p")
	HTTPTitle.Set(e, "t", "p")
	DeviceFirstSeen.Set(e, noon, "p")
	MDNSServices.Set(e, []string{"_http._tcp"}, "p")
	HTTPRealm.Unknown(e, NoAnswer)
	DeviceClass.SetLikely(e, "camera", "p")
	b, err := json.Marshal(e.Entries())
	if err != nil {
		t.Fatal(err)
	}
	var got []Entry
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.Entries(), got); d != "" {
		t.Error(d)
	}
	var old Entry
	if err := json.Unmarshal([]byte(`{"name":"device.platform","value":"shelly","at":"2026-11-23T12:00:00Z"}`), &old); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Entry{Name: "device.product", Value: "shelly", At: noon}, old); d != "" {
		t.Errorf("a word of 0.1.0: %s", d)
	}
	var other []Entry
	if err := json.Unmarshal([]byte(`[{"name":"no.such","value":1},{"name":"telnet.open","value":"yes"}]`), &other); err != nil {
		t.Fatal(err)
	}
	for _, n := range other {
		if New("x", noon).Put(n) {
			t.Errorf("entry of another version was taken: %+v", n)
		}
	}
}

func TestVocabulary(t *testing.T) {
	for _, w := range Words() {
		if w.Doc == "" || !strings.HasSuffix(w.Doc, ".") {
			t.Errorf("%s: doc %q is no sentence", w.Name, w.Doc)
		}
		if w.Type == "" || !strings.Contains(w.Name, ".") || w.Name != strings.ToLower(w.Name) {
			t.Errorf("word %+v is malformed", w)
		}
		if Lookup(w.Name) != w {
			t.Errorf("%s: there are two words of that name", w.Name)
		}
	}
}

func TestWhyIsSaidInWords(t *testing.T) {
	for _, w := range []Why{NotProbed, TouchLevel, Refused, NoAnswer, Unreadable, SourceDown, Stale, NotReported, PolicyErr, Conflict} {
		if got := w.Plain(); got == string(w) || !strings.Contains(got, " ") {
			t.Errorf("%s is said as %q", w, got)
		}
	}
	if got := Why("made\x1bup").Plain(); got != "madeup" {
		t.Errorf("an unknown reason is said as %q", got)
	}
}

// What shares its entries with others does not change theirs.
func TestSharedEvidence(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		change func(*Evidence)
	}{
		{"set", func(e *Evidence) { TelnetOpen.Set(e, true, "") }},
		{"set anew", func(e *Evidence) { DeviceModel.Set(e, "other", "") }},
		{"unknown", func(e *Evidence) { e.MarkUnknown(TelnetOpen.Name(), NoAnswer) }},
		{"remove", func(e *Evidence) { e.Remove(DeviceModel.Name()) }},
		{"finish", func(e *Evidence) { e.Finish("b") }},
		{"unfinish", func(e *Evidence) { e.Unfinish("a") }},
		{"expire", func(e *Evidence) { e.Expire(at.Add(10 * 365 * 24 * time.Hour)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New("test", at)
			DeviceModel.Set(e, "lamp", "")
			WANMappingsComplete.Set(e, true, "") // has a greatest age
			e.Finish("a")
			e.Finish("c")
			clone, entries, finished := e.Clone(), e.Entries(), e.FinishedBy()
			wantEntries, wantFinished := slices.Clone(entries), slices.Clone(finished)
			tt.change(e)
			if d := cmp.Diff(wantEntries, entries); d != "" {
				t.Errorf("entries that were handed out changed:\n%s", d)
			}
			if d := cmp.Diff(wantEntries, clone.Entries()); d != "" {
				t.Errorf("the clone's entries changed:\n%s", d)
			}
			if d := cmp.Diff(wantFinished, finished); d != "" {
				t.Errorf("names that were handed out changed:\n%s", d)
			}
			if cmp.Equal(wantEntries, e.Entries()) && cmp.Equal(wantFinished, e.FinishedBy()) {
				t.Error("nothing changed")
			}
			again := e.Entries()
			tt.change(clone)
			if d := cmp.Diff(again, e.Entries()); d != "" {
				t.Errorf("a change of the clone shows in the original:\n%s", d)
			}
		})
	}
}
