app "redirects" {
  content = "x"
  redirects = [
    { from = "old", to = "/new" },           # ERROR: "old" cannot be redirected from: it does not begin with /
    { from = "/a*b", to = "/new" },          # ERROR: "/a*b" cannot be redirected from: a * is only possible as its last part
    { from = "/*/a", to = "/new" },          # ERROR: "/*/a" cannot be redirected from: a * is only possible as its last part
    { from = "/a?b=1", to = "/new" },        # ERROR: "/a?b=1" cannot be redirected from: a path has no ? and no #
    { from = "/a b", to = "/new" },          # ERROR: "/a b" cannot be redirected from: it has a space or a control character
    { from = "/:x/:x", to = "/new" },        # ERROR: "/:x/:x" cannot be redirected from: placeholder ":x" is there twice
    { from = "/:1", to = "/new" },           # ERROR: "/:1" cannot be redirected from: ":1" is not a placeholder
    { from = "/b", to = "/new/:splat" },     # ERROR: "/new/:splat" cannot be redirected to: nothing fills in ":splat"
    { from = "/c/*", to = "/new/:yaer" },    # ERROR: "/new/:yaer" cannot be redirected to: nothing fills in ":yaer"
    { from = "/d", to = "new" },             # ERROR: "new" cannot be redirected to: it is neither a path nor an http or https URL
    { from = "/e", to = "//evil.example" },  # ERROR: "//evil.example" cannot be redirected to: it is neither a path nor an http or https URL
    { from = "/f", to = "javascript:alert(1)" }, # ERROR: "javascript:alert(1)" cannot be redirected to: nothing fills in ":alert"
    { from = "/g", to = "ftp://example.com/" }, # ERROR: "ftp://example.com/" cannot be redirected to: it is neither a path nor an http or https URL
    { from = "/h", to = "https://u:1@example.com/" }, # ERROR: "https://u:1@example.com/" cannot be redirected to: it is neither a path nor an http or https URL
    { from = "/i", to = "/x\r\nSet-Cookie: a=b" }, # ERROR: "/x\r\nSet-Cookie: a=b" cannot be redirected to: it has a space or a control character
    { from = "/j", to = "https://example.com/", status = 200 }, # ERROR: "https://example.com/" cannot be redirected to: status 200 needs a path of this app
  ]
}
app "headers" {
  content = "x"
  headers = [
    { path = "*", set = { A = "b" } },            # ERROR: "*" is not a path: it does not begin with /
    { path = "/a", set = {} },                    # ERROR: no header is set
    { path = "/b", set = { "X Y" = "b" } },       # ERROR: header "X Y" cannot be set: its name is not a header's name
    { path = "/c", set = { fazt-revision = "b" } }, # ERROR: header "fazt-revision" cannot be set: names that begin with Fazt- belong to the node
    { path = "/d", set = { content-length = 3 } }, # ERROR: header "content-length" cannot be set: it belongs to the connection or to the file
    { path = "/e", set = { Connection = "close" } }, # ERROR: header "Connection" cannot be set: it belongs to the connection or to the file
    { path = "/f", set = { A = "b\r\nC: d" } },   # ERROR: header "A" cannot be set: its value has a control character
    { path = "/g", set = { x-a = "1", X-A = "2" } }, # ERROR: header "x-a" cannot be set: it is there twice
  ]
}
