package web

// Plain tells whether an address is plain.
func Plain(s string) bool { return plain(s) }
