edge {
  tls = {
    mode    = "acme"
    email   = "ops@example.com"
    ca_root = "a-${credential.ca}" # ERROR: invalid template interpolation value
  }
}
