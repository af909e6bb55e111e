package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/thingwarden/thingwarden/discovery/builtin"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/product"
)

const module = "github.com/thingwarden/thingwarden"

// goPackage is what "go list" tells of a package.
type goPackage struct {
	ImportPath, Dir                  string
	GoFiles, IgnoredGoFiles, Imports []string
}

// path is the import path inside the module; "." is the root.
func (p goPackage) path() string {
	return strings.TrimPrefix(strings.Replace(p.ImportPath, module, ".", 1), "./")
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImports holds the direction in which data flows: discovery learns, policy
// judges, agent tells. Each package may import, of ours, what the first rule that
// fits it lists; "/..." means all below too.
func TestImports(t *testing.T) {
	type rule struct {
		pkg     string
		imports []string
	}
	rules := []rule{
		{".", []string{"agent/..."}},
		{"discovery/fact", nil},
		{"discovery/oui/...", nil},
		{"discovery/product", []string{"discovery", "discovery/fact", "discovery/internal/..."}},
		{"discovery/product/gen", nil},
		{"discovery/product/...", []string{"discovery", "discovery/fact", "discovery/oui", "discovery/network", "discovery/prober", "discovery/product", "discovery/internal/..."}},
		{"discovery/lab/...", []string{"discovery/lab/..."}},
		{"discovery", []string{"discovery/fact"}},
		{"discovery/network", []string{"discovery"}},
		{"discovery/inventory", []string{"discovery", "discovery/fact", "discovery/internal/..."}},
		{"discovery/prober", []string{"discovery", "discovery/fact", "discovery/internal/..."}},
		{"discovery/prober/...", []string{"discovery", "discovery/fact", "discovery/prober/...", "discovery/internal/..."}},
		{"discovery/internal/...", []string{"discovery", "discovery/fact", "discovery/prober", "discovery/internal/..."}},
		{"discovery/source/sourcetest", []string{"discovery", "discovery/fact"}},
		{"discovery/source/...", []string{"discovery", "discovery/fact", "discovery/oui", "discovery/network", "discovery/inventory", "discovery/prober", "discovery/internal/..."}},
		{"discovery/builtin/gen", nil},
		{"discovery/builtin", []string{"discovery", "discovery/prober", "discovery/source/...", "discovery/protocol/...", "discovery/product/..."}},
		{"discovery/protocol/...", []string{"discovery", "discovery/fact", "discovery/oui", "discovery/network", "discovery/prober", "discovery/product", "discovery/internal/..."}},
		{"policy/...", []string{"discovery/fact", "policy/..."}},
		{"ha-addon/...", nil}, // tests, and the dashboard
		{"packaging/...", nil},
		{"agent/broker/...", []string{"discovery", "agent/broker/..."}},
		{"agent/report", []string{"discovery", "discovery/fact", "policy"}},
		{"agent/home", []string{"agent/report", "discovery", "discovery/fact", "discovery/inventory", "discovery/prober", "discovery/product", "policy"}},
		{"agent/hass/...", []string{"agent/report", "discovery", "discovery/fact", "policy", "agent/hass/..."}},
		{"agent/web/...", []string{"agent/report", "discovery", "discovery/fact", "policy", "agent/web/..."}},
		{"agent/...", []string{"agent/...", "discovery/...", "policy/...", "ha-addon/dashboards"}},
	}
	fits := func(path, pattern string) bool {
		below, all := strings.CutSuffix(pattern, "/...")
		return path == pattern || all && (path == below || strings.HasPrefix(path, below+"/"))
	}
	for _, p := range packages(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return fits(p.path(), r.pkg) })
		if i < 0 {
			t.Errorf("%s: no rule says what it may import", p.path())
			continue
		}
		for _, imported := range p.Imports {
			short, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			if !slices.ContainsFunc(rules[i].imports, func(r string) bool { return fits(short, r) }) {
				t.Errorf("%s imports %s", p.path(), short)
			}
			if fits(short, "discovery/lab/...") && !fits(p.path(), "discovery/lab/...") || fits(short, "discovery/source/sourcetest") {
				t.Errorf("%s imports %s outside its tests", p.path(), short)
			}
		}
	}
}

// TestPolicyIsPure: what judges has no network, no clock and no logger.
func TestPolicyIsPure(t *testing.T) {
	for _, p := range packages(t) {
		if p.path() != "policy" && p.path() != "discovery/fact" {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains([]string{"net", "net/http", "log", "log/slog", "os/exec"}, imported) {
				t.Errorf("%s imports %s", p.path(), imported)
			}
		}
		for _, f := range sources(t, p) {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "time") && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
					t.Errorf("%s reads the clock: time.%s", f.at(s), s.Sel.Name)
				}
				return true
			})
		}
	}
}

