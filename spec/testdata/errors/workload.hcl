edge { domain = "example.com" }
role "deployer" {}
workload "empty" {
  issuer = "https://id.example.com"
  claims = {} # ERROR: "claims" is empty
  roles  = [] # ERROR: "roles" is empty
}
workload "none" { # ERROR: workload "none" has no issuer and no claims and no roles
}
workload "odd" {
  issuer   = "http://id.example.com" # ERROR: "http://id.example.com" is not an issuer
  audience = "" # ERROR: "" is not an audience
  claims = {
    iss        = "https://id.example.com" # ERROR: "iss" is judged anyway
    aud        = "us" # ERROR: "aud" is judged anyway
    "a claim"  = "x" # ERROR: "a claim" is not a claim
    repository = "" # ERROR: "repository" is empty
    ref        = "refs/heads/*" # ERROR: "ref" has a *, and a claim is compared to the letter
  }
  roles = [role.deployers, "ana@example.com"] # ERROR: role "deployers" is not declared
}
workload "anybody" {
  issuer = "https://token.actions.githubusercontent.com"
  claims = { ref = "refs/heads/main" } # ERROR: these claims are also those of strangers at token.actions.githubusercontent.com
  roles  = [role.deployer]
}
workload "lab" {
  issuer = "https://gitlab.com"
  claims = { ref = "main" } # ERROR: these claims are also those of strangers at gitlab.com
  roles  = [role.deployer]
}
workload "lab" { # ERROR: workload "lab" is declared twice
  issuer = "https://gitlab.com"
  claims = { sub = "project_path:me/site:ref_type:branch:ref:main" }
  roles  = [role.deployer]
}
workload "Bad Name" { # ERROR: "Bad Name" is not a name for a workload
  issuer = "https://gitlab.com"
  claims = { project_path = "me/site" }
  roles  = [role.deployer]
}
app "site" { content = "site" }
