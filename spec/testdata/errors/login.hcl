login {
  email         = "link"                        # ERROR: "email" has no meaning without "mail"
  idle          = "8d"
  second_factor = ["anyone", "ana@example.com", "role:ownr"] # ERROR: "anyone" cannot stand here && "ana@example.com" is not a role && role "ownr" is not declared
}
app "a" { content = "a" }
