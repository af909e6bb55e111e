package hass

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/thingwarden/thingwarden/agent/broker"
	"github.com/thingwarden/thingwarden/agent/broker/brokertest"
)

// BenchmarkPublish shows 200 devices with 600 findings on an empty Mosquitto,
// beside a bare paho client that sends the same bytes with as many on their way
// at once. The ratio is the bare client's time by ours.
func BenchmarkPublish(b *testing.B) {
	m := brokertest.StartMosquitto(b, false)
	srv := server{config: broker.Config{URL: m.URL(), Username: brokertest.Username, Password: brokertest.Password}}
	s := large(200)
	all := messages(s, testOptions(), nil)
	n := 0
	for _, d := range all {
		n += 1 + len(d.states)
	}
	var ours, bare time.Duration
	for b.Loop() {
		start := time.Now()
		a := startAgent(b, srv, Memory{}, nil)
		a.publish(s)
		ours += time.Since(start)
		a.end()
		purge(b, srv)

		start = time.Now()
		publishBare(b, srv, all)
		bare += time.Since(start)
		purge(b, srv)
	}
	b.ReportMetric(float64(bare)/float64(ours), "ratio")
	b.ReportMetric(float64(n)*float64(b.N)/ours.Seconds(), "msg/s")
	b.ReportMetric(float64(n)*float64(b.N)/bare.Seconds(), "bare-msg/s")
}

func purge(b *testing.B, srv server) {
	session, end := runSession(b, srv.config, "purge")
	defer end()
	if _, err := Purge(context.Background(), adapter{session, new(atomic.Int64)}, "home", ""); err != nil {
		b.Fatal(err)
	}
}

func publishBare(b *testing.B, srv server, all []deviceMessages) {
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(srv.config.URL).SetClientID("bare").
		SetUsername(srv.config.Username).SetPassword(srv.config.Password))
	if t := c.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		b.Fatal(t.Error())
	}
	defer c.Disconnect(100)
	var waiting []mqtt.Token
	for _, d := range all {
		for _, m := range append([]message{d.config}, d.states...) {
			waiting = append(waiting, c.Publish(m.topic, 1, true, m.payload))
			if len(waiting) < 500 {
				continue
			}
			waitAll(b, waiting)
			waiting = nil
		}
	}
	waitAll(b, waiting)
}

func waitAll(b *testing.B, ts []mqtt.Token) {
	for _, t := range ts {
		if !t.WaitTimeout(10*time.Second) || t.Error() != nil {
			b.Fatal(t.Error())
		}
	}
}

// BenchmarkMessages is what a change of anything costs: all is made anew and
// compared.
func BenchmarkMessages(b *testing.B) {
	for _, n := range []int{200, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, o := large(n), testOptions()
			for b.Loop() {
				messages(s, o, nil)
			}
		})
	}
}

// BenchmarkNextMessages is the same when one device changed.
func BenchmarkNextMessages(b *testing.B) {
	for _, n := range []int{200, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, o, c := large(n), testOptions(), drawings{}
			for i := 0; b.Loop(); i++ {
				s.Devices[1+i%n].Checked++
				c.messages(s, o, nil)
			}
		})
	}
}
