package homeassistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thingwarden/thingwarden/discovery/fact"
	"github.com/thingwarden/thingwarden/discovery/internal/wsjson"
)

const (
	// pingEvery is how long nothing may come before Home Assistant is pinged, and
	// silentAfter how long until it counts as gone.
	pingEvery   = 30 * time.Second
	silentAfter = 75 * time.Second
	// firstReport is how long the answers of a new session may take before the ones
	// that have come are reported without the rest.
	firstReport = 15 * time.Second
	// coalesce is how long to wait for more before a report.
	coalesce = 200 * time.Millisecond
	// refreshAfter is how long to wait for more changes before a list is read again.
	refreshAfter = time.Second
	// retryFirst and retryMost are the pauses after which a refused command is sent
	// again: while Home Assistant starts, its parts come one by one.
	retryFirst = 5 * time.Second
	retryMost  = 5 * time.Minute
	// starting is how long a part may be missing without a word about it.
	starting = 30 * time.Second
)

// errRefused is what a token gets that is not valid.
var errRefused = errors.New("it does not accept the token")

// connection is one connection to Home Assistant. One goroutine owns it.
type connection struct {
	*source
	conn        *wsjson.Conn
	reporter    *reporter
	began       time.Time
	lastMessage time.Time
	pinged      time.Time

	lastID  int64
	sent    map[int64]command // not answered yet
	streams map[int64]command // subscriptions
	refused map[command]string
	wait    time.Duration // before the next retry
	started map[int64]bool

	reportAt, retryAt, refreshAt time.Time // zero: never
	refresh                      []command
}

// session connects to Home Assistant and follows it until the connection ends. It
// never returns nil.
func (s *source) session(ctx context.Context, t *reporter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	version, err := s.login(ctx, conn)
	if err != nil {
		conn.Close()
		return err
	}
	s.env.Log.Info("Home Assistant connected", "url", s.url.String(), "version", fact.Clean(version, 32))
	x := &connection{
		source: s, conn: conn, reporter: t, began: time.Now(), lastMessage: time.Now(), wait: retryFirst,
		sent: map[int64]command{}, streams: map[int64]command{}, refused: map[command]string{}, started: map[int64]bool{},
	}
	frames := make(chan []byte, 64)
	ended := make(chan error, 1)
	go func() { ended <- read(ctx, conn, frames) }()
	err = x.run(ctx, frames)
	cancel()
	conn.Close()
	if e := <-ended; err == nil {
		err = e
	}
	return err
}

// read passes frames on until the connection or ctx ends.
func read(ctx context.Context, conn *wsjson.Conn, frames chan<- []byte) error {
	defer close(frames)
	for {
		b, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		select {
		case frames <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *source) dial(ctx context.Context) (*wsjson.Conn, error) {
	conn, err := wsjson.Dial(ctx, s.url.String(), s.http, s.header())
	if e, ok := errors.AsType[*wsjson.StatusError](err); ok && (e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden) {
		return nil, fmt.Errorf("%w: %s", errRefused, e.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.url, err)
	}
	return conn, nil
}

// header is sent when the connection is opened: the Supervisor wants to see the
// token of an app there too.
func (s *source) header() http.Header {
	if !strings.HasSuffix(s.url.Path, supervisorPath) {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + s.token}}
}

// supervisorPath is where the Supervisor passes on to Home Assistant
// (supervisor/api/proxy.py).
const supervisorPath = "/core/websocket"

// login gives the token, and returns Home Assistant's version.
func (s *source) login(ctx context.Context, conn *wsjson.Conn) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, wsjson.Timeout)
	defer cancel()
	next := func() (frame, error) {
		b, err := conn.Read(ctx)
		if err != nil {
			return frame{}, err
		}
		return decodeFrame(b)
	}
	f, err := next()
	if err != nil {
		return "", err
	}
	if f.Type != "auth_required" {
		return "", fmt.Errorf("the first message is %.32q: this is not Home Assistant", string(f.Type))
	}
	b, err := json.Marshal(map[string]string{"type": "auth", "access_token": s.token})
	if err != nil {
		return "", fmt.Errorf("encode log-in: %w", err)
	}
	if err := conn.Write(ctx, b); err != nil {
		return "", err
	}
	if f, err = next(); err != nil {
		return "", err
	}
	if f.Type != "auth_ok" {
		return "", errRefused
	}
	return string(f.Version), nil
}

func (x *connection) run(ctx context.Context, frames <-chan []byte) error {
	x.reporter.begin(x.began)
	for _, c := range opening {
		if err := x.send(ctx, c); err != nil {
			return err
		}
	}
	x.reportAt = x.began.Add(firstReport)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, ok := <-frames:
			if !ok {
				return nil // the reader knows why
			}
			x.lastMessage = time.Now()
			x.take(b)
		case <-timer.C:
			if err := x.work(ctx, time.Now()); err != nil {
				return err
			}
		}
		timer.Reset(time.Until(x.next(time.Now())))
	}
}

