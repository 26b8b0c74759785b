edge {
  tls = {
    mode    = "acme"
    mail    = "ops@example.com" # ERROR: unknown key "mail" in "tls"
    email   = credential.ops # ERROR: "tls.email" must be a text, not a credential
    ca_root = "CA Root" # ERROR: "tls.ca_root" must not be "CA Root"
    dns     = { provider = "route53" } # ERROR: "tls.dns.provider" must not be "route53" && "tls.dns" has no "credential"
    files   = [{ cert = 7 }] # ERROR: "tls.files[0].cert" must be the name of a credential, not 7 && "tls.files[0]" has no "key"
  }
}
