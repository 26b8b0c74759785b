edge {
  domain          = "exa mple.com"    # ERROR: host "exa mple.com" has a character that no host name may have
  trusted_proxies = ["10.0.0.0/8", "10.0.0.0/40", "proxy.example.com"] # ERROR: "10.0.0.0/40" is not an address or a CIDR range && "proxy.example.com" is not an address or a CIDR range
  tls             = { mode = "offf" } # ERROR: "tls.mode" must not be "offf"
  proxy_protocol  = "v2"              # ERROR: "proxy_protocol" must be true or false, not "v2"
  http2           = true              # ERROR: unknown argument "http2" in edge
}
app "a" {
  content = credential.a # ERROR: "credential" has a value only in tls of edge
}
