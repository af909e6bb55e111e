package fact

// Words about Wi-Fi networks that a device runs itself.
var (
	WiFiAPOpen = word[bool]("wifi.access_point_open", week, "The device runs a Wi-Fi network of its own without a password.")
)
