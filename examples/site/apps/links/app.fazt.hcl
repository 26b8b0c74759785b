# Short links: a table of them, and a schedule that removes those that have ended.
# Reference: docs/reference/language.md, blocks "sql" and "cron".

app "links" {
  content = "apps/links"
  headers = [{ path = "/*", set = local.security }]

  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*", "/to/*"]
  }

  sql "DB" { migrations = "migrations" }

  cron "clean" {
    at   = "30 3 * * *"
    zone = "Europe/Berlin"
  }
}
