app "bare" {
  content = "a"
  env     = { A = "x" }              # ERROR: "env" has no meaning without "runtime"
  kv "B" {}                          # ERROR: "kv" has no meaning without "runtime"
  queue "C" {}                       # ERROR: "queue" has no meaning without "runtime"
  cron "d" { at = "* * * * *" }      # ERROR: "cron" has no meaning without "runtime"
  health { path = "/" }              # ERROR: "health" has no meaning without "runtime"
}
app "runs" {
  content = "a"
  runtime {
    entry     = "../other/main.ts"   # ERROR: "../other/main.ts" is not a file of the content folder
    routes    = ["api", "/a/*/b", "/:id", "/x/", "/y//z"] # ERROR: "api" is not a route: it does not begin with / && "/a/*/b" is not a route: a * is only possible as its last part && "/:id" is not a route: it has no :names && "/y//z" is not a route: it is written "/y/z"
    cpu       = "2m"                 # ERROR: "runtime.cpu" must not be "2m"
    wall      = "1ms"                # ERROR: "runtime.wall" must not be "1ms"
    memory    = "1MiB"               # ERROR: "runtime.memory" must not be "1MiB"
    fresh     = "often"              # ERROR: "runtime.fresh" must be true or false, not "often"
    isolation = "vm"                 # ERROR: "runtime.isolation" must not be "vm"
    engine    = "v8"                 # ERROR: unknown argument "engine" in runtime of app "runs"
  }
  runtime { entry = "b.js" }         # ERROR: runtime of app "runs" is declared twice
}
app "slow" {
  content = "a"
  runtime {
    entry = "main.js"
    wall  = "1s"                     # ERROR: "runtime.cpu" is 2s, more than the 1s of "runtime.wall"
  }
}
app "paths" {
  content = "a"
  runtime {
    entry  = "/main.js"              # ERROR: "/main.js" is not a file of the content folder
    routes = []                      # ERROR: "runtime.routes" is empty
  }
  sql "DB" { migrations = "." }      # ERROR: "." is not a folder of the content folder
  health { path = "healthz" }        # ERROR: "healthz" is not a path
}
app "names" {
  content = "a"
  runtime { entry = "main.js" }
  env = { "a-b" = "x", A = 1, C = null, L = [], __proto__ = "" } # ERROR: "env.C" must be a text or a secret, not null && "env.L" must be a text or a secret, not a list of 0
  kv "1st" {}                        # ERROR: "1st" is not a name for a binding
  kv "ASSETS" {}                     # ERROR: "ASSETS" is not a name for a binding
  kv "B" {}
  docs "B" {}                        # ERROR: env.B is declared twice
  sql "DB" {}
  sql "DB2" {}                       # ERROR: sql "DB2" of app "names" is declared twice
  queue "kv" {}
  blobs "kv" {}                      # ERROR: env.kv is declared twice
  kv "N" { ttl = "1d" }              # ERROR: unknown argument "ttl" in kv "N" of app "names"
}
app "env" {
  content = "a"
  runtime { entry = "main.js" }
  env = {
    "a-b"     = "x"                  # ERROR: "a-b" is not a name for a setting
    __proto__ = "x"                  # ERROR: "__proto__" is not a name for a setting
    CACHE     = "x"
  }
  kv "CACHE" {}                      # ERROR: env.CACHE is declared twice
}
app "docs" {
  content = "a"
  runtime { entry = "main.js" }
  docs "D" {
    index "By-Mail" { on = ["mail"] } # ERROR: "By-Mail" is not a name for an index
    index "none" { on = [] }         # ERROR: an index has 1 to 8 fields, not 0
    index "odd" { on = ["a b", "c", "c", "d."] } # ERROR: "a b" is not a field of a document && field "c" is there twice && "d." is not a field of a document
    index "odd" { on = ["a"] }       # ERROR: index "odd" of docs "D" of app "docs" is declared twice
    index "bare" {}                  # ERROR: index "bare" of docs "D" of app "docs" has no on
  }
  blobs "F" {
    quota = "1B"                     # ERROR: "blobs[\"F\"].quota" must not be "1B"
    serve = "/*"                     # ERROR: "/*" is not a path that files can be below
  }
  blobs "G" { serve = "files" }      # ERROR: "files" is not a path that files can be below
}
app "work" {
  content = "a"
  runtime { entry = "main.js" }
  queue "Q" {
    retries     = 101                # ERROR: "queue[\"Q\"].retries" must not be 101
    backoff     = "1ms"              # ERROR: "queue[\"Q\"].backoff" must not be "1ms"
    batch       = 0                  # ERROR: "queue[\"Q\"].batch" must not be 0
    concurrency = 65                 # ERROR: "queue[\"Q\"].concurrency" must not be 65
    keep        = "1s"               # ERROR: "queue[\"Q\"].keep" must not be "1s"
  }
  cron "Bad" { at = "0 7 * *" }      # ERROR: "Bad" is not a name for a cron && "0 7 * *" is no schedule: it has 4 fields, not 5
  cron "a" { at = "60 7 * * *" }     # ERROR: "60 7 * * *" is no schedule: "60" is not a minute, which is 0 to 59
  cron "b" { at = "0 7 * * 7" }      # ERROR: "0 7 * * 7" is no schedule: "7" is not a weekday, which is 0 to 6
  cron "c" { at = "5/10 * * * *" }   # ERROR: "5/10 * * * *" is no schedule: steps of the minute need a * or a range before them
  cron "d" { at = "*/0 * * * *" }    # ERROR: "*/0 * * * *" is no schedule: "0" is not a step of the minute
  cron "e" { at = "0 22-6 * * *" }   # ERROR: "0 22-6 * * *" is no schedule: "22-6" ends before it begins
  cron "f" { at = "0 0 30 feb *" }   # ERROR: "0 0 30 feb *" is no schedule: that day never comes
  cron "g" {
    at       = "@daily"              # ERROR: "@daily" is no schedule: it has 1 field, not 5
    zone     = "europe/berlin"       # ERROR: "europe/berlin" is not a time zone
    catch_up = true                  # ERROR: "cron[\"g\"].catch_up" must be a text, not true
  }
  cron "h" {
    at   = "0 0 * * *"
    zone = "CET"                     # ERROR: "CET" is not a time zone
  }
  cron "h" { at = "0 0 * * *" }      # ERROR: cron "h" of app "work" is declared twice
}
app "reach" {
  content = "a"
  runtime { entry = "main.js" }
  service "S" { app = app.wrok }     # ERROR: app "wrok" is not declared
  service "T" { app = "work" }       # ERROR: "service[\"T\"].app" must be the address of an app
  service "U" {}                     # ERROR: service "U" of app "reach" has no app
  egress "10.0.0.1" {}               # ERROR: host "10.0.0.1": an IP address is not a host name
  egress "localhost" {}              # ERROR: "localhost" is not the full name of a host
  egress "https://x.example/y" {}    # ERROR: "https://x.example/y" is a URL, not a host
  egress "x.example:8443" {}         # ERROR: host "x.example:8443" has a port, and a host has none
  egress "y.example" {
    header  = { Host = "z", "Content-Length" = "1", a = "1", A = "2" } # ERROR: header "Host" cannot be set: it is the host of the block && header "Content-Length" cannot be set: it belongs to the connection or to the file && header "a" cannot be set: it is there twice
    methods = ["CONNECT", "GET it"]  # ERROR: "CONNECT" is not a method that can be let through && "GET it" is not a method that can be let through
    ports   = [0, 1.5]               # ERROR: "egress[\"y.example\"].ports[1]" must be a whole number, not 1.5
  }
  egress "w.example" {
    methods = []                     # ERROR: "egress[\"w.example\"].methods" is empty
    ports   = [70000]                # ERROR: 70000 is not a port
  }
  egress "Y.example" {}              # ERROR: egress "Y.example" of app "reach" is declared twice
  health {}                          # ERROR: health of app "reach" has no path
}
