app "blog" {
  content = "b"
}
moved {
  from = app.x                 # ERROR: app.x moves in a circle
  to   = app.y
}
moved {
  from = app.y
  to   = app.x
}
