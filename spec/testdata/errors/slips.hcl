app "My Blog" { # ERROR: "My Blog" is not a name for an app
  content = "x"
}

app "b" {
  contant   = "x"                         # ERROR: unknown argument "contant" in app "b"
  redirects = [{ form = "/a", to = "/b" }] # ERROR: unknown key "form" in "redirects[0]"
}

app "c" {
  content { # ERROR: "content" in app "c" is an argument, not a block
  }
}

app "d" { # ERROR: app "d" has no content
  colour = "red" # ERROR: unknown argument "colour" in app "d"
}

check "e" {
  asert   = true # ERROR: unknown argument "asert" in check "e"
  message = "x"
}
