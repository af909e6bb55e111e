package demo

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
)

const telnetPort = 23

// camera is what changes of the camera. Home.mu guards it.
type camera struct{ telnet bool }

// newCamera is a camera as there are many: Telnet is open, its page sends the
// password readable, and its picture wants none.
func (h *Home) newCamera() *device {
	const kind = "urn:schemas-upnp-org:device:DigitalSecurityCamera:1"
	log := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="IPCAM"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	return &device{
		addr: cameraAt, host: "porch-camera", services: []service{{name: "Porch camera", kind: "_http._tcp", port: 80}},
		kinds: []string{kind}, locations: []string{"http://" + cameraAt.String() + ":49152/camera.xml"},
		tcp: map[uint16]func(net.Conn){
			telnetPort: greet("\xff\xfd\x01\xff\xfb\x01\r\nIPCAM login: "),
			80:         serveHTTP(log),
			554:        answerRTSP,
			49152:      serveHTTP(only(map[string]http.Handler{"/camera.xml": description(kind, "Porch camera", "Oculis", "C2")})),
		},
	}
}

// answerRTSP describes the camera's picture to anyone (RFC 2326 section 10.2).
func answerRTSP(c net.Conn) {
	request := textproto.NewReader(bufio.NewReader(c))
	if _, err := request.ReadLine(); err != nil {
		return
	}
	fields, err := request.ReadMIMEHeader()
	if err != nil {
		return
	}
	const picture = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=Porch\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	// Whoever asked may be gone.
	_, _ = fmt.Fprintf(c, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		fields.Get("CSeq"), len(picture), picture)
}

// greet says something and listens to all that the other side says.
func greet(text string) func(net.Conn) {
	return func(c net.Conn) {
		read := make(chan struct{})
		go func() { // at the same time: nothing between the two keeps what was sent
			defer close(read)
			_, _ = io.WriteString(c, text)
		}()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
		<-read
	}
}

func (h *Home) telnetOn() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.camera.telnet
}

func (h *Home) switchTelnetOff() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.camera.telnet = false
}
