app "blog" {
  content = "b"
}
app "site" {
  for_each = ["docs"]
  content  = "s"
}
moved {
  from = "weblog"              # ERROR: "from" must be the address of an app
  to   = app.blog
}
moved {
  from = app.a
  to   = app.blgo              # ERROR: app.blgo is not declared
}
moved {
  from = app.blog              # ERROR: app.blog is said to be moved, and is declared
  to   = app.site
}
moved {
  from = app.b
  to   = app.b                 # ERROR: app.b moves to itself
}
moved {
  from = app.c
  to   = app.blog
}
moved {
  from = app.d
  to   = app.blog              # ERROR: two apps move to app.blog
}
removed {
  from      = app.c            # ERROR: app.c is spoken of twice
  on_remove = "delete"
}
removed {
  from      = app.site         # ERROR: app.site is said to be removed, and is declared
  on_remove = "delete"
}
removed {
  from      = app.gone
  on_remove = "burn"           # ERROR: "on_remove" must not be "burn"
}
moved {
  from = node.one              # ERROR: "from" must be the address of an app
  to   = app.site["docs"].x    # ERROR: "to" must be the address of an app
}
app "e" {
  content   = "e"
  on_remove = "keep"           # ERROR: "on_remove" must not be "keep"
}
