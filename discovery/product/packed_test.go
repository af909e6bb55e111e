package product

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write generated files anew")

// TestPackedIsCurrent: the program holds what stands on the cards.
func TestPackedIsCurrent(t *testing.T) {
	want, err := pack(parseAll(t).All())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("packed.jsonl", want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got, err := os.ReadFile("packed.jsonl"); err != nil || !bytes.Equal(want, got) {
		t.Fatalf("packed.jsonl is not that of the cards (%v): run make generate", err)
	}
	c, err := unpack(want)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pack(c.All())
	if err != nil || !bytes.Equal(want, again) {
		t.Errorf("unpacking loses something (%v):\n%s\nis not\n%s", err, again, want)
	}
}

// TestCompiledIsBounded: no device makes the program keep all expressions.
func TestCompiledIsBounded(t *testing.T) {
	c := &compiled{}
	for i := range 3 * maxCompiled {
		text := fmt.Sprintf("^a%d$", i)
		if e := (expression{text, c}); !e.re().MatchString(text[1 : len(text)-1]) {
			t.Fatalf("%s does not match", text)
		}
		if len(c.kept) > maxCompiled {
			t.Fatalf("%d expressions are kept, want at most %d", len(c.kept), maxCompiled)
		}
	}
}
