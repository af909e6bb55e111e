package zwavejs

import "strings"

// Command classes, by the Z-Wave specification's numbers.
const (
	ccUserCode        = 99
	ccDoorLock        = 98
	ccBarrierOperator = 102
	ccEntryControl    = 111
	ccSoundSwitch     = 121
	ccSecurity2       = 159

	genericEntryControl = 0x40
)

// classOf returns what sort of thing a node is, and what shows it. Command
// classes show it better than the device class, whose numbers differed in early
// recordings and which many makers leave general.
func classOf(n node) (class, proof string) {
	for _, cc := range []struct {
		id          int64
		class, name string
	}{
		{ccDoorLock, "lock", "Door Lock"},
		{ccBarrierOperator, "garage", "Barrier Operator"},
		{ccEntryControl, "keypad", "Entry Control"},
		{ccUserCode, "keypad", "User Code"},
		{ccSoundSwitch, "siren", "Sound Switch"},
	} {
		if n.Classes[cc.id] {
			return cc.class, "command class " + cc.name
		}
	}
	return byDeviceClass(n), "device class " + n.ClassLabel
}

func byDeviceClass(n node) string {
	text := strings.ToLower(n.ClassLabel)
	switch {
	case n.Generic == genericEntryControl || strings.Contains(text, "entry control") || strings.Contains(text, "door lock"):
		return entryClass(n.Specific, text)
	case strings.Contains(text, "siren"):
		return "siren"
	case strings.Contains(text, "valve"):
		return "valve"
	}
	switch n.Generic {
	case 0x01, 0x12, 0x18: // Remote Controller, Remote Switch, Wall Controller
		return "remote"
	case 0x02: // Static Controller
		return "bridge"
	case 0x06, 0x16: // Appliance, Ventilation
		return "appliance"
	case 0x08:
		return "thermostat"
	case 0x09: // Window Covering
		return "cover"
	case 0x07, 0x20, 0x21, 0x30, 0x31, 0xa1: // Notification, Binary, Multilevel, Pulse Meter, Meter, Alarm
		return "sensor"
	case 0x17: // Security Panel
		return "alarm"
	case 0x10:
		return switchClass(n)
	case 0x11:
		return multilevelClass(n.Specific)
	}
	return ""
}

// entryClass distinguishes the specific classes of Entry Control.
func entryClass(specific int64, text string) string {
	switch {
	case specific >= 5 && specific <= 9 || strings.Contains(text, "barrier") || strings.Contains(text, "gate"):
		return "garage"
	case specific == 0x0b || strings.HasSuffix(text, "secure keypad"):
		return "keypad"
	}
	return "lock"
}

func switchClass(n node) string {
	what := strings.ToLower(n.Description + " " + n.Model)
	for _, word := range []string{"plug", "outlet", "socket"} {
		if strings.Contains(what, word) {
			return "plug"
		}
	}
	return "switch"
}

// multilevelClass distinguishes dimmers from motors.
func multilevelClass(specific int64) string {
	switch specific {
	case 3, 5, 6, 7: // Multiposition Motor, Motor Control A, B and C
		return "cover"
	case 8: // Fan Switch
		return "appliance"
	}
	return "light"
}

// entry reports whether the node opens or guards a way into the home.
func entry(n node) (is, known bool) {
	switch class, _ := classOf(n); class {
	case "lock", "garage", "keypad":
		return true, true
	}
	return false, n.ClassesListed
}
