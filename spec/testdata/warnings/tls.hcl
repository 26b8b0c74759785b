edge {
  tls = { mode = "acme" } # WARNING: "tls" has no "email"
}
