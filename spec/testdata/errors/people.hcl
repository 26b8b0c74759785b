group "design" { members = ["ana@example.com", "bo@example"] }
group "a b" { members = [] }                    # ERROR: "a b" is not a name for a group
group "twice" { members = [] }
group "twice" { members = [] }                  # ERROR: group "twice" is declared twice
group "bare" {}                                 # ERROR: group "bare" has no members
group "slips" {
  members = [
    "ana",                                      # ERROR: "ana" is nobody whom a rule can name
    "ana@",                                     # ERROR: "ana@" is not an e-mail address
    "a b@example.com",                          # ERROR: "a b@example.com" is not an e-mail address
    "domain:exa_mple.com",                      # ERROR: "exa_mple.com" is not a domain: host "exa_mple.com" has an underscore, which no host name may have
    "domain:",                                  # ERROR: "" is not a domain: host is empty
    "anyone",                                   # ERROR: "anyone" cannot stand here
    "group:desing",                             # ERROR: group "desing" is not declared
    role.editor,                                # ERROR: "role:editor" cannot be a member
    7,                                          # ERROR: "7" is nobody whom a rule can name
  ]
}
group "typo" { members = [group.desing] }       # ERROR: group "desing" is not declared
group "text" { members = "ana@example.com" }    # ERROR: "members" must be a list of texts, not "ana@example.com"
role "owner" {
  members = ["jo@example.com"]
  grant {                                       # ERROR: role "owner" has grants
    actions = ["read"]
    on      = ["node"]
  }
}
role "editor" {
  members = [group.design]
  grants  = []                                  # ERROR: unknown argument "grants" in role "editor"
  grant {
    actions = []                                # ERROR: "grant.0.actions" is empty
    on      = []                                # ERROR: "grant.0.on" is empty
  }
  grant {
    actions = ["Read", "write", "a b"]          # ERROR: "Read" is not an action && "a b" is not an action
    on = [
      "notes",                                  # ERROR: "notes" is nothing that a grant can be on
      app.noets,                                # ERROR: app "noets" is not declared
      "app.noets/x",                            # ERROR: app "noets" is not declared
      "app.notes/../x",                         # ERROR: "/../x" is not a path: it is written "/x"
      "app.notes/a%2fb",                        # ERROR: "/a%2fb" is not a path: it is written without % and \, as a path is after decoding
      "app.notes/*/x",                          # ERROR: "/*/x" is not a path: a * is only possible as its last part
      app.notes.title,                          # ERROR: "app.notes.title" is nothing that a grant can be on
      app,                                      # ERROR: "app" needs a name after it
      null,                                     # ERROR: "grant.1.on[8]" must be a list of apps, or parts or paths of them, not null
    ]
    until = "31.1.2027"                         # ERROR: "31.1.2027" is not a day
  }
  grant { until = "2027-02-30" }                # ERROR: grant of role "editor" has no actions and no on && "2027-02-30" is not a day
}
app "notes" {
  content = "notes"
  access {
    path  = "drafts"                            # ERROR: "drafts" is not a path: it does not begin with /
    allow = ["everyone"]                        # ERROR: "everyone" is nobody whom a rule can name
  }
  access {                                      # ERROR: access of app "notes" has no allow
    path = "/a"
  }
  access {
    path  = "/b"
    allow = ["anyon"]                           # ERROR: "anyon" is nobody whom a rule can name
  }
  access { allow = [role.editr] }               # ERROR: role "editr" is not declared
}
app "other" {
  content = role.editor.members                 # ERROR: unsupported attribute
}
