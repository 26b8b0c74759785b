edge { console = "https://admin.example.com" }  # ERROR: "https://admin.example.com" is a URL, not a host
oauth "dev" {                                   # ERROR: an oauth cannot be called "dev"
  issuer    = "https://id.example.com"
  client_id = "x"
}
oauth "google" {                                # ERROR: oauth "google" has no client_secret
  client_id = " "                               # ERROR: "client_id" is empty
  issuer    = "https://accounts.google.com"     # ERROR: "issuer" has no meaning in oauth "google"
  tenant    = "example.com"                     # ERROR: "tenant" has no meaning in oauth "google"
}
oauth "company" {                               # ERROR: oauth "company" has no client_id && oauth "company" has no issuer
  allow_domains = []                            # ERROR: "allow_domains" is empty
  scopes        = ["a b"]                       # ERROR: "a b" is not a scope
  client_secret = age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==") # ERROR: "client_secret" is sealed outside of a secret
  label         = secret.none                   # ERROR: secret "none" is not declared
}
oauth "plain" {
  issuer        = "http://id.example.com"       # ERROR: "http://id.example.com" is not an issuer
  client_id     = "x"
  client_secret = [1]                           # ERROR: "client_secret" must be a text or a secret, not a list of 1
  allow_domains = ["a b"]                       # ERROR: "a b" is not a domain: host "a b" has a character that no host name may have
}
oauth "a b" {                                   # ERROR: "a b" is not a name for an oauth
  issuer    = "https://id.example.com?x"        # ERROR: "https://id.example.com?x" is not an issuer
  client_id = "x"
}
mail {
  from  = "hello"                               # ERROR: "hello" is not a sender
  smtp  = "smtp.example.com"                    # ERROR: "smtp.example.com" is not the address of a mail server
  user  = "x"                                   # ERROR: "user" has no meaning without "password"
  daily = 0                                     # ERROR: "daily" must not be 0
}
mail {                                          # ERROR: mail is declared twice
  from = "hello@example.com"
  smtp = "smtp://smtp.example.com"
}
login {
  email         = "magic"                       # ERROR: "email" must not be "magic"
  signup        = "everyone"                    # ERROR: "signup" must not be "everyone"
  idle          = "1s"                          # ERROR: "idle" must not be "1s"
  second_factor = [role.owner, "anyone", "ana@example.com", group.none] # ERROR: group "none" is not declared
}
