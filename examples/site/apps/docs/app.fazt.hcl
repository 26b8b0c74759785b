# The handbook, with rules of its own in _redirects and _headers.
# Reference: docs/reference/language.md, block "app".

app "docs" {
  content = "apps/docs"
  headers = [{ path = "/*", set = local.security }]
}
