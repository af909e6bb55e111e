// Package onvif asks cameras of many makers, which speak ONVIF, whether they answer
// without a log-in. It logs in nowhere, moves nothing and fetches no picture.
package onvif

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/upnp"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a camera for its services, which ONVIF lets anyone ask (Core
// Specification, section 5.9.4.3, access class PRE_AUTH), then for its video
// profiles and where its video is, for which ONVIF wants a log-in (READ_MEDIA).
var Probe = &prober.Probe{
	Name:    "onvif",
	Doc:     "Asks a camera by ONVIF, on TCP port 80 or as announced, for its services, its video profiles and the address of its video, to see whether it wants a log-in; logs in nowhere, moves nothing and fetches no picture.",
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Follows: []string{fact.RTSPOpen.Name()},
	Applies: applies,
	Run:     answer.Run(run),
}

var words = []string{fact.ControlOpen.Name(), fact.ONVIFOpen.Name(), fact.RTSPLocation.Name()}

var cameras = []string{"camera", "doorbell", "recorder"}

func applies(d discovery.Device, ev *fact.Evidence) bool {
	class, _ := fact.DeviceClass.Get(ev)
	video, _ := fact.RTSPOpen.Get(ev)
	return prober.Reachable(d, ev) && (video || slices.Contains(cameras, class))
}

const (
	device = "http://www.onvif.org/ver10/device/wsdl"
	media  = "http://www.onvif.org/ver10/media/wsdl"
	entry  = "/onvif/device_service" // Core Specification, section 5.1.1
)

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	c := camera{target: t, facts: e}
	err := c.look(ctx, prober.AnnouncedPort(t.Device(), "onvif", 80))
	answer.Unknown(e, whyOf(err), words)
}

// whyOf says why words are not known after a look that ended so.
func whyOf(err error) fact.Why {
	var f fault
	switch {
	case err == nil:
		return fact.NotReported
	case errors.As(err, &f):
		return fact.Refused
	default:
		return prober.WhyOf(err)
	}
}

// camera is a device that is asked.
type camera struct {
	target *prober.Target
	facts  *fact.Evidence
}

// look asks one thing after the other, as far as the device answers.
func (c *camera) look(ctx context.Context, port uint16) error {
	at := fmt.Sprintf("tcp/%d GetServices: ", port)
	services, err := call(ctx, c.target, port, entry, device, "GetServices", "<u:IncludeCapability>false</u:IncludeCapability>")
	var f fault
	switch {
	case errors.As(err, &f):
		// Some want a log-in even for this, which proves as well that they speak it.
		fact.ONVIFOpen.Set(c.facts, true, at+f.Error())
		return err
	case errors.Is(err, prober.ErrClosed):
		fact.ONVIFOpen.Set(c.facts, false, fmt.Sprintf("tcp/%d refused", port))
		return err
	case errors.Is(err, errNotHere):
		fact.ONVIFOpen.Set(c.facts, false, at+"no such page")
		return nil
	case err != nil:
		return err
	}
	fact.ONVIFOpen.Set(c.facts, true, at+"answered")
	port, path, err := mediaService(services, c.target.Addr())
	if err != nil {
		return err
	}
	at = fmt.Sprintf("tcp/%d GetProfiles: ", port)
	profiles, err := call(ctx, c.target, port, path, media, "GetProfiles", "")
	if errors.As(err, &f) && f.refused {
		fact.ControlOpen.SetLikely(c.facts, false, at+f.Error())
	}
	if err != nil {
		return err
	}
	token := firstToken(profiles)
	if token == "" {
		return fmt.Errorf("no profiles: %w", prober.ErrUnreadable)
	}
	// A device that asks nobody who he is here asks nobody elsewhere.
	fact.ControlOpen.SetLikely(c.facts, true, at+"answered without a log-in")
	return c.locate(ctx, port, path, token)
}

// locate asks where the video of a profile is.
func (c *camera) locate(ctx context.Context, port uint16, path, token string) error {
	const setup = `<u:StreamSetup><t:Stream xmlns:t="http://www.onvif.org/ver10/schema">RTP-Unicast</t:Stream>` +
		`<t:Transport xmlns:t="http://www.onvif.org/ver10/schema"><t:Protocol>RTSP</t:Protocol></t:Transport></u:StreamSetup>`
	where, err := call(ctx, c.target, port, path, media, "GetStreamUri", setup+"<u:ProfileToken>"+token+"</u:ProfileToken>")
	if err != nil {
		return err
	}
	location, ok := streamLocation(where.Child("MediaUri").Value("Uri"), c.target.Addr())
	if !ok {
		return fmt.Errorf("no address of its own for the video: %w", prober.ErrUnreadable)
	}
	fact.RTSPLocation.Set(c.facts, location, fmt.Sprintf("tcp/%d GetStreamUri: %s", port, location))
	return nil
}

// mediaService returns where the service for media is, at the same address: another
// one is not followed.
func mediaService(services *upnp.Element, own netip.Addr) (port uint16, path string, err error) {
	err = fmt.Errorf("no service for media: %w", prober.ErrUnreadable)
	services.Each("Service", func(s *upnp.Element) {
		if s.Value("Namespace") != media || err == nil {
			return
		}
		var at netip.AddrPort
		if at, path, err = prober.DeviceURL("", s.Value("XAddr"), []netip.Addr{own}); err == nil {
			port = at.Port()
		}
	})
	return port, path, err
}

const maxToken = 64 // bytes (ONVIF Media Service Specification, ReferenceToken)

// firstToken returns the token of the first profile; empty if it is none that may
// be sent back.
func firstToken(profiles *upnp.Element) (token string) {
	profiles.Each("Profiles", func(p *upnp.Element) {
		if token == "" {
			token = p.Attr("token")
		}
	})
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>&"'`, r) }
	if len(token) > maxToken || strings.ContainsFunc(token, odd) {
		return ""
	}
	return token
}

// logIn matches paths into which firmware writes a user name and a password, so that
// to ask for them would be to log in.
var logIn = regexp.MustCompile(`(?i)user|passw|pwd|auth|token`)

// streamLocation reads the URL of a stream and returns it without user name and
// password; false if it is not at the device, or they stand in its path.
func streamLocation(s string, own netip.Addr) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || len(s) > fact.MaxText || u.Scheme != "rtsp" || u.Opaque != "" {
		return "", false
	}
	host, err := netip.ParseAddr(u.Hostname())
	if err != nil || host.WithZone("") != own.WithZone("") {
		return "", false
	}
	u.User, u.Fragment = nil, ""
	if logIn.MatchString(u.RequestURI()) {
		return "", false
	}
	return u.String(), true
}
