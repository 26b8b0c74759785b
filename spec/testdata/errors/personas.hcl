dev {
  user "asha" { email = "asha@example.com" }
  user "asha" { email = "other@example.com" }  # ERROR: user "asha" of dev is declared twice
  user "bo" { email = "ASHA@example.com" }     # ERROR: asha@example.com is the address of two users
  user "A B" { email = "x" }                   # ERROR: "A B" is not a name for a user && "x" is not an e-mail address
  user "none" {}                               # ERROR: user "none" of dev has no email
  user "role" {
    email = "role@example.com"
    role  = "ownr"                             # ERROR: "ownr" is not a role
  }
  persona "x" {}                               # ERROR: unknown block "persona" in dev
}
dev {}                                         # ERROR: dev is declared twice
app "a" { content = "a" }
