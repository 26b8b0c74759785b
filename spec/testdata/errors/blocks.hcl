x = 1                         # ERROR: argument "x" stands outside any block
ap "blog" { content = "b" }   # ERROR: unknown block "ap"
app { content = "b" }         # ERROR: app takes 1 label, not 0
app "a" "b" { content = "b" } # ERROR: app takes 1 label, not 2
edge "main" {}                # ERROR: edge takes 0 labels, not 1
app "Blog" { content = "b" }  # ERROR: "Blog" is not a name for an app
app "a_b" { content = "b" }   # ERROR: "a_b" is not a name for an app
app "-a" { content = "b" }    # ERROR: "-a" is not a name for an app
app "a1234567890123456789012345678901234567890" { content = "b" } # ERROR: "a123456789012345678901234567890123456789…" is not a name for an app
node "labels" {}              # ERROR: a node cannot be called "labels"
variable "1x" { default = 1 } # ERROR: "1x" is not a name for a variable
function "lower" {            # ERROR: function "lower" is built in
  params = []
  result = 1
}