func isIdent(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// sourceFile is a Go file that is part of the program, of whatever system.
type sourceFile struct {
	name string // from the root of the repository
	text []byte
	ast  *ast.File
	set  *token.FileSet
}

func (f sourceFile) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// sources parses the files of a package without tests and generated files.
func sources(t *testing.T, p goPackage) []sourceFile {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var all []sourceFile
	for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := sourceFile{set: token.NewFileSet()}
		file := filepath.Join(p.Dir, name)
		if f.name, err = filepath.Rel(root, file); err != nil {
			t.Fatal(err)
		}
		if f.text, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if f.ast, err = parser.ParseFile(f.set, file, f.text, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
		if !ast.IsGenerated(f.ast) {
			all = append(all, f)
		}
	}
	return all
}

// TestPackageDocs: each package says what its job is.
func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		files := sources(t, p)
		if len(files) == 0 {
			continue // tests only
		}
		if !slices.ContainsFunc(files, func(f sourceFile) bool {
			doc := f.ast.Doc.Text()
			return strings.HasPrefix(doc, "Package "+f.ast.Name.Name+" ") || f.ast.Name.Name == "main" && strings.HasPrefix(doc, "Command ")
		}) {
			t.Errorf("%s: no package doc", p.path())
		}
	}
}

// TestFileLength: a reader sees a file as a whole.
func TestFileLength(t *testing.T) {
	const most = 400
	for _, p := range packages(t) {
		for _, f := range sources(t, p) {
			if n := bytes.Count(f.text, []byte("\n")); n > most {
				t.Errorf("%s has %d lines, more than %d", f.name, n, most)
			}
		}
	}
}

// TestNoHiddenState: nothing runs or registers itself by being imported, and
// variables of packages are tables that nothing changes.
func TestNoHiddenState(t *testing.T) {
	for _, p := range packages(t) {
		files := sources(t, p)
		globals := map[string]bool{}
		for _, f := range files {
			for _, spec := range valueSpecs(f.ast) {
				for _, name := range spec.Names {
					globals[name.Name] = name.Name != "_"
				}
				if guard := guardType(spec.Type); guard != "" {
					t.Errorf("%s: a package variable of type %s is there to be changed", f.at(spec), guard)
				}
			}
		}
		for _, f := range files {
			for _, imported := range f.ast.Imports {
				if imported.Name != nil && imported.Name.Name == "_" && imported.Path.Value != `"embed"` && !hasBuildTag(f, "deps") {
					t.Errorf("%s: blank import of %s", f.at(imported), imported.Path.Value)
				}
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: func init", f.at(fn))
				}
			}
			for _, n := range assigned(f.ast, globals) {
				t.Errorf("%s: package variable %s is changed", f.at(n), n.Name)
			}
		}
	}
}

func hasBuildTag(f sourceFile, tag string) bool {
	return bytes.HasPrefix(f.text, []byte("//go:build "+tag+"\n"))
}

// valueSpecs returns the declarations of package variables.
func valueSpecs(f *ast.File) []*ast.ValueSpec {
	var all []*ast.ValueSpec
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				all = append(all, s.(*ast.ValueSpec))
			}
		}
	}
	return all
}

// guardType returns the name of a type of sync or sync/atomic, else "".
func guardType(x ast.Expr) string {
	if i, ok := x.(*ast.IndexExpr); ok {
		x = i.X
	}
	if s, ok := x.(*ast.SelectorExpr); ok && (isIdent(s.X, "sync") || isIdent(s.X, "atomic")) {
		return s.X.(*ast.Ident).Name + "." + s.Sel.Name
	}
	return ""
}

// assigned returns where functions of the file assign to package variables, their
// fields or elements.
func assigned(f *ast.File, globals map[string]bool) (found []*ast.Ident) {
	check := func(x ast.Expr) {
		id := rootIdent(x)
		if id == nil || !globals[id.Name] {
			return
		}
		// The parser resolves names of functions and of this file; what is left
		// belongs to another file of the package.
		if id.Obj != nil {
			spec, ok := id.Obj.Decl.(*ast.ValueSpec)
			if !ok || !slices.Contains(valueSpecs(f), spec) {
				return
			}
		}
		found = append(found, id)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, x := range n.Lhs {
					check(x)
				}
			}
		case *ast.IncDecStmt:
			check(n.X)
		case *ast.CallExpr:
			if (isIdent(n.Fun, "delete") || isIdent(n.Fun, "clear")) && len(n.Args) > 0 {
				check(n.Args[0])
			}
		}
		return true
	})
	return found
}

// rootIdent returns v of v, v.f, v[i] and *v.
func rootIdent(x ast.Expr) *ast.Ident {
	for {
		switch y := x.(type) {
		case *ast.Ident:
			return y
		case *ast.SelectorExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		case *ast.ParenExpr:
			x = y.X
		default:
			return nil
		}
	}
}

// pending are the words that stand in the vocabulary before anything sets them,
// each with what will. A word that is set has no place here.
var pending = map[string]string{
	"sip.server": "a probe of SIP",
	"wsd.scopes": "a source or probe of WS-Discovery",
	"wsd.types":  "a source or probe of WS-Discovery",
}

