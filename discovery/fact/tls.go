package fact

// Words about encryption of connections (TLS).
var (
	TLSKeys          = word[[]string]("tls.keys", week, "Fingerprints (SHA-256) of the public keys with which the device encrypts its web page.")
	TLSKeySharedWith = word[[]string]("tls.key_shared_with", always, "Other devices of the home that encrypt with a key of tls.keys.")

	TLSSubject = word[string]("tls.subject", week, "Subject of the certificate with which the device encrypts its web page, as RFC 4514 writes it.")
	TLSIssuer  = word[string]("tls.issuer", week, "Issuer of the certificate with which the device encrypts its web page, as RFC 4514 writes it.")
)
