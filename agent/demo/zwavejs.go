package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/thingwarden/thingwarden/discovery"
	"github.com/thingwarden/thingwarden/discovery/source/zwavejs"
)

// zwaveHome is the home id of the Z-Wave network, 0xdec0de01.
const zwaveHome = "3737181697"

// zwaveNodes are a lock as it should be, a garage door and a siren that anyone in
// front of the house can command, and a sensor with the encryption of 2008.
// Command classes: 37 Binary Switch, 48 Binary Sensor, 98 Door Lock, 102 Barrier
// Operator, 121 Sound Switch, 152 Security 0, 159 Security 2.
const zwaveNodes = `[
{"nodeId":1,"status":4,"isControllerNode":true,"label":"Z-Stick","deviceConfig":{"manufacturer":"Zettler","label":"Z-Stick"},"deviceClass":{"generic":{"key":2,"label":"Static Controller"}}},
{"nodeId":4,"name":"Front door lock","status":4,"highestSecurityClass":2,"firmwareVersion":"3.4.1","deviceConfig":{"manufacturer":"Bolton","label":"L1","description":"Door lock"},"endpoints":[{"commandClasses":[{"id":98},{"id":159}]}]},
{"nodeId":5,"name":"Garage door","status":4,"highestSecurityClass":-1,"firmwareVersion":"1.0.2","deviceConfig":{"manufacturer":"Portalux","label":"G2","description":"Garage door opener"},"endpoints":[{"commandClasses":[{"id":102},{"id":159}]}]},
{"nodeId":6,"name":"Back door lock","status":4,"highestSecurityClass":7,"firmwareVersion":"1.2","deviceConfig":{"manufacturer":"Bolton","label":"L0","description":"Door lock"},"endpoints":[{"commandClasses":[{"id":98},{"id":152}]}]},
{"nodeId":7,"name":"Water sensor","status":1,"highestSecurityClass":7,"firmwareVersion":"2.1","deviceConfig":{"manufacturer":"Dripper","label":"W3","description":"Leak sensor"},"endpoints":[{"commandClasses":[{"id":48},{"id":152},{"id":159}]}]},
{"nodeId":8,"name":"Landing light","status":4,"highestSecurityClass":1,"firmwareVersion":"5.0","deviceConfig":{"manufacturer":"Lumora","label":"S1","description":"Wall switch"},"endpoints":[{"commandClasses":[{"id":37},{"id":159}]}]}
]`

// zwaveJS is a Z-Wave JS server (zwave-js-server, "API schema").
type zwaveJS struct {
	url    string
	server *http.Server
	ended  chan struct{}
}

func startZWaveJS(log_ *slog.Logger) (*zwaveJS, error) {
	var conf net.ListenConfig
	l, err := conf.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the simulated Z-Wave JS: %w", err)
	}
	z := &zwaveJS{url: "ws://" + l.Addr().String(), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	z.server = &http.Server{
		Handler: http.HandlerFunc(z.serve), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	z.server.RegisterOnShutdown(cancel)
	go func() {
		defer close(z.ended)
		if err := z.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log_.Warn("the simulated Z-Wave JS ended", "err", err)
		}
	}()
	return z, nil
}

// kind is the real source, pointed at this server.
func (z *zwaveJS) kind() discovery.SourceKind {
	k := zwavejs.Kind
	k.Default = func() discovery.SourceConfig { return &zwavejs.Config{URLs: []string{z.url}, Written: true} }
	return k
}

func (z *zwaveJS) serve(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer c.CloseNow() //nolint:errcheck // on the way out
	_ = z.converse(r.Context(), c)
}

// converse answers until the client goes.
func (z *zwaveJS) converse(ctx context.Context, c *websocket.Conn) error {
	hello := `{"type":"version","driverVersion":"15.15.3","serverVersion":"3.4.0","homeId":` + zwaveHome + `,"minSchemaVersion":0,"maxSchemaVersion":44}`
	if err := c.Write(ctx, websocket.MessageText, []byte(hello)); err != nil {
		return err
	}
	for {
		var command struct {
			ID      string `json:"messageId"`
			Command string `json:"command"`
		}
		if err := wsjson.Read(ctx, c, &command); err != nil {
			return err
		}
		answer := map[string]any{"type": "result", "messageId": command.ID, "success": true, "result": map[string]any{}}
		switch command.Command {
		case "initialize", "set_api_schema":
		case "start_listening":
			answer["result"] = json.RawMessage(`{"state":{"driver":{"logConfig":{"enabled":true}},"controller":{"homeId":` + zwaveHome +
				`,"ownNodeId":1,"inclusionState":0},"nodes":` + zwaveNodes + `}}`)
		default:
			answer["success"], answer["errorCode"] = false, "unknown_command"
		}
		if err := wsjson.Write(ctx, c, answer); err != nil {
			return err
		}
	}
}

func (z *zwaveJS) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := z.server.Shutdown(ctx)
	<-z.ended
	return err
}
