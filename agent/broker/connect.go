package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Run keeps the session connected until ctx is done, then says farewell (the
// will's message) and returns nil. Any other return means that the
// configuration cannot work. It must be called once.
func (s *Session) Run(ctx context.Context) error {
	wait := retryFirst
	for {
		cfg, err := s.resolve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var u *url.URL
		if err == nil {
			if u, err = ParseURL(cfg.URL); err != nil {
				err = fmt.Errorf("reading the URL of the MQTT broker: %w", err)
			}
		}
		switch {
		case err != nil && cfg.Find == nil:
			return err
		case err != nil: // what is found next may be better
			s.trouble(err.Error())
		case s.runClient(ctx, cfg, u):
			wait = retryFirst
			continue
		}
		pause(ctx, wait)
		wait = min(2*wait, retryLast)
	}
}

// resolve returns the configuration with the broker that there is now.
func (s *Session) resolve(ctx context.Context) (Config, error) {
	cfg := s.cfg
	if cfg.Find == nil {
		return cfg, nil
	}
	a, err := cfg.Find(ctx)
	cfg.URL, cfg.Username, cfg.Password = a.URL, a.Username, a.Password
	return cfg, err
}

// runClient runs one paho client until ctx is done, the client is worn or the
// broker is to be looked up again. It reports whether the client ever connected.
func (s *Session) runClient(ctx context.Context, cfg Config, u *url.URL) bool {
	o := cfg.options(ctx, u)
	o.SetDefaultPublishHandler(s.dispatch)
	o.SetOnConnectHandler(func(mqtt.Client) { poke(s.events) })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		s.release()
		s.trouble(cfg.explain(err, u.Host))
		poke(s.events)
	})
	o.SetConnectionNotificationHandler(func(_ mqtt.Client, n mqtt.ConnectionNotification) {
		if f, ok := n.(mqtt.ConnectionNotificationFailed); ok && ctx.Err() == nil {
			s.trouble(cfg.explain(f.Reason, u.Host))
		}
	})
	client := mqtt.NewClient(o)
	s.mu.Lock()
	s.client, s.open, s.deaf = client, 0, false
	s.mu.Unlock()
	connected := s.connect(ctx, client)
	if connected {
		s.manage(ctx, client, u)
	}
	return connected
}

// connect makes the first connection and reports whether it did before ctx was
// done. Paho's own ConnectRetry would hide why it fails. A broker that is looked
// up is tried once: by the next time it may be another, or want another password.
func (s *Session) connect(ctx context.Context, client mqtt.Client) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		t := client.Connect()
		select {
		case <-t.Done():
			if t.Error() == nil {
				return true
			}
			if s.cfg.Find != nil {
				return false
			}
		case <-ctx.Done():
			client.Disconnect(0)
			return false
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

// pause waits for about that time, and reports whether ctx is not done.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait/2 + rand.N(wait)):
		return true
	case <-ctx.Done():
		return false
	}
}
