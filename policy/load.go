package policy

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed packs/*/*.yaml
var embedded embed.FS

// maxFile is the largest policy file, in bytes.
const maxFile = 64 << 10

// Pack is a folder of policies, one *.yaml file each; sub-folders belong to
// other readers and are not looked at.
type Pack struct {
	Name string
	FS   fs.FS
	Dir  string // what messages put before a file's name
}

// Options change which policies a Set has.
type Options struct {
	// Disable are ids of policies to leave out. An id that no pack has is an error.
	Disable []string
	// DisableAt says where the id of that index stands, for the error; may be nil.
	DisableAt func(i int) string
	// Steps are remedies for single products.
	Steps Steps
}

// Steps are the first steps of a remedy on a product, by value of device.product
// and policy id. The last step of the policy's own remedy, to check again, follows
// them.
type Steps map[string]map[string][]string

// Builtin returns the packs that come with the program.
func Builtin() []Pack {
	dirs, err := fs.ReadDir(embedded, "packs")
	if err != nil {
		panic(err) // the folder is embedded at build time
	}
	var packs []Pack
	for _, d := range dirs {
		dir := path.Join("packs", d.Name())
		sub, err := fs.Sub(embedded, dir)
		if err != nil {
			panic(err)
		}
		packs = append(packs, Pack{Name: d.Name(), FS: sub, Dir: dir})
	}
	return packs
}

// DirPack returns the pack in a folder of the file system, named after it.
func DirPack(dir string) Pack {
	return Pack{Name: filepath.Base(filepath.Clean(dir)), FS: os.DirFS(dir), Dir: filepath.ToSlash(dir)}
}

// LoadDir loads the policies of one folder alone, which runs their examples:
// what `policy test DIR` does.
func LoadDir(dir string) (*Set, error) {
	return Load(Options{}, DirPack(dir))
}

// Load reads, checks and compiles the policies of packs and runs their
// examples. A later pack's policy replaces an earlier one's of the same id.
//
// Nothing is loaded when anything is wrong: the error then joins every problem
// of every file, each as "dir/file.yaml:line:column: key: what is wrong", in the
// order of packs, files and lines.
func Load(opt Options, packs ...Pack) (*Set, error) {
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	var errs []error
	byID := map[string]*rule{}
	var warnings []string
	for _, p := range packs {
		rules, err := loadPack(c, p)
		if err != nil {
			errs = append(errs, err)
		}
		for _, r := range rules {
			warnings = append(warnings, r.warnings...)
			if w := override(byID, r); w != "" {
				warnings = append(warnings, w)
			}
		}
	}
	ids := sortedKeys(byID)
	if len(errs) == 0 { // else a policy that is known may look unknown
		for i, id := range opt.Disable {
			at := "disable"
			if opt.DisableAt != nil {
				at = opt.DisableAt(i)
			}
			// Ids that became one may both stand here.
			now := id
			if !slices.Contains(ids, id) && renamed[id] != "" {
				now = renamed[id]
				warnings = append(warnings, fmt.Sprintf("%s: policy %q is part of %q now, which is disabled whole", at, id, now))
			}
			if !slices.Contains(ids, now) {
				errs = append(errs, fmt.Errorf("%s: unknown policy %q%s", at, id, didYouMean(id, ids)))
			}
			delete(byID, now)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := newSet(c, byID)
	s.steps, s.warnings = opt.Steps, warnings
	return s, nil
}

func loadPack(c *compiler, p Pack) ([]*rule, error) {
	entries, err := fs.ReadDir(p.FS, ".")
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // its path is "."
		}
		return nil, fmt.Errorf("reading policies in %q: %w", p.Dir, err)
	}
	var rules []*rule
	var errs []error
	first := map[string]string{}
	for _, e := range entries {
		file := path.Join(p.Dir, e.Name())
		switch path.Ext(e.Name()) {
		case ".yaml":
		case ".yml":
			errs = append(errs, fmt.Errorf("%s: policies end in .yaml: rename the file", file))
			continue
		default:
			continue
		}
		data, err := readFile(p.FS, e.Name())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		r, problems := parse(c, p.Name, file, data)
		if id := r.policy.ID; id != "" {
			if other, ok := first[id]; ok {
				problems.add(r.idNode, "id", "policy %q is in %s already", id, other)
			} else {
				first[id] = file
			}
		}
		errs = append(errs, problems.errors()...)
		rules = append(rules, r)
	}
	if len(entries) == 0 || (len(rules) == 0 && len(errs) == 0) {
		errs = append(errs, fmt.Errorf("%s: no policies (*.yaml) in this folder", p.Dir))
	}
	return rules, errors.Join(errs...)
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes; a policy has at most %d", info.Size(), maxFile)
	}
	return fs.ReadFile(fsys, name)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// problem is one thing that is wrong in a policy file.
type problem struct {
	line, col int
	key, what string
}

// problems collects what is wrong in one file.
type problems struct {
	file string
	all  []problem
}

func (p *problems) at(line, col int, key, format string, args ...any) {
	p.all = append(p.all, problem{line, col, key, fmt.Sprintf(format, args...)})
}

// errors returns the problems as errors in the order of the file.
func (p *problems) errors() []error {
	slices.SortStableFunc(p.all, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.col, b.col))
	})
	errs := make([]error, len(p.all))
	for i, x := range p.all {
		key := x.key
		if key != "" {
			key += ": "
		}
		errs[i] = fmt.Errorf("%s:%d:%d: %s%s", p.file, x.line, x.col, key, strings.ReplaceAll(x.what, "\n", " "))
	}
	return errs
}
