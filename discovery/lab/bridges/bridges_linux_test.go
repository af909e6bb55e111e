package bridges

import (
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

func TestTry(t *testing.T) {
	l := lab.New(t)
	h := l.Host("bridge")
	m := h.Mosquitto(t, lab.MosquittoConfig{})
	started := time.Now()
	z := StartZigbee2MQTT(t, h, Zigbee2MQTTConfig{Broker: m.Addr})
	t.Log("started in", time.Since(started))
	z.PermitJoin(t, time.Minute)
	z.Join(t, z.Newcomer)
	z.Report(t, "0x00158d0001000002")
	time.Sleep(3 * time.Second)
	t.Log(h.Run(t, "sh", "-c", "mosquitto_sub -h "+h.IP().String()+" -t 'zigbee2mqtt/+' -t 'zigbee2mqtt/bridge/state' -t 'zigbee2mqtt/+/availability' -v -W 2 || true"))
	t.Log(z.Output())
}
