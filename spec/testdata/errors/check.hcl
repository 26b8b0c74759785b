app "blog" { content = "blog" }
check "admin" {
  assert  = anytrue([for a in app : a.name == "admin"]) # ERROR: check "admin" failed: there is no admin among blog
  message = "there is no admin among ${join(", ", keys({ blog = 1 }))}"
}
check "type" {
  assert  = "perhaps" # ERROR: "assert" must be true or false, not "perhaps"
  message = "m"
}
check "typo" {
  assert  = app.blgo.spa # ERROR: app "blgo" is not declared
  message = "m"
}
check "bare" { # ERROR: check "bare" has no message
  assert = true
}
