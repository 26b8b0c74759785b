variable "domain" { default = "example.com" }
locals { base = "apps.${var.domain}" }
node "one" { labels = { env = "prod" } }
app "blog" {
  content = "blog"
  hosts   = ["blog.${var.domian}", "b.${local.bse}"] # ERROR: variable "domian" is not declared && local "bse" is not declared
}
app "shop" {
  content = domain              # ERROR: nothing is called "domain" here
  where   = node.labels.evn == "prod" && node.two.name == "x" # ERROR: label "evn" is not declared && node "two" is not declared
}
app "site" {
  content = "x${each.key}"      # ERROR: "each" has a value only in an app with for_each
  hosts   = [app.blg.name]      # ERROR: app "blg" is not declared
}
app "help" {
  for_each = ["a"]
  content  = each.name          # ERROR: each has no "name"
  hosts    = [lowr("X"), lower(), lower("a", "b"), var] # ERROR: unknown function "lowr" && "var" needs a name after it
}
app "calls" {
  content = lower("a", "b")     # ERROR: too many function arguments
  hosts   = [tonumber("x")]     # ERROR: function "tonumber" failed
}
