limits {
  connections        = 100
  connections_per_ip = 200        # ERROR: "connections_per_ip" is 200, more than the 100 of "connections"
  header_bytes       = "8KiB"
  url                = "16KiB"    # ERROR: "url" is 16KiB, more than the 8KiB of "header_bytes"
}
edge {
  proxy_protocol = true           # ERROR: "proxy_protocol" has no meaning without "trusted_proxies"
  http3          = true           # ERROR: "http3" has no meaning without "tls"
}
