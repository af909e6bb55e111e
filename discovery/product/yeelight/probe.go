// Package yeelight asks lamps of Yeelight what only they answer. What else is known of
// them stands on card.yaml beside it.
package yeelight

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/answer"
	"github.com/thingwarden/thingwarden/discovery/internal/loosejson"
	"github.com/thingwarden/thingwarden/discovery/prober"
)

// Probe asks a lamp whether its local control is on, which the owner switches in the
// app and which has no password (Yeelight WiFi Light Inter-Operation Specification,
// "Command message" and "get_prop").
var Probe = &prober.Probe{
	Name:    "yeelight",
	Doc:     `Asks a device that shows itself as a lamp of Yeelight whether it is on, by "get_prop" on TCP port 55443, which answers only where its local control is switched on; switches nothing.`,
	Touch:   prober.Read,
	Gives:   words,
	Every:   12 * time.Hour,
	Signs:   signs,
	Applies: signs.On,
	Run:     answer.Run(run),
}

var words = []string{
	fact.ControlOpen.Name(), fact.ControlPasswordPossible.Name(), fact.DeviceClass.Name(), fact.DeviceManufacturer.Name(), fact.DeviceProduct.Name(),
}

var signs = &prober.Signs{Products: []string{"yeelight"}}

const (
	port    = 55443
	maxLine = 4 << 10 // bytes
	lines   = 8       // notices that may come before the answer
)

func run(ctx context.Context, t *prober.Target, e *fact.Evidence) {
	at := fmt.Sprintf("tcp/%d get_prop: ", port)
	err := ask(ctx, t)
	switch {
	case err == nil:
		fact.ControlOpen.Set(e, true, at+"answered")
		fact.ControlPasswordPossible.Set(e, false, at+"answered")
		fact.DeviceProduct.Set(e, "yeelight", at+"answered")
		fact.DeviceManufacturer.Set(e, "Yeelight", at+"answered")
		fact.DeviceClass.Set(e, "light", at+"answered")
	case errors.Is(err, prober.ErrClosed):
		// That there is no local control is sure only if this is a lamp of Yeelight.
		fact.ControlOpen.SetLikely(e, false, fmt.Sprintf("tcp/%d refused", port))
		answer.Unknown(e, fact.NotReported, words)
	default:
		answer.Unknown(e, prober.WhyOf(err), words)
	}
}

func ask(ctx context.Context, t *prober.Target) error {
	c, err := t.Dial(ctx, port)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing can be done about it
	if _, err := io.WriteString(c, `{"id":1,"method":"get_prop","params":["power"]}`+"\r\n"); err != nil {
		return fmt.Errorf("%w: %w", prober.ErrUnreadable, err)
	}
	return readAnswer(c)
}

// readAnswer reads {"id":1,"result":["on"]}; notices of a change may come before it.
func readAnswer(r io.Reader) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	for range lines {
		if !scanner.Scan() {
			break
		}
		var said struct {
			ID     loosejson.Number               `json:"id"`
			Result loosejson.List[loosejson.Text] `json:"result"`
		}
		if loosejson.Unmarshal(scanner.Bytes(), maxLine, &said) != nil {
			return fmt.Errorf("no JSON: %w", prober.ErrUnreadable)
		}
		if id, ok := said.ID.Int(1, 1); ok && id == 1 && len(said.Result) == 1 && (said.Result[0] == "on" || said.Result[0] == "off") {
			return nil
		}
	}
	return fmt.Errorf("no answer to get_prop: %w", prober.ErrUnreadable)
}