// next returns when there is something to do even if nothing comes.
func (x *connection) next(now time.Time) time.Time {
	next := x.lastMessage.Add(silentAfter)
	for _, at := range []time.Time{
		x.reportAt, x.retryAt, x.refreshAt, later(x.lastMessage, x.pinged).Add(pingEvery), x.reporter.forgetAt, x.reporter.repeatAt,
	} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if end := x.began.Add(starting); now.Before(end) && end.Before(next) {
		next = end
	}
	return next
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// send sends a command.
func (x *connection) send(ctx context.Context, c command) error {
	x.lastID++
	b, err := encode(x.lastID, c)
	if err != nil {
		return err
	}
	if err := x.conn.Write(ctx, b); err != nil {
		return err
	}
	if c != ping {
		x.sent[x.lastID] = c
	}
	return nil
}

// work does what is due.
func (x *connection) work(ctx context.Context, now time.Time) error {
	if now.Sub(x.lastMessage) >= silentAfter {
		return wsjson.ErrSilent
	}
	if now.Sub(x.lastMessage) >= pingEvery && now.Sub(x.pinged) >= pingEvery {
		x.pinged = now
		if err := x.send(ctx, ping); err != nil {
			return err
		}
	}
	if due(&x.retryAt, now) {
		for _, c := range opening {
			if x.refused[c] != "" {
				x.refresh = append(x.refresh, c)
			}
		}
		x.refreshAt = now
	}
	if due(&x.refreshAt, now) {
		again := x.refresh
		x.refresh = nil
		for _, c := range again {
			if err := x.send(ctx, c); err != nil {
				return err
			}
		}
	}
	if due(&x.reportAt, now) || x.reporter.due(now) {
		x.reporter.reportChanges(ctx, now)
	}
	x.reportHealth(now)
	return ctx.Err()
}

// due reports whether a time has come, and forgets it.
func due(t *time.Time, now time.Time) bool {
	if t.IsZero() || now.Before(*t) {
		return false
	}
	*t = time.Time{}
	return true
}

// take takes a message in. One that cannot be read spoils itself only.
func (x *connection) take(b []byte) {
	f, err := decodeFrame(b)
	if err != nil {
		x.env.Log.Debug("a message of Home Assistant can't be read", "err", err)
		return
	}
	id, ok := f.ID.Int(1, 1<<53)
	if !ok {
		return
	}
	switch f.Type {
	case "result":
		c, sent := x.sent[id]
		if !sent {
			return
		}
		delete(x.sent, id)
		x.answered(id, c, f)
	case "event":
		if c, ok := x.streams[id]; ok {
			x.event(id, c, f.Event)
		}
	}
	if len(x.sent) == 0 {
		x.soon()
	}
}

func (x *connection) answered(id int64, c command, f frame) {
	if !f.Success.Value {
		x.refused[c] = cleanCode(f)
		if x.retryAt.IsZero() {
			x.retryAt = time.Now().Add(x.wait)
			x.wait = min(2*x.wait, retryMost)
		}
		return
	}
	delete(x.refused, c)
	home := &x.reporter.home
	var err error
	switch c {
	case readNetwork:
		err = home.setAdapters(f.Result)
		x.reporter.reportNetworks()
	case readAreas:
		err = home.setAreas(f.Result)
	case readDevices:
		err = home.setDevices(f.Result)
	case readEntities:
		err = home.setEntities(f.Result)
	case followUpdates:
		home.updates = nil // all come again
		x.streams[id] = c
	default:
		x.streams[id] = c
	}
	if err != nil {
		x.refused[c] = codeUnreadable
		x.env.Log.Debug("an answer of Home Assistant can't be read", "command", string(c), "err", err)
	}
}

func (x *connection) event(id int64, c command, b json.RawMessage) {
	home := &x.reporter.home
	var err error
	switch c {
	case followAreas:
		x.again(readAreas)
	case followDevices:
		x.again(readDevices)
	case followEntities:
		x.again(readEntities)
	case followUpdates:
		err = home.takeUpdates(b)
	case followLeases:
		// The first message is what was seen since Home Assistant started.
		err = home.takeLeases(b, x.started[id])
		x.started[id] = true
	case followInstances:
		err = home.takeInstances(b)
	case followUPnP:
		err = home.takeUPnP(b)
	}
	if err != nil {
		x.env.Log.Debug("an event of Home Assistant can't be read", "command", string(c), "err", err)
	}
}

// again reads a list once more, after a moment.
func (x *connection) again(c command) {
	if !slices.Contains(x.refresh, c) {
		x.refresh = append(x.refresh, c)
	}
	if x.refreshAt.IsZero() {
		x.refreshAt = time.Now().Add(refreshAfter)
	}
}

// soon schedules a report of what changed.
func (x *connection) soon() {
	if next := time.Now().Add(coalesce); x.reportAt.IsZero() || x.reportAt.Sub(next) > coalesce {
		x.reportAt = next
	}
}
