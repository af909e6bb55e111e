// Command notices prints the licences of Go and of every module that is part of
// the released programs, of whatever system. A module without a licence is an
// error. It judges no licence: that is done when a dependency is added.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("asking for Go's folder: %w", err)
	}
	dirs := map[string]string{"Go": strings.TrimSpace(string(root))}
	for _, system := range []string{"linux", "darwin", "windows"} {
		if err := modules(system, dirs); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "Thingwarden contains the following software of others.")
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		texts, err := licences(dirs[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), name, strings.Join(texts, "\n\n"))
	}
	return nil
}

// modules adds each module that the program for the system is made of, by name
// and version, with its folder.
func modules(system string, dirs map[string]string) error {
	list := exec.Command("go", "list", "-deps", "-json=Module", ".")
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	b, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing modules for %s: %w", system, err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the list of modules: %w", err)
		}
		if m := p.Module; m != nil && !m.Main {
			dirs[m.Path+" "+m.Version] = m.Dir
		}
	}
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-.].*)?$`)

// licences returns the texts of the licence files at the top of a module.
func licences(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, f := range files {
		if f.IsDir() || !licenceName.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n")))
	}
	if len(texts) == 0 {
		return nil, errors.New("no licence file")
	}
	return texts, nil
}
