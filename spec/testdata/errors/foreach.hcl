app "a" {
  for_each = "docs"                  # ERROR: for_each must be a set of texts or a map, not "docs"
  content  = each.key
}
app "b" {
  for_each = ["Docs", "x", "x", "a_b"] # ERROR: "Docs" cannot be a key of for_each && key "x" is there twice && "a_b" cannot be a key of for_each
  content  = each.key
}
app "c" {
  for_each = null                    # ERROR: for_each must be a set of texts or a map, not null
  content  = "c"
}
app "d1234567890123456789012345678901234567" {
  for_each = { e123456789012345678901234567890 = 1 } # ERROR: the name d1234567890123456789012345678901234567-e123456789012345678901234567890 is longer than 63 characters
  content  = "c"
}
app "e" {
  for_each = { one = "yes", two = "no" }
  content  = "e"
  spa      = each.value              # ERROR: "spa" must be true or false, not "yes" && "spa" must be true or false, not "no"
}
app "f" {
  for_each = [1, [2]]                # ERROR: "for_each[1]" must be a text, not a list of 1
  content  = "f"
}
app "g" {
  for_each = ["x", "y"]
  content  = local.folder              # ERROR: local "folder" is not declared
  hosts    = ["same.example.com"]
}
app "h" {
  for_each = ["x", "y"]
  content  = "h"
  hosts    = ["both.example.com"]      # ERROR: host "both.example.com" is claimed twice
}
