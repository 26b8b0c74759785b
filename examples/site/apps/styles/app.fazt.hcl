# The style guide of our pages, for ourselves: only the staging machine takes it.
# Reference: docs/reference/language.md, "where" of block "app".

app "styles" {
  content = "apps/styles"
  where   = node.labels.env == "staging"
  headers = [{ path = "/*", set = local.security }]
}
