package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thingwarden/thingwarden/discovery/lab"
)

// zigbeeFindings are what each weak device of a large home has.
var zigbeeFindings = []string{"update-waiting", "lab-old-firmware", "zigbee-unknown-device"}

// judgeZigbee is a configuration in which only they are looked for; one of them is
// a policy of the owner's.
func judgeZigbee(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/lab-old-firmware.yaml", `id: lab-old-firmware
title: Firmware of the lab is old
severity: low
confidence: sure
rules: [3]
when: device.kind == "zigbee" && zigbee.role != "coordinator"
require: "!device.firmware.startsWith('1.0 Build')"
summary: The lab's weak devices run this version.
remedy: Nothing to do; it is made up.
refs: [none]
examples:
  - {facts: {device.kind: zigbee, zigbee.role: router, device.firmware: 1.0 Build 20190401}, want: fail}
  - {facts: {device.kind: zigbee, zigbee.role: router, device.firmware: "1.0"}, want: pass}
  - {facts: {device.kind: zigbee, zigbee.role: router, device.firmware: null}, want: unknown}
  - {facts: {device.kind: zigbee, zigbee.role: coordinator}, want: notapplicable}
`)
	return strings.Replace(judgeBy(t, zigbeeFindings...), "policies: {", "policies: {packs: ["+dir+"], ", 1)
}

func zigbeeIEEE(n int) string { return fmt.Sprintf("00158d0002%06x", n) }

// publishZigbee puts on the broker what a Zigbee2MQTT with a stick and so many
// devices leaves there, the first of them weak. The entries are as large as real
// ones.
func publishZigbee(o *onlooker, devices, weak int) {
	o.t.Helper()
	exposes := strings.Repeat(`{"access":1,"category":"diagnostic","description":"Signal strength, as the device tells it","label":"Link quality","name":"linkquality","property":"linkquality","type":"numeric","unit":"lqi","value_max":255,"value_min":0},`, 10)
	list := []any{}
	add := func(raw string) { list = append(list, rawJSON(raw)) }
	add(`{"friendly_name":"Coordinator","ieee_address":"0x00124b0002000000","interview_state":"SUCCESSFUL","supported":true,"type":"Coordinator"}`)
	for n := range devices {
		build, supported := "1.0", true
		if n < weak {
			build, supported = "1.0 Build 20190401", false
		}
		add(fmt.Sprintf(`{"definition":{"description":"Lamp","exposes":[%s{"type":"light"}],"model":"LED1545G12","vendor":"IKEA"},`+
			`"endpoints":{"1":{"clusters":{"input":["genBasic","genOnOff"],"output":["genOta"]}}},"friendly_name":"lamp%d","ieee_address":"0x%s",`+
			`"interview_state":"SUCCESSFUL","manufacturer":"IKEA of Sweden","model_id":"TRADFRI bulb","network_address":%d,`+
			`"software_build_id":%q,"supported":%t,"type":"Router"}`, exposes, n, zigbeeIEEE(n), n+1, build, supported))
	}
	o.publish("zigbee2mqtt/bridge/info", `{"version":"2.14.1","permit_join":false,"coordinator":{"ieee_address":"0x00124b0002000000","type":"zStack3x0","meta":{"revision":20210708}},"network":{"channel":11,"extended_pan_id":"0x00158d0000000001","pan_id":4711}}`, true)
	o.publish("zigbee2mqtt/bridge/devices", string(mustJSON(o.t, list)), true)
	for n := range devices {
		state := "idle"
		if n < weak {
			state = "available"
		}
		o.publish(fmt.Sprintf("zigbee2mqtt/lamp%d", n), fmt.Sprintf(`{"state":"ON","update":{"state":%q,"installed_version":1,"latest_version":2,"latest_source":"https://ota.example/lamp.ota"}}`, state), true)
		o.publish(fmt.Sprintf("zigbee2mqtt/lamp%d/availability", n), `{"state":"online"}`, true)
	}
	o.publish("zigbee2mqtt/bridge/state", `{"state":"online"}`, true)
}

// rawJSON is JSON that is written as it is.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// usage is what the system says of a process.
type usage struct {
	resident, peak float64       // MiB
	cpu            time.Duration // in user and kernel mode
}

// used reads /proc (man 5 proc_pid_stat, proc_pid_status).
func used(t testing.TB, p *lab.Proc) usage {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.Cmd.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		t.Fatal(err)
	}
	// The name of the program is in parentheses and may hold spaces; utime and
	// stime are the 12th and 13th fields after it, in hundredths of a second.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return usage{statusMiB(t, status, "VmRSS"), statusMiB(t, status, "VmHWM"), time.Duration(ticks) * 10 * time.Millisecond}
}

func statusMiB(t testing.TB, status []byte, key string) float64 {
	t.Helper()
	for line := range strings.Lines(string(status)) {
		rest, ok := strings.CutPrefix(line, key+":")
		if !ok {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
		if err != nil {
			t.Fatal(err)
		}
		return kib / 1024
	}
	t.Fatalf("no %s in:\n%s", key, status)
	return 0
}
