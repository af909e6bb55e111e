package fact

// Words about addresses.
var (
	AddressDisputed  = word[[]string]("address.disputed", always, "Addresses that another MAC address had first and that the device claims by turns with it, each with that MAC address.")
	AddressTaken     = word[[]string]("address.taken", always, "Addresses of the home's router that this device has taken from another one, which is still there, within the last hour.")
	AddressPublic    = word[bool]("address.public_ipv4", always, "The device has an IPv4 address that is valid on the whole Internet, and is not the home's router.")
	AddressConflicts = word[[]string]("address.conflicts", always, "Addresses of address.disputed that belong to another device, not to another interface of this one.")
)
