# The company's own site: plain pages, two hosts, rules for old addresses.
# Reference: docs/reference/language.md, block "app".

app "company" {
  content = "apps/company"
  hosts   = ["company.${var.domain}", "www.${var.domain}"]

  redirects = [
    { from = "/team", to = "/about#people" },
    { from = "/lamps", to = "/work" },
    { from = "/blog/*", to = "/journal/:splat" },
  ]

  headers = [
    { path = "/*", set = local.security },
    { path = "/assets/*", set = { "Cache-Control" = "public, max-age=86400" } },
  ]
}
