# A JSON API on packages from npm, which are in node_modules and never served.
# Reference: docs/reference/language.md, blocks "runtime" and "health".

app "api" {
  content = "apps/api"
  headers = [{ path = "/*", set = local.security }]

  runtime {
    entry  = "api/main.ts"
    routes = ["/v1/*"]
  }

  docs "BOOKS" {
    index "by_title" { on = ["title"] }
    index "by_shelf" { on = ["shelf", "title"] }
  }

  health { path = "/v1/health" }
}
