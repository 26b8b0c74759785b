limits {
  connections        = 10          # ERROR: "connections" must not be 10
  connections_per_ip = 0           # ERROR: "connections_per_ip" must not be 0
  requests_per_ip    = { rate = 0, burst = 1.5 } # ERROR: "requests_per_ip.rate" must not be 0 && "requests_per_ip.burst" must be a whole number, not 1.5
  header_timeout     = "90s"       # ERROR: "header_timeout" must not be "90s"
  body_timeout       = "soon"      # ERROR: "body_timeout" must be a length of time such as "500ms" or "30s", not "soon"
  write_timeout      = 0.5         # ERROR: "write_timeout" must not be 0.5
  idle_timeout       = ["75s"]     # ERROR: "idle_timeout" must be a length of time such as "500ms" or "30s", not a list of 1
  min_body_rate      = "2MiB"      # ERROR: "min_body_rate" must not be "2MiB"
  header_bytes       = "32 KiB"    # ERROR: "header_bytes" must be a size such as "512KiB" or "10MB", not "32 KiB"
  headers            = "many"      # ERROR: "headers" must be a whole number, not "many"
  url                = "64KiB"     # ERROR: "url" must not be "64KiB"
  body               = "2GiB"      # ERROR: "body" must not be "2GiB"
  ipv6_prefix        = 128         # ERROR: "ipv6_prefix" must not be 128
  streams            = 0           # ERROR: "streams" must not be 0
  connection         = 10          # ERROR: unknown argument "connection" in limits
}
limits {                           # ERROR: limits is declared twice
}
limits "main" {                    # ERROR: limits takes 0 labels, not 1
}
app "a" {
  content = "a"
  limits {
    requests_per_second = -1       # ERROR: "limits.requests_per_second" must not be -1
    concurrency         = 0        # ERROR: "limits.concurrency" must not be 0
    body                = "512B"   # ERROR: "limits.body" must not be "512B"
    wall                = "1d"     # ERROR: "limits.wall" must not be "1d"
    storage             = "ten"    # ERROR: "limits.storage" must be a size such as "512KiB" or "10MB", not "ten"
    egress_month        = each.key # ERROR: "each" has a value only in an app with for_each
    egres_month         = "1GiB"   # ERROR: unknown argument "egres_month" in limits of app "a"
    limits {                       # ERROR: unknown block "limits" in limits of app "a"
    }
  }
  limits {                         # ERROR: limits of app "a" is declared twice
  }
}
app "b" {
  content = "b"
  limits  = { storage = "1GiB" }   # ERROR: "limits" in app "b" is a block, not an argument
}
app "c" {
  content = "c"
  limits {
    burst = 10                     # ERROR: "limits.burst" has no meaning without "limits.requests_per_second"
  }
}
app "d" {
  content = "d"
  limits "x" {                     # ERROR: limits takes 0 labels, not 1
  }
}
app "e" {
  for_each = { small = "1GiB", odd = "?" }
  content  = "e"
  limits {
    storage = each.value           # ERROR: "limits.storage" must be a size such as "512KiB" or "10MB", not "?"
  }
}
