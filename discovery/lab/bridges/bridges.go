// Package bridges runs the real Zigbee2MQTT and the real Z-Wave JS in a lab,
// with a simulated radio in place of a stick: everything above the serial port
// is what runs in homes.
//
// The programs come from npm, in the versions that package-lock.json pins;
// install.sh installs them. Where they are not installed tests skip, or fail
// when TEST_REQUIRE names "lab".
//
// Each bridge comes as one of two homes: a weak one, in which something is wrong
// with most devices, and its hardened twin, in which nothing is.
//
// For newer versions change package.json, run "npm install --package-lock-only"
// and "go test -run TestRecord -record".
package bridges
