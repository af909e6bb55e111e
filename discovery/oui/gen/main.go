// Command gen writes the table of package oui from the index.json of the npm
// package oui-data, an object of prefix to company name and address.
package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	in := flag.String("in", "", "index.json of oui-data")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintf(os.Stderr, "make table of vendors from %q: %v\n", *in, err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	table, err := encode(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(out, table, 0o644)
}

type row struct {
	prefix uint64
	name   string
}

// encode writes the format that package oui documents.
func encode(raw []byte) ([]byte, error) {
	var index map[string]string
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, err
	}
	if len(index) < 40_000 {
		return nil, fmt.Errorf("%d prefixes, want more than 40,000: the file is not complete", len(index))
	}
	rows := map[int][]row{}
	var names []string
	for hex, text := range index {
		name, _, _ := strings.Cut(text, "\n")
		prefix, err := strconv.ParseUint(hex, 16, 48)
		if err != nil || !slices.Contains([]int{6, 7, 9}, len(hex)) {
			return nil, errors.Join(fmt.Errorf("prefix %q", hex), err)
		}
		// The authority's own rows mean that the range is assigned in smaller
		// parts; the owner of a "Private" one is not told.
		if name == "IEEE Registration Authority" || name == "Private" {
			continue
		}
		rows[4*len(hex)] = append(rows[4*len(hex)], row{prefix, name})
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var text []byte
	at := map[string]uint64{}
	for _, n := range names {
		if len(n) > 255 {
			return nil, fmt.Errorf("the name %q has more than 255 bytes", n)
		}
		at[n] = uint64(len(text))
		text = append(append(text, byte(len(n))), n...)
	}
	if len(text) >= 1<<24 {
		return nil, fmt.Errorf("the names have %d bytes, more than 24 bits can tell", len(text))
	}
	var b []byte
	for _, bits := range []int{36, 28, 24} {
		slices.SortFunc(rows[bits], func(a, b row) int { return cmp.Compare(a.prefix, b.prefix) })
		b = binary.BigEndian.AppendUint32(append(b, byte(bits)), uint32(len(rows[bits])))
		for _, r := range rows[bits] {
			b = binary.BigEndian.AppendUint64(b, r.prefix<<24|at[r.name])
		}
	}
	return append(b, text...), nil
}
