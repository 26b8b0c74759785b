# File drop: bytes go to the store and come back by signed addresses, past the code.
# Reference: docs/reference/language.md, block "blobs".

app "drop" {
  content = "apps/drop"
  headers = [{ path = "/*", set = local.security }]

  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*"]
  }
  env = { KEEP_DAYS = 7, MAX_BYTES = bytes("100MiB") }

  blobs "FILES" { quota = "2GiB" }

  cron "clean" { at = "15 4 * * *" }
}
