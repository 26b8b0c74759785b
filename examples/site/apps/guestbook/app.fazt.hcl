# A guestbook of documents, and a counter that keeps one visitor from filling it.
# Reference: docs/reference/language.md, blocks "docs" and "kv".

app "guestbook" {
  content = "apps/guestbook"
  headers = [{ path = "/*", set = local.security }]

  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*"]
  }
  env = { PER_HOUR = 5 }

  docs "BOOK" {
    index "by_time" { on = ["at"] }
  }
  kv "VISITORS" {}
}
