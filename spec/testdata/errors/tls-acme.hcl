edge {
  tls = {
    mode    = "acme"
    email   = "ops at example.com" # ERROR: "ops at example.com" is not an e-mail address
    ca      = "http://ca.example.com/directory" # ERROR: "http://ca.example.com/directory" is not the URL of an ACME directory
    files   = [{ cert = "a", key = "b" }] # ERROR: "tls.files" has no meaning with mode = "acme"
    dns = { # ERROR: "tls.dns" has no "server" && "tls.dns" has no "key_name"
      provider   = "rfc2136"
      credential = "key"
      zone       = "exa mple.com" # ERROR: host "exa mple.com" has a character that no host name may have
    }
  }
}
