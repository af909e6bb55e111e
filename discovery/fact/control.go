package fact

// Words about how a device is controlled on the home network.
var (
	ControlOpen             = word[bool]("control.open", week, "Anyone on the home network can control the device: it asks for no password.")
	ControlEncrypted        = word[bool]("control.encrypted", week, "The device takes orders on the home network only by an encrypted protocol.")
	ControlPasswordPossible = word[bool]("control.password_possible", week, "The device can be told to ask for a password before it takes orders on the home network; false where its protocol knows none.")
)
