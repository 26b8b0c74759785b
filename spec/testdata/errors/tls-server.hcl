edge {
  tls = {
    mode  = "acme"
    email = "ops@example.com"
    dns = {
      provider   = "rfc2136"
      credential = "key"
      key_name   = "fazt"
      server     = "ns1.example.com:dns" # ERROR: "ns1.example.com:dns" is not the address of a server
    }
  }
}
