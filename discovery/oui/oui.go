// Package oui tells to which company a MAC address is assigned, from a table of
// the IEEE's registries MA-L (24 bits), MA-M (28 bits) and MA-S (36 bits) that
// is part of the program.
//
// The company is the one that bought the address range: often the maker of the
// radio module and not of the product. It is not this package's job to guess
// the product.
//
// The table is made from the npm package oui-data (BSD-2-Clause; the IEEE
// asserts no copyright in the registries). To bring it up to date:
//
//	cd discovery/oui
//	npm pack oui-data@latest && tar xzf oui-data-*.tgz
//	go generate && rm -r package oui-data-*.tgz
//
// With OUI_DATA set to the path of package/index.json the tests check that the
// table was made from that file.
package oui

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
)

//go:embed table.gz
var compressed []byte

// nameBits is the space for the number of a name beside the prefix in a row.
const nameBits = 20

// registry is the table of one length of prefix, sorted by prefix.
type registry struct {
	bits int
	rows []uint64 // prefix << nameBits | number of the name
}

type table struct {
	names      []string
	registries []registry // longest prefix first
}

// loaded unpacks the table at the first question: some 10 ms and 2 MB, which a
// run without unknown vendors need not spend.
var loaded = sync.OnceValue(func() *table {
	t, err := load(bytes.NewReader(compressed))
	if err != nil {
		panic(fmt.Sprintf("embedded table of vendors: %v", err)) // a broken build
	}
	return t
})

// Vendor returns the company to which the address, 12 hex digits without
// separators, is assigned. It returns false for locally administered addresses
// (such as the private addresses of phones), group addresses, ranges whose owner
// is not public, and anything that is no MAC address.
func Vendor(mac string) (name string, ok bool) {
	if len(mac) != 12 {
		return "", false
	}
	v, err := strconv.ParseUint(mac, 16, 48)
	if err != nil || v>>40&0b11 != 0 {
		return "", false
	}
	return loaded().vendor(v)
}

// Random reports whether the address, 12 hex digits without separators, is
// locally administered (IEEE 802c): made up by the device, as phones do for
// privacy, or by software.
func Random(mac string) bool {
	v, err := strconv.ParseUint(mac, 16, 48)
	return len(mac) == 12 && err == nil && v>>40&0b10 != 0
}

func (t *table) vendor(mac uint64) (string, bool) {
	for _, r := range t.registries {
		want := mac >> (48 - r.bits)
		if i, ok := slices.BinarySearchFunc(r.rows, want, func(row, want uint64) int {
			return int(int64(row>>nameBits) - int64(want))
		}); ok {
			return t.names[r.rows[i]&(1<<nameBits-1)], true
		}
	}
	return "", false
}

// load reads what gen wrote: the number of names and the names, each with its
// length; then for each registry its bits, its number of rows, and the rows as
// distance from the prefix before and number of the name. All are uvarints.
func load(r io.Reader) (*table, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	d := decoder{rest: plain, text: string(plain)}
	t := &table{names: make([]string, d.number(1<<nameBits))}
	for i := range t.names {
		t.names[i] = d.name()
	}
	for range 3 {
		reg := registry{bits: int(d.number(48))}
		reg.rows = make([]uint64, d.number(1<<nameBits))
		prefix := uint64(0)
		for i := range reg.rows {
			prefix += d.number(1 << 48)
			reg.rows[i] = prefix<<nameBits | d.number(uint64(max(len(t.names), 1)-1))
		}
		t.registries = append(t.registries, reg)
	}
	return t, d.err
}

// decoder reads numbers until the first error and zeros after it.
type decoder struct {
	rest []byte
	text string // the whole, of which names are parts
	err  error
}

func (d *decoder) number(most uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > most {
		d.err = fmt.Errorf("no number up to %d at %d bytes before the end", most, len(d.rest))
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) name() string {
	length := int(d.number(1 << 10))
	if length > len(d.rest) {
		d.err = io.ErrUnexpectedEOF
		return ""
	}
	at := len(d.text) - len(d.rest)
	d.rest = d.rest[length:]
	return d.text[at : at+length]
}
