# A webhook relay: what comes in waits in a queue and goes out to one host.
# Reference: docs/reference/language.md, blocks "queue" and "egress".

app "relay" {
  content = "apps/relay"
  headers = [{ path = "/*", set = local.security }]

  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*", "/hook/*"]
  }
  env = {
    TARGET   = "https://hooks.example.com/incoming"
    HOOK_KEY = "a key to try this with" # elsewhere secret.NAME: see block "secret"
  }

  queue "OUT" {
    retries = 8
    backoff = "15s"
  }
  docs "LOG" {
    index "by_time" { on = ["at"] }
  }

  egress "hooks.example.com" {
    methods = ["POST"]
    header  = { "User-Agent" = "relay" }
  }

  cron "forget" { at = "0 5 * * *" }
}
