locals {
  a = local.b # ERROR: these definitions need each other: local.a → local.b → local.c → local.a
  b = upper(local.c)
  c = [local.a]
  d = local.d # ERROR: this definition needs itself: local.d → local.d
  e = node.labels.x # ERROR: these definitions need each other: local.e → node → local.e
  f = local.a
}
node "one" {
  labels = { x = local.e }
}
function "f" { # ERROR: this function calls itself: f → g → f
  params = [x]
  result = g(x)
}
function "g" { # ERROR: this function calls itself: g → f → g
  params = [x]
  result = x ? f(x) : 0
}
app "blog" {
  content = "blog${local.a}"
  spa     = "no" # ERROR: "spa" must be true or false, not "no"
}
app "calls" {
  content = f("x")
}
