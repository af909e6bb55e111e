package fact

// BadNews reports whether one part of a device suffices for what the entry says of
// the device: that something is open, or a list with something in it. The good news
// that nothing is takes all parts. Texts and numbers count as the former.
func (n Entry) BadNews() bool {
	switch v := n.Value.(type) {
	case bool:
		return v != goodIfTrue(n.Name)
	case []string:
		return len(v) > 0
	}
	return true
}

// goodIfTrue reports whether "true" is the good news; of all other words it is
// "false".
func goodIfTrue(name string) bool {
	switch name {
	case ControlEncrypted.Name(), HomeKitPaired.Name(), IPv6FirewallOn.Name(), WANMappingsComplete.Name(), DeviceSetUp.Name():
		return true
	}
	return false
}
