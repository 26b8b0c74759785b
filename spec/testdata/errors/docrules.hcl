variable "team" { default = "x" }
app "notes" {
  content = "a"
  runtime { entry = "main.js" }
  docs "A" {
    rule "raed" { when = true }                       # ERROR: "raed" is not what a rule can be for
    rule "read" {}                                    # ERROR: rule "read" of docs "A" of app "notes" has no when
    rule "read" { when = true }                       # ERROR: rule "read" of docs "A" of app "notes" is declared twice
    rule "create" { when = doc.team == var.team }     # ERROR: nothing is called "var" in a rule
    rule "update" { when = usr.name == "x" && doc.n + 1 > 2 } # ERROR: nothing is called "usr" in a rule && a rule does not calculate
    rule "delete" { when = upper(doc.x) == "A" }      # ERROR: a rule cannot call "upper"
  }
  docs "B" {
    rule "read" { when = contains(doc.list) }         # ERROR: contains takes 2 arguments
    rule "create" { when = can("read", doc.x) }       # ERROR: can is asked with an action and a resource as texts
    rule "update" { when = doc.list[0] == 1 }         # ERROR: a rule names fields only
    rule "delete" { when = [for x in doc.list : x] }  # ERROR: a rule cannot have this
  }
  docs "C" {
    rule "read" { when = "${user.name}" }             # ERROR: a rule cannot have this
    rule "create" { when = user.a ? true : false }    # ERROR: a rule cannot have this
    rule "update" { when = doc.list[*] }              # ERROR: a rule cannot have this
    rule "delete" { when = { a = 1 } }                # ERROR: a rule cannot have this
  }
}
