// Package clients lets client libraries that others wrote ask our simulated devices,
// and our probes read answers of real devices that those libraries come with: a
// simulator is right if the client understands it.
//
// The libraries come from PyPI, in the versions that requirements.txt pins;
// install.sh installs them. Where they are not installed tests skip, or fail when
// TEST_REQUIRE names "lab". It holds tests only.
package clients
