# A guestbook of documents, and a counter that keeps one visitor from filling it.
# Everybody reads and signs; below /desk/ editors take out what does not belong.
# Reference: docs/reference/language.md, blocks "docs", "kv" and "access".

app "guestbook" {
  content = "apps/guestbook"
  headers = [{ path = "/*", set = local.security }]

  access {
    path  = "/desk/*"
    allow = [role.editor]
  }
  access { allow = ["anyone"] }

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
