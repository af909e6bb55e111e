package broker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
)

func publish(t testing.TB, topic string, size int) []byte {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = topic, 1, 7, bytes.Repeat([]byte{'x'}, size)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type reader struct {
	net.Conn
	r io.Reader
}

func (r reader) Read(p []byte) (int, error) { return r.r.Read(p) }

func TestClipShortensLongMessagesOnly(t *testing.T) {
	var in []byte
	for _, n := range []int{0, 10, 5000, 300, 1 << 20, 1} {
		in = append(in, publish(t, "a/b", n)...)
	}
	c := clip(reader{r: bytes.NewReader(in)}, 400)
	var got []int
	for {
		p, err := packets.ReadPacket(c)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		x := p.(*packets.PublishPacket)
		if x.TopicName != "a/b" || x.MessageID != 7 {
			t.Errorf("topic %q, id %d", x.TopicName, x.MessageID)
		}
		got = append(got, len(x.Payload))
	}
	head := 2 + len("a/b") + 2
	if d := cmp.Diff([]int{0, 10, 400 - head, 300, 400 - head, 1}, got); d != "" {
		t.Error(d)
	}
}

func TestClipRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"length of five bytes", []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01}},
		{"long packet of another kind", []byte{0x90, 0xff, 0xff, 0x7f, 0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := packets.ReadPacket(clip(reader{r: bytes.NewReader(tt.in)}, 400)); err == nil {
				t.Error("was taken")
			}
		})
	}
}

func FuzzClip(f *testing.F) {
	f.Add(publish(f, "a", 900))
	f.Add([]byte{0x20, 2, 0, 0})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 300
		c := clip(reader{r: bytes.NewReader(in)}, limit)
		out, err := io.ReadAll(c)
		if len(out) > len(in)+4 {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		if err == nil && len(out) > 0 && out[0] != in[0] {
			t.Fatalf("kind %x became %x", in[0], out[0])
		}
	})
}
