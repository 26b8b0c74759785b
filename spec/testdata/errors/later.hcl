edge {
  console = "admin.example.com"   # ERROR: argument "console" is not supported by this version
}
node "one" {
  recipient = "age1x"             # ERROR: argument "recipient" is not supported by this version
}
analytics { pageviews = true }    # ERROR: block "analytics" is not supported by this version
oauth "google" { client_id = "" } # ERROR: block "oauth" is not supported by this version
group "a" { members = [] }        # ERROR: block "group" is not supported by this version
role "a" { members = [] }         # ERROR: block "role" is not supported by this version
secret "a" { value = age("x") }   # ERROR: block "secret" is not supported by this version
preview "a" { label = "b" }       # ERROR: block "preview" is not supported by this version
policy "a" { path = "x" }         # ERROR: block "policy" is not supported by this version
notify "a" { on = [] }            # ERROR: block "notify" is not supported by this version
dev {}                            # ERROR: block "dev" is not supported by this version
app "notes" {
  content   = "notes"
  env       = { A = secret.x }    # ERROR: argument "env" is not supported by this version
  analytics = {}                  # ERROR: argument "analytics" is not supported by this version
  access { path = "/" }           # ERROR: block "access" is not supported by this version
  runtime { entry = "x" }         # ERROR: block "runtime" is not supported by this version
  kv "A" {}                       # ERROR: block "kv" is not supported by this version
  sql "A" {}                      # ERROR: block "sql" is not supported by this version
  docs "A" {}                     # ERROR: block "docs" is not supported by this version
  blobs "A" {}                    # ERROR: block "blobs" is not supported by this version
  queue "A" {}                    # ERROR: block "queue" is not supported by this version
  cron "a" {}                     # ERROR: block "cron" is not supported by this version
  room "a" {}                     # ERROR: block "room" is not supported by this version
  egress "a" {}                   # ERROR: block "egress" is not supported by this version
  health {}                       # ERROR: block "health" is not supported by this version
}
app "shop" {
  content = secret.name           # ERROR: "secret" is not supported by this version
}
