app "blog" {
  content  = "blog"
  visiblty = "public" # ERROR: unknown argument "visiblty" in app "blog"
}
app "nothing" { # ERROR: app "nothing" has no content
}
app "types" {
  content   = ["a"]      # ERROR: "content" must be a text, not a list of 1
  hosts     = "a.com"    # ERROR: "hosts" must be a list of texts, not "a.com"
  spa       = "yes"      # ERROR: "spa" must be true or false, not "yes"
  where     = 7          # ERROR: "where" must be true or false, not 7
  redirects = { a = 1 }  # ERROR: "redirects" must be a list of objects, not an object of 1
  headers   = ["x"]      # ERROR: "headers[0]" must be an object, not "x"
}
app "deep" {
  content = null # ERROR: "content" must be a text, not null
  hosts   = ["a.com", null] # ERROR: "hosts[1]" must be a text, not null
  redirects = [
    { to = "/x" }, # ERROR: "redirects[0]" has no "from"
    { from = "/y", to = "/x", status = "often" }, # ERROR: "redirects[1].status" must be a whole number, not "often"
    { from = "/z", to = "/x", status = 404 }, # ERROR: "redirects[2].status" must not be 404
    { from = "/w", to = "/x", sttus = 301 }, # ERROR: unknown key "sttus" in "redirects[3]"
  ]
}
app "block" {
  content = "x"
  redirects { # ERROR: "redirects" in app "block" is an argument, not a block
    from = "/a"
  }
  contents {} # ERROR: unknown block "contents" in app "block"
}
