edge {
  tls = {
    mode    = "acme"
    email   = "ops@example.com"
    ca_root = credential.ca
    dns = {
      provider   = "cloudflare"
      credential = "token"
      server     = "ns1.example.com" # ERROR: "tls.dns.server" has no meaning with provider = "cloudflare"
      algorithm  = "hmac-sha512" # ERROR: "tls.dns.algorithm" has no meaning with provider = "cloudflare"
    }
  }
}
