node "one" {
  address = "192.0.2.1"           # ERROR: argument "address" is not supported by this version
}
analytics { pageviews = true }    # ERROR: block "analytics" is not supported by this version
preview "a" { label = "b" }       # ERROR: block "preview" is not supported by this version
policy "a" { path = "x" }         # ERROR: block "policy" is not supported by this version
notify "a" { on = [] }            # ERROR: block "notify" is not supported by this version
app "notes" {
  content   = "notes"
  analytics = {}                  # ERROR: argument "analytics" is not supported by this version
  mail "A" {}                     # ERROR: block "mail" is not supported by this version
  room "a" {}                     # ERROR: block "room" is not supported by this version
}
