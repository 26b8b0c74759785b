edge {
  domain = "example.com:8080" # ERROR: host "example.com:8080" has a port, and a host has none
}
