package fact

// Words about file sharing (SMB).
var (
	SMBOpen     = word[bool]("smb.open", week, "File sharing (SMB) answers on TCP port 445.")
	SMBVersion1 = word[bool]("smb.version_1", week, "File sharing accepts SMB 1 (MS-CIFS), the outdated version of the protocol.")
)
