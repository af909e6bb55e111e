// Package oui tells to which company a MAC address is assigned, from a table of
// the IEEE's registries MA-L (24 bits), MA-M (28 bits) and MA-S (36 bits) that
// is part of the program.
//
// The company is the one that bought the address range: often the maker of the
// radio module and not of the product. It is not this package's job to guess
// the product.
//
// The table is made from the npm package oui-data (BSD-2-Clause; the IEEE
// asserts no copyright in the registries). To bring it up to date, raise
// OUI_DATA_VERSION in the Makefile and run "make data".
//
// With OUI_DATA set to the path of package/index.json the tests check that the
// table was made from that file.
package oui

import (
	_ "embed"
	"sort"
	"strconv"
)

// table is what gen wrote. It is read where it lies in the program: unpacked it
// would be two megabytes of the heap.
//
// For each registry, that of the longest prefixes first, there are the number of
// bits in a prefix (1 byte), the number of rows (4) and the rows (8 each), sorted:
// the prefix, and in the lower nameBits where in the text behind the registries
// the company's name stands, with its length before it (1). Numbers are big-endian.
//
//go:embed table.bin
var table string

const (
	registries = 3
	nameBits   = 24
	rowSize    = 8
)

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
	return vendor(v)
}

// Random reports whether the address, 12 hex digits without separators, is
// locally administered (IEEE 802c): made up by the device, as phones do for
// privacy, or by software.
func Random(mac string) bool {
	v, err := strconv.ParseUint(mac, 16, 48)
	return len(mac) == 12 && err == nil && v>>40&0b10 != 0
}

func vendor(mac uint64) (string, bool) {
	var all [registries]registry
	names := table
	for i := range all {
		all[i], names = nextRegistry(names)
	}
	for _, r := range all {
		want := mac >> (48 - r.bits)
		n := len(r.rows) / rowSize
		i := sort.Search(n, func(i int) bool { return r.row(i)>>nameBits >= want })
		if i < n && r.row(i)>>nameBits == want {
			return nameAt(names, r.row(i)), true
		}
	}
	return "", false
}

// registry is the part of the table with prefixes of one length.
type registry struct {
	bits int
	rows string
}

// nextRegistry splits the first registry off.
func nextRegistry(s string) (registry, string) {
	size := int(number(s[1:5])) * rowSize
	return registry{int(s[0]), s[5 : 5+size]}, s[5+size:]
}

func (r registry) row(i int) uint64 { return number(r.rows[i*rowSize : (i+1)*rowSize]) }

func nameAt(names string, row uint64) string {
	names = names[row&(1<<nameBits-1):]
	return names[1 : 1+names[0]]
}

func number(s string) (n uint64) {
	for i := range len(s) {
		n = n<<8 | uint64(s[i])
	}
	return n
}
