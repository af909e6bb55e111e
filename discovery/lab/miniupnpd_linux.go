package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"html"
	"io"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Miniupnpd is the MiniUPnP daemon on a host, which makes the host a router that
// maps ports by UPnP, NAT-PMP and PCP.
type Miniupnpd struct {
	*Proc
	host *Host
	port int
}

const (
	wanInterface = "wan0"
	nftTable     = "miniupnpd"
	nftForward   = "forward"
	nftPre       = "prerouting"
	nftPost      = "postrouting"
)

// Miniupnpd starts the daemon on the host, with an Internet side of its own that
// has the given address, such as "9.9.9.9/24". The daemon makes no mappings
// unless the address is a public one; nothing ever leaves the host by it. Lines
// are added to the configuration: "enable_natpmp=no".
func (h *Host) Miniupnpd(t testing.TB, wan string, lines ...string) *Miniupnpd {
	t.Helper()
	if err := h.addWAN(netip.MustParsePrefix(wan)); err != nil {
		t.Fatal(err)
	}
	if err := h.ns.do(addMiniupnpdChains); err != nil {
		SkipOrFail(t, "lab", "the kernel makes no nftables chains: %v", err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "miniupnpd.conf")
	write(t, conf, strings.Join(append([]string{
		"ext_ifname=" + wanInterface, "listening_ip=" + h.main.segment.Name, "http_port=0",
		"enable_upnp=yes", "enable_natpmp=yes", "secure_mode=no", "notify_interval=60",
		"uuid=00000000-5e00-5300-0000-000000000001", "friendly_name=Lab router", "serial=1", "model_number=1",
		"upnp_table_name=" + nftTable, "upnp_nat_table_name=" + nftTable, "upnp_forward_chain=" + nftForward,
		"upnp_nat_chain=" + nftPre, "upnp_nat_postrouting_chain=" + nftPost,
		"lease_file=" + filepath.Join(dir, "leases"), "allow 0-65535 0.0.0.0/0 0-65535",
	}, lines...), "\n")+"\n")
	m := &Miniupnpd{host: h}
	m.Proc = h.Start(t, "miniupnpd", "-d", "-f", conf, "-P", filepath.Join(dir, "pid"))
	m.WaitOutput(t, 30*time.Second, "HTTP listening on port")
	found := regexp.MustCompile(`HTTP listening on port (\d+)`).FindStringSubmatch(m.Output())
	m.port, _ = strconv.Atoi(found[1])
	if !slices.Contains(lines, "enable_natpmp=no") {
		m.WaitOutput(t, 30*time.Second, "Listening for NAT-PMP")
	}
	return m
}

// Location is the URL at which the daemon describes itself.
func (m *Miniupnpd) Location() string {
	return fmt.Sprintf("http://%s/rootDesc.xml", netip.AddrPortFrom(m.host.IP(), uint16(m.port)))
}

// Map lets a host ask for a port mapping as its programs do: from a port on the
// Internet side to one of its own, "TCP" or "UDP". Text is what it calls it.
func (m *Miniupnpd) Map(t testing.TB, from *Host, proto string, outside, inside int, text string) {
	t.Helper()
	m.call(t, from, "AddPortMapping", fmt.Sprintf("<NewRemoteHost></NewRemoteHost><NewExternalPort>%d</NewExternalPort><NewProtocol>%s</NewProtocol>"+
		"<NewInternalPort>%d</NewInternalPort><NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled>"+
		"<NewPortMappingDescription>%s</NewPortMappingDescription><NewLeaseDuration>0</NewLeaseDuration>",
		outside, proto, inside, from.IP(), html.EscapeString(text)))
}

// Unmap lets the host remove the mapping again.
func (m *Miniupnpd) Unmap(t testing.TB, from *Host, proto string, outside int) {
	t.Helper()
	m.call(t, from, "DeletePortMapping", fmt.Sprintf("<NewRemoteHost></NewRemoteHost><NewExternalPort>%d</NewExternalPort><NewProtocol>%s</NewProtocol>", outside, proto))
}

func (m *Miniupnpd) call(t testing.TB, from *Host, action, args string) {
	t.Helper()
	addr := netip.AddrPortFrom(m.host.IP(), uint16(m.port)).String()
	conn, err := from.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	defer conn.Close() //nolint:errcheck // all was read
	const service = "urn:schemas-upnp-org:service:WANIPConnection:1"
	body := fmt.Sprintf(`<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:%s xmlns:u="%s">%s</u:%[1]s></s:Body></s:Envelope>`, action, service, args)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = fmt.Fprintf(conn, "POST /ctl/IPConn HTTP/1.1\r\nHost: %s\r\nSOAPAction: \"%s#%s\"\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", addr, service, action, len(body), body)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
		t.Fatalf("%s: %v\n%s", action, err, answer)
	}
}

