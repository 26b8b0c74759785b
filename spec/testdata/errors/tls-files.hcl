edge {
  tls = { mode = "files", ca_root = "x" } # ERROR: "tls" with the mode "files" has no "files" && "tls.ca_root" has no meaning with mode = "files"
}
