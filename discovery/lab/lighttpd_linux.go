package lab

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// Lighttpd offers a web page on a TCP port of the host. With a user it asks for a
// password by Basic authentication; with "" it asks for none.
func (h *Host) Lighttpd(t testing.TB, port int, user string) *Proc {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "index.html"), "<html><head><title>Status</title></head><body>All is well.</body></html>")
	conf := fmt.Sprintf(`server.document-root = %q
server.port = %d
server.bind = "0.0.0.0"
index-file.names = ("index.html")
server.modules = ("mod_auth", "mod_authn_file", "mod_indexfile")
`, dir, port)
	if user != "" {
		users := filepath.Join(dir, "users")
		write(t, users, user+":correct horse battery staple\n")
		conf += fmt.Sprintf(`auth.backend = "plain"
auth.backend.plain.userfile = %q
auth.require = ("/" => ("method" => "basic", "realm" => "device", "require" => "valid-user"))
`, users)
	}
	file := filepath.Join(dir, "lighttpd.conf")
	write(t, file, conf)
	p := h.Start(t, "lighttpd", "-D", "-f", file)
	WaitFor(t, 30*time.Second, "lighttpd", func() bool {
		conn, err := h.Dial("tcp", fmt.Sprintf("%s:%d", h.IP(), port))
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	return p
}