// TestVocabulary: each word is one line with a doc, and something in the program
// sets it, or it is pending.
func TestVocabulary(t *testing.T) {
	used := map[string]bool{}
	var words []sourceFile
	for _, p := range packages(t) {
		if p.path() == "discovery/fact" {
			words = sources(t, p)
		}
		if p.path() == "discovery/fact" || strings.HasPrefix(p.path(), "policy") {
			continue
		}
		for _, f := range sources(t, p) {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "fact") {
					used[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	declared := map[string]bool{}
	for _, f := range words {
		for _, spec := range valueSpecs(f.ast) {
			name, ok := declaredWord(spec)
			if !ok {
				continue
			}
			if fact.Lookup(name) == nil || declared[name] {
				t.Errorf("%s: word %q is declared twice, or not in the vocabulary", f.at(spec), name)
			}
			declared[name] = true
			switch set, waits := used[spec.Names[0].Name], pending[name] != ""; {
			case !set && !waits:
				t.Errorf("%s: word %q: nothing sets it", f.at(spec), name)
			case set && waits:
				t.Errorf("word %q is set: remove it from pending", name)
			}
		}
	}
	if all := len(fact.Words()); len(declared) != all {
		t.Errorf("found %d of %d words", len(declared), all)
	}
	for name := range pending {
		if !declared[name] {
			t.Errorf("pending has %q, which is no word", name)
		}
	}
	for _, w := range fact.Words() {
		if !regexp.MustCompile(`^[A-Za-z][^\n]*\.$`).MatchString(w.Doc) {
			t.Errorf("word %q: its doc is no sentence: %q", w.Name, w.Doc)
		}
	}
}

// declaredWord returns the name of the word that a variable of package fact
// declares, if it is a word: X = word[T]("name", …).
func declaredWord(spec *ast.ValueSpec) (string, bool) {
	if len(spec.Values) != 1 {
		return "", false
	}
	call, ok := spec.Values[0].(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	kind, ok := call.Fun.(*ast.IndexExpr) // word[T]
	if !ok || !isIdent(kind.X, "word") {
		return "", false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	name, err := strconv.Unquote(lit.Value)
	return name, err == nil
}

// TestNothingOfThisMachine: what is in the repository names no path of the
// machine it was written on, and no package mirror that it uses.
func TestNothingOfThisMachine(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("not a git clone: %v", err)
	}
	private := mirrorHosts()
	private = append(private, "/"+"work/", "/"+"root/go", "/"+"tmp/brief")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue // deleted, or not text
		}
		for _, p := range private {
			if before, _, found := bytes.Cut(text, []byte(p)); found {
				t.Errorf("%s:%d: names %q", name, 1+bytes.Count(before, []byte("\n")), p)
			}
		}
	}
}

// mirrorHosts returns the hosts from which this machine gets packages, but those
// that everybody uses.
func mirrorHosts() []string {
	public := []string{"github.com", "deb.debian.org", "security.debian.org", "proxy.golang.org", "sum.golang.org", "registry.npmjs.org", "pypi.org", "files.pythonhosted.org"}
	text := os.Getenv("GOPROXY") + "\n" + os.Getenv("npm_config_registry") + "\n" + os.Getenv("PIP_INDEX_URL")
	files := []string{"/etc/apt/sources.list", "/etc/pip.conf", "/etc/npmrc"}
	more, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	files = append(files, more...)
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".npmrc"), filepath.Join(home, ".config/pip/pip.conf"), filepath.Join(home, ".config/go/env"))
	}
	for _, f := range files {
		b, _ := os.ReadFile(f)
		text += "\n" + string(b)
	}
	var hosts []string
	for _, found := range regexp.MustCompile(`https?://[^\s,"'|]+`).FindAllString(text, -1) {
		if u, err := url.Parse(found); err == nil && u.Hostname() != "" && !slices.Contains(public, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// TestNamesOfPlugins: the core and the publishers know traits, never names. No
// text in their Go equals the name of a source or of a product.
func TestNamesOfPlugins(t *testing.T) {
	names := map[string]bool{}
	for _, k := range builtin.Sources {
		names[k.Name] = true
	}
	cards, err := product.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range cards.IDs() {
		names[id] = true
	}
	for _, word := range []string{"android", "linux", "mac"} { // mean other things too
		delete(names, word)
	}
	other := map[string]string{ // texts that mean something else, by file
		"agent/hass/hass.go":               "homeassistant", // the default topic of MQTT discovery
		"discovery/product/integration.go": "mdns",          // a column of Home Assistant's table
	}
	core := []string{"discovery", "discovery/inventory", "discovery/prober", "discovery/product", "agent/home", "agent/report", "agent/hass", "agent/web"}
	for _, p := range packages(t) {
		if !slices.Contains(core, p.path()) {
			continue
		}
		for _, f := range sources(t, p) {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				if err == nil && names[text] && other[f.name] != text && f.name != "discovery/firmware.go" { // until the cards tell all dates
					t.Errorf("%s: %q is the name of a source or product", f.at(n), text)
				}
				return true
			})
		}
	}
}
