package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// explain says in plain words why the broker could not be reached. The text
// holds no secret.
func (c Config) explain(err error, host string) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		if c.Username == "" {
			return fmt.Sprintf("the MQTT broker at %s wants a user name and password", host)
		}
		return fmt.Sprintf("the MQTT broker at %s refused the user name %s or its password", host, strconv.Quote(c.Username))
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Sprintf("the MQTT broker at %s refused our client id %q", host, c.ClientID)
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return fmt.Sprintf("the MQTT broker at %s says that it is not available", host)
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return fmt.Sprintf("the MQTT broker at %s does not speak MQTT 3.1.1", host)
	case errors.As(err, &dns):
		return fmt.Sprintf("no address is known for the name %q of the MQTT broker", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no MQTT broker answers at %s (connection refused)", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("the MQTT broker at %s is out of reach of this machine", host)
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid):
		return fmt.Sprintf("the certificate of the MQTT broker at %s is not trusted: %s", host, oneLine(err))
	case errors.As(err, &record):
		return fmt.Sprintf("%s does not speak TLS; is it the port for plain MQTT?", host)
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("no answer from the MQTT broker at %s within %s", host, connectTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("the MQTT broker at %s closed the connection", host)
	default:
		return fmt.Sprintf("the MQTT broker at %s cannot be reached: %s", host, oneLine(err))
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// oneLine drops paho's prefix and whatever is no printable text: parts of an
// error may come from the other side.
func oneLine(err error) string {
	s := strings.TrimPrefix(err.Error(), packets.ConnErrors[packets.ErrNetworkError].Error()+" : ")
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return s
}
