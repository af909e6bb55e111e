package probertest

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Seeds returns what the devices of the archives in folders say, for fuzz tests;
// the folders are those of Files.
func Seeds(f *testing.F, folders ...string) (out [][]byte) {
	f.Helper()
	for _, name := range Files(f, folders...) {
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

// Bodies returns what they answer by HTTP.
func Bodies(f *testing.F, folders ...string) (out [][]byte) {
	f.Helper()
	for _, b := range Seeds(f, folders...) {
		if _, body, ok := bytes.Cut(b, []byte("\n\n")); ok {
			out = append(out, body)
		}
	}
	return out
}

// Answers returns what they say on ports of their own.
func Answers(f *testing.F, folders ...string) (out [][]byte) {
	f.Helper()
	for _, b := range Seeds(f, folders...) {
		if s, err := strconv.Unquote(`"` + strings.TrimSuffix(string(b), "\n") + `"`); err == nil {
			out = append(out, []byte(s))
		}
		if datagram, err := hex.DecodeString(strings.Join(strings.Fields(string(b)), "")); err == nil && len(datagram) > 0 {
			out = append(out, datagram)
		}
	}
	if len(out) == 0 {
		f.Fatal("no seeds")
	}
	return out
}
