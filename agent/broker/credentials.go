package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const embeddedUser = "thingwarden"

// readCredentials reads "username: …" and "password: …" lines. Errors never
// quote the file: it holds a secret.
func readCredentials(path string) (user, password string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if info.Size() > 4096 {
		return "", "", fmt.Errorf("%s is no file of credentials; delete it to get new ones", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return "", "", err
		}
	}
	for n, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(line, "#"):
		case ok && key == "username" && plainWord(value):
			user = value
		case ok && key == "password" && plainWord(value):
			password = value
		default:
			return "", "", fmt.Errorf("%s:%d: not a user name or password of letters and digits; delete the file to get new ones", path, n+1)
		}
	}
	if user == "" || password == "" {
		return "", "", fmt.Errorf("%s: user name or password is missing; delete the file to get new ones", path)
	}
	return user, password, nil
}

func plainWord(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// makeCredentials writes a file with a new password: a temporary one first, so
// that a file that is there is whole and was never readable by others.
func makeCredentials(path string) (user, password string, err error) {
	password = rand.Text()
	f, err := os.CreateTemp(filepath.Dir(path), ".broker-credentials-*") // mode 0600
	if err != nil {
		return "", "", err
	}
	_, err = fmt.Fprintf(f, "# How Home Assistant logs in to Thingwarden's own MQTT broker.\nusername: %s\npassword: %s\n", embeddedUser, password)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", "", errors.Join(err, os.Remove(f.Name()))
	}
	return embeddedUser, password, nil
}
