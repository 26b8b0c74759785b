edge { domain = secret.good }            # ERROR: "domain" cannot be a secret
locals {
  a = secret.good                        # ERROR: "secret" has a value only in an app
  b = "x-${age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmaXJzdA==")}"            # ERROR: a secret cannot be put into text, nor be worked with
}
secret "good" { value = age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmaXJzdA==") }
secret "good" { value = age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmaXJzdA==") }      # ERROR: secret "good" is declared twice
secret "plain" { value = "hunter2" }     # ERROR: "value" is not sealed
secret "unsealed" { value = age("hunter2") } # ERROR: function "age" failed
secret "a b" { value = age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmaXJzdA==") }       # ERROR: "a b" is not a name for a secret
secret "other" { value = secret.good }   # ERROR: "secret" has a value only in an app
secret "none" { value = null }           # ERROR: "value" must be a sealed value: age("…"), not null
secret "bare" {}                         # ERROR: secret "bare" has no value
node "one" {
  recipient = "age1abc"                  # ERROR: "age1abc" is not a recipient of age
}
app "a" {
  content = "a"
  hosts   = [secret.good]                # ERROR: "hosts" cannot be a secret
  headers = [{ path = "/", set = { A = secret.good } }] # ERROR: "headers" cannot be a secret
  runtime { entry = "main.js" }
  env = {
    A = "Bearer ${secret.good}"          # ERROR: a secret cannot be put into text, nor be worked with
  }
  egress "a.example" {
    header = { A = age("YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmaXJzdA==") }           # ERROR: "egress[\"a.example\"].header.A" is sealed outside of a secret
  }
  egress "b.example" {
    header = { A = upper(secret.good) }  # ERROR: a secret cannot be put into text, nor be worked with
  }
  egress "c.example" {
    header = { A = jsonencode(secret.good) } # ERROR: a secret cannot be put into text, nor be worked with
  }
  egress "d.example" {
    header = { A = secret.god }          # ERROR: secret "god" is not declared
  }
  egress "e.example" {
    header = { A = [secret.good] }       # ERROR: "egress[\"e.example\"].header.A" cannot be a secret
  }
  egress "f.example" {
    header = { A = secret.good.value }   # ERROR: nothing can be read of secret.good
  }
  egress "g.example" {
    header = { A = secret }              # ERROR: "secret" needs a name after it
  }
}
app "b" {
  for_each = { (secret.good) = 1 }       # ERROR: a secret cannot be put into text, nor be worked with
  content  = "b"
}
