app "a" {
  content = 5 # ERROR: "content" must be a text, not 5
}
app "b" {
  content = true # ERROR: "content" must be a text, not true
}
app "c" {
  content   = "c"
  redirects = [{ from = 7, to = "/" }] # ERROR: "redirects[0].from" must be a text, not 7
}
app "d" {
  content = "d-${1 / 0}" # ERROR: division by zero
}
app "e" {
  content = "e"
  spa     = 1 / 0 > 1 # ERROR: division by zero
}
app "f" {
  content = "f-${half(0)}" # ERROR: function "half" failed
}
app "g" {
  content = "g-${7 % 0}" # ERROR: division by zero
}
app "h" {
  content = "h-${0 / 0}" # ERROR: division by zero
}
function "half" {
  params = [x]
  result = 1 / x
}