// addWAN gives the host an interface towards an Internet that is not there.
func (h *Host) addWAN(addr netip.Prefix) error {
	if _, err := h.ns.netlink.LinkByName(wanInterface); err == nil {
		return nil // of a daemon that was stopped
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = wanInterface
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "isp0"}
	if err := h.ns.netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add interface %q: %w", wanInterface, err)
	}
	for _, name := range []string{wanInterface, veth.PeerName} {
		link, err := h.ns.netlink.LinkByName(name)
		if err == nil {
			err = h.ns.netlink.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("set interface %q up: %w", name, err)
		}
	}
	link, err := h.ns.netlink.LinkByName(wanInterface)
	if err == nil {
		err = h.ns.netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(addr)})
	}
	if err != nil {
		return fmt.Errorf("add address %q: %w", addr, err)
	}
	return nil
}

// addMiniupnpdChains makes the nftables chains into which the daemon writes, for
// which else the program nft would be needed.
func addMiniupnpdChains() error {
	var b nftBatch
	b.message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	b.message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE|unix.NLM_F_ACK, 0,
		nftText(unix.NFTA_TABLE_NAME, nftTable))
	for _, chain := range []struct {
		name, kind     string
		hook, priority uint32
	}{
		{nftForward, "filter", unix.NF_INET_FORWARD, 0},
		{nftPre, "nat", unix.NF_INET_PRE_ROUTING, 0xffffff9c}, // -100
		{nftPost, "nat", unix.NF_INET_POST_ROUTING, 100},
	} {
		hook := append(nftNumber(unix.NFTA_HOOK_HOOKNUM, chain.hook), nftNumber(unix.NFTA_HOOK_PRIORITY, chain.priority)...)
		attrs := append(nftText(unix.NFTA_CHAIN_TABLE, nftTable), nftText(unix.NFTA_CHAIN_NAME, chain.name)...)
		attrs = append(attrs, nftAttr(unix.NFTA_CHAIN_HOOK|unix.NLA_F_NESTED, hook)...)
		attrs = append(attrs, nftText(unix.NFTA_CHAIN_TYPE, chain.kind)...)
		b.message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE|unix.NLM_F_ACK, 0, attrs)
	}
	b.message(unix.NFNL_MSG_BATCH_END, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	return b.send(4)
}

// nftBatch is a transaction of nftables as netlink messages.
type nftBatch struct{ bytes.Buffer }

func (b *nftBatch) message(kind, flags int, resource uint16, attrs []byte) {
	const header = unix.NLMSG_HDRLEN + 4
	family := byte(unix.NFPROTO_INET)
	if kind == unix.NFNL_MSG_BATCH_BEGIN || kind == unix.NFNL_MSG_BATCH_END {
		family = 0
	}
	m := make([]byte, header, header+len(attrs))
	binary.NativeEndian.PutUint32(m[0:], uint32(header+len(attrs)))
	binary.NativeEndian.PutUint16(m[4:], uint16(kind))
	binary.NativeEndian.PutUint16(m[6:], uint16(unix.NLM_F_REQUEST|flags))
	binary.NativeEndian.PutUint32(m[8:], uint32(b.Len()))
	m[16] = family
	binary.BigEndian.PutUint16(m[18:], resource)
	b.Write(append(m, attrs...))
}

// send sends the transaction and waits for as many confirmations.
func (b *nftBatch) send(confirmations int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing can be done about it
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		return fmt.Errorf("limit the wait: %w", err)
	}
	if err := unix.Sendto(fd, b.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	buf := make([]byte, 8192)
	for confirmations > 0 {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		for m := buf[:n]; len(m) >= unix.NLMSG_HDRLEN+4; {
			size := min(int((binary.NativeEndian.Uint32(m)+3)&^3), len(m))
			if binary.NativeEndian.Uint16(m[4:]) == unix.NLMSG_ERROR {
				if code := int32(binary.NativeEndian.Uint32(m[unix.NLMSG_HDRLEN:])); code != 0 {
					return fmt.Errorf("nftables: %w", unix.Errno(-code))
				}
				confirmations--
			}
			m = m[max(size, unix.NLMSG_HDRLEN):]
		}
	}
	return nil
}

func nftAttr(kind int, value []byte) []byte {
	b := make([]byte, 4, 4+len(value)+3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[2:], uint16(kind))
	b = append(b, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func nftText(kind int, s string) []byte { return nftAttr(kind, append([]byte(s), 0)) }

func nftNumber(kind int, n uint32) []byte {
	return nftAttr(kind, binary.BigEndian.AppendUint32(nil, n))
}
