package demo

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/thingwarden/thingwarden/agent/report"
)

// Step is something that happens in the home.
type Step struct {
	At   time.Duration // since the start
	Soon string        // as it is announced: "a new plug joins the Wi-Fi"
	Now  string        // as it is told when it happens
	do   func(ctx context.Context, h *Home, owner Owner) error
}

// Owner is the owner's hand on the agent.
type Owner interface {
	Do(ctx context.Context, cmd report.Command) error
}

// Story returns what happens in the home, in order of time.
func Story() []Step {
	return []Step{
		{20 * time.Second, "a new plug joins the Wi-Fi", "A plug that nobody knows joins the Wi-Fi.", plugJoins},
		{35 * time.Second, "the plug has the router map a port", "The plug has the router let in the Internet (UPnP). Nobody was asked.", plugMapsPort},
		{50 * time.Second, "you switch Telnet off on the camera", "You switch Telnet off in the settings of the porch camera.", telnetOff},
		{65 * time.Second, "Zigbee is opened, and a sensor joins", "Somebody opens the Zigbee network for newcomers; a sensor joins.", zigbeeOpens},
		{80 * time.Second, "Zigbee is closed again", "The Zigbee network is closed again.", zigbeeCloses},
		{95 * time.Second, "you remove all port mappings", "You remove all port mappings in the router's settings and forbid devices to ask for new ones.", removeMappings},
		{110 * time.Second, "you say that the plug is yours", "You tell Thingwarden that the plug is yours (thingwarden trust).", plugTrusted},
	}
}

// Play has the story happen. Tell is called before each step; Play returns when
// the story is over or ctx is done.
func (h *Home) Play(ctx context.Context, owner Owner, story []Step, show func(Step)) error {
	began := time.Now()
	for _, s := range story {
		if !pause(ctx, time.Until(began.Add(s.At)), nil) {
			return nil
		}
		show(s)
		if err := s.do(ctx, h, owner); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", s.Soon, err)
		}
	}
	return nil
}

func plugJoins(_ context.Context, h *Home, _ Owner) error {
	h.join(newPlug())
	return nil
}

// plugMapsPort is seen by asking the router, which in a real home happens every
// half hour.
func plugMapsPort(ctx context.Context, h *Home, owner Owner) error {
	h.mapPort(plugMapping)
	return recheck(ctx, owner, gateway)
}

func telnetOff(ctx context.Context, h *Home, owner Owner) error {
	h.switchTelnetOff()
	return recheck(ctx, owner, cameraAt)
}

func zigbeeOpens(ctx context.Context, h *Home, _ Owner) error {
	if err := h.zigbee.permitJoin(ctx, true); err != nil {
		return err
	}
	return h.zigbee.join(ctx)
}

func zigbeeCloses(ctx context.Context, h *Home, _ Owner) error {
	return h.zigbee.permitJoin(ctx, false)
}

func removeMappings(ctx context.Context, h *Home, owner Owner) error {
	h.lockRouter()
	return recheck(ctx, owner, gateway)
}

func plugTrusted(ctx context.Context, h *Home, owner Owner) error {
	return owner.Do(ctx, report.Command{Action: report.Trust, Device: idOf(plugAt)})
}

// recheck has a device asked at once.
func recheck(ctx context.Context, owner Owner, a netip.Addr) error {
	return owner.Do(ctx, report.Command{Action: report.Recheck, Device: idOf(a)})
}
