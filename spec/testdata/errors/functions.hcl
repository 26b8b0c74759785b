function "a" {
  params = "x" # ERROR: "params" must be a list of names
  result = 1
}
function "b" {
  params = [x, x] # ERROR: parameter "x" is there twice
  result = 1
}
function "c" {
  params         = [x]
  variadic_param = x # ERROR: parameter "x" is there twice
  result         = 1
}
function "d" { # ERROR: function "d" has no result
  params = []
}
function "e" {
  params = [x]
  result = local.y # ERROR: nothing is called "local" here
}
function "f" {
  params = [x]
  result = tonumber(x)
}
