# One app for each event: app.event["summit"], app.event["workshop"], and the next one.
# Reference: docs/reference/language.md, "for_each" of block "app".

app "event" {
  for_each = toset(["summit", "workshop"])

  content = "apps/events/${each.key}"
  hosts   = ["${each.key}.${var.domain}"]
  headers = [{ path = "/*", set = local.security }]
}
