package fact

// Words about ONVIF, the protocol that cameras of many makers speak.
var (
	ONVIFOpen = word[bool]("onvif.open", week, "The device answers ONVIF requests.")
)
