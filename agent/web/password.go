package web

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxPassword is all that bcrypt looks at, in bytes.
	maxPassword = 72
	hashCost    = 12
)

// EnsurePassword makes the file with the password if it is not there, readable by
// its owner only, and reports whether it did. The file holds a password in one
// line, or its bcrypt hash; the owner may write either. A password that we made
// gives way to its hash at the first log-in.
func EnsurePassword(file string) (made bool, err error) {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, ResetPassword(file)
}

// ResetPassword puts a new random password into the file. It ends all sessions of
// a page that runs.
func ResetPassword(file string) error {
	text := strings.ToLower(rand.Text())
	return writePassword(file, fmt.Sprintf("%s-%s-%s-%s", text[:5], text[5:10], text[10:15], text[15:20]))
}

// writePassword replaces the file as a whole, so that it is never readable by others.
func writePassword(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err == nil {
		_, err = fmt.Fprintln(f, text)
		if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("writing the password of the page: %w", err)
	}
	return nil
}

// password is what is in the file. It is read anew when the file changes.
type password struct {
	file string

	mu         sync.Mutex
	stamp      os.FileInfo
	text       []byte // as it stands in the file
	hash       []byte // of it, or itself
	generation int    // counts the passwords, from 1
}

func newPassword(file string) *password { return &password{file: file} }

// current returns the number of the password in the file, at whose change all
// sessions end; 0 if there is none.
func (p *password) current() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read() != nil {
		return 0
	}
	return p.generation
}

// check reports whether a password is the right one, and its number. It takes as
// long for a wrong one.
func (p *password) check(given string) (generation int, ok bool, err error) {
	if len(given) > maxPassword {
		return 0, false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(); err != nil {
		return 0, false, err
	}
	if p.hash == nil {
		if p.hash, err = bcrypt.GenerateFromPassword(p.text, hashCost); err != nil {
			return 0, false, fmt.Errorf("hashing the password of the page: %w", err)
		}
	}
	if bcrypt.CompareHashAndPassword(p.hash, []byte(given)) != nil {
		return 0, false, nil
	}
	p.keepHash()
	return p.generation, true, nil
}

// keepHash puts the hash in the place of the password. A file that can't be written,
// such as a secret of a container, stays as it is.
func (p *password) keepHash() {
	if bytes.Equal(p.text, p.hash) || writePassword(p.file, string(p.hash)) != nil {
		return
	}
	p.text = p.hash
	p.stamp, _ = os.Stat(p.file)
}

func (p *password) read() error {
	info, err := os.Stat(p.file)
	if err != nil {
		return fmt.Errorf("reading the password of the page: %w", err)
	}
	if p.stamp != nil && os.SameFile(info, p.stamp) && info.ModTime().Equal(p.stamp.ModTime()) && info.Size() == p.stamp.Size() {
		return nil
	}
	f, err := os.Open(p.file)
	if err != nil {
		return fmt.Errorf("reading the password of the page: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return fmt.Errorf("reading the password of the page: %w", err)
	}
	text = bytes.TrimRight(text, "\r\n")
	switch _, notHash := bcrypt.Cost(text); {
	case len(text) == 0 || bytes.ContainsAny(text, "\r\n"):
		return fmt.Errorf("reading the password of the page: %q must hold one line with the password or its bcrypt hash", p.file)
	case len(text) > maxPassword:
		return fmt.Errorf("reading the password of the page: the one in %q is longer than %d bytes", p.file, maxPassword)
	case bytes.Equal(text, p.text):
	case notHash == nil:
		p.text, p.hash, p.generation = text, text, p.generation+1
	default:
		p.text, p.hash, p.generation = text, nil, p.generation+1
	}
	p.stamp = info
	return nil
}
