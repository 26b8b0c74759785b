# The first app: its files are served at hello.<domain>, and its code answers /api.
# Every block and attribute: `fazt docs reference/language`. How code is written:
# `fazt docs guides/functions`.
app "hello" {
  content = "apps/hello"

  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*"]
  }
  kv "VISITS" {}
}
